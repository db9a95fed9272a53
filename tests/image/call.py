"""Calls a broker that has just been started: `call.py DIR PID`, with the files of tests/image/run.sh in DIR."""

import os
import pathlib
import sys
import time

import grpc

HEALTHY = b"\x08\x01"  # grpc.health.v1.HealthCheckResponse, status: SERVING


def wait_for_address(file, pid):
    """The broker's HOST:PORT, as soon as it listens."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        os.kill(pid, 0)
        if file.exists() and file.read_text():
            return file.read_text().strip()
        time.sleep(0.05)
    raise TimeoutError(f"{file} was not written")


def main(folder, pid):
    folder = pathlib.Path(folder)
    tls = folder / "etc" / "tls"
    address = wait_for_address(folder / "var" / "run" / "address", int(pid))
    credentials = grpc.ssl_channel_credentials(
        (tls / "ca.crt").read_bytes(), (tls / "operator.key").read_bytes(), (tls / "operator.crt").read_bytes())
    with grpc.secure_channel(address, credentials) as channel:
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=10) == HEALTHY
        status = channel.unary_unary("/lmbroker.v1.OperatorService/GetStatus")(b"", timeout=10)
        assert b"portals/acme" in status, status
    identity = pathlib.Path(f"/proc/{pid}/status").read_text()
    assert "\nUid:\t10001\t" in identity and "\nCapEff:\t0000000000000000\n" in identity, identity


if __name__ == "__main__":
    main(*sys.argv[1:])
