"""The test stand: the upstream, nginx as the peer, the broker, the bare echo, and the doors to them."""

import pathlib
import re
import shutil
import ssl
import subprocess
import sys
import urllib.request
from typing import NamedTuple

import policy
from process import Process, free_ports, listens, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "blackbox"))

from caller_tokens import TokenKey, jwks  # noqa: E402

HERE = ROOT / "tests" / "bench"
BINARIES = ROOT / "build" / "release"
WORK = ROOT / "build" / "bench"

PORTS = ("UPSTREAM_PORT", "ANSWER_PORT", "PROXY_PORT", "DIRECT_DOOR", "PROXY_DOOR", "BROKER_DOOR", "STRANGER_DOOR", "ECHO_DOOR")


class Door(NamedTuple):
    """Where something is reached: without TLS through haproxy, for h2load, and with TLS."""

    plain: int
    tls: int
    authority: pathlib.Path
    certificate: pathlib.Path | None = None


class Stand:
    """Everything that runs; `with` ends it. Its files are in WORK."""

    UPSTREAM = "nginx-upstream.conf"
    LIMITS = ""  # of the broker, where they are not its defaults

    def __init__(self):
        self.ports = dict(zip(PORTS, free_ports(len(PORTS))))
        self.processes = []

    def __enter__(self):
        try:
            self._lay_out()
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.stop()

    def _lay_out(self):
        shutil.rmtree(WORK, ignore_errors=True)
        for folder in ("audit", "data", "keys", "pace", "run"):
            (WORK / folder).mkdir(parents=True, mode=0o700)
        tls = WORK / "tls"
        subprocess.run([ROOT / "deploy" / "certificates.sh", tls], check=True)
        for name in ("inventory", "stranger"):
            both = (tls / f"{name}.crt").read_bytes() + (tls / f"{name}.key").read_bytes()
            (tls / f"{name}.pem").write_bytes(both)
        for name in (self.UPSTREAM, "nginx-proxy.conf", "lmbrokerd.yaml"):
            self._fill(name, LIMITS=self.LIMITS)
        for name in ("policy.yaml", "next-policy.yaml"):
            (WORK / name).write_text(policy.text())
        (WORK / "revoked.yaml").write_text(policy.revocations())
        keys = WORK / "keys"
        (keys / "jwks.json").write_text(jwks(TokenKey(keys, "first"), TokenKey(keys, "second", "ES256")))

    def _fill(self, name, **more):
        values = self.ports | more
        text = re.sub(r"@([A-Z_]+)@", lambda match: str(values[match[1]]), (HERE / name).read_text())
        (WORK / name).write_text(text)

    def _run(self, name, *command):
        process = Process(name, command, WORK)
        self.processes.append(process)
        return process

    def _start(self):
        self.upstream = self._run("upstream", "nginx", "-p", WORK, "-c", WORK / self.UPSTREAM)
        wait_until("the upstream", lambda: listens(self.ports["UPSTREAM_PORT"]))
        self.proxy = self._run("proxy", "nginx", "-p", WORK, "-c", WORK / "nginx-proxy.conf")
        self.echo = self._run("echo", BINARIES / "bench_echo", "tls/server.crt", "tls/server.key", "tls/ca.crt")
        wait_until("the echo", self.echo.log.read_text)
        address = self._start_broker()
        self._fill("haproxy.cfg", BROKER_ADDRESS=address, ECHO_PORT=self.echo.log.read_text().strip())
        self._run("haproxy", "haproxy", "-f", "haproxy.cfg")
        tls, broker = WORK / "tls", int(address.rpartition(":")[2])
        ports = self.ports
        self.doors = {
            "direct": Door(ports["DIRECT_DOOR"], ports["UPSTREAM_PORT"], tls / "portal-ca.crt"),
            "nginx": Door(ports["PROXY_DOOR"], ports["PROXY_PORT"], tls / "ca.crt", tls / "inventory.pem"),
            "lmbroker": Door(ports["BROKER_DOOR"], broker, tls / "ca.crt", tls / "inventory.pem"),
            "stranger": Door(ports["STRANGER_DOOR"], broker, tls / "ca.crt", tls / "stranger.pem"),
            "echo": Door(ports["ECHO_DOOR"], int(self.echo.log.read_text()), tls / "ca.crt", tls / "inventory.pem"),
        }
        wait_until("the doors", lambda: listens(self.ports["ECHO_DOOR"]) and listens(self.ports["PROXY_PORT"]))

    def _start_broker(self):
        """With one credential in custody. Its address."""
        daemon = BINARIES / "lmbrokerd"
        subprocess.run([daemon, "keyring", "init", "keys/keyring.json"], cwd=WORK, check=True,
                       stdout=subprocess.DEVNULL)
        self.broker = self._run("lmbrokerd", daemon, "--config", "lmbrokerd.yaml")
        address, ops = WORK / "run" / "address", WORK / "run" / "ops-address"
        wait_until("the broker", lambda: all(file.exists() and file.read_text() for file in (address, ops)))
        command = [BINARIES / "lmbroker", "--address", address.read_text().strip(), "--ca", "tls/ca.crt",
                   "--cert", "tls/operator.crt", "--key", "tls/operator.key", "credential", "import",
                   "acme/inventory-reader", "--type", "lmv1", "--access-id", "Ab3dE6gH9jK2mN5pQ8sT"]
        secret = b"a-key-that-nginx-does-not-check"
        wait_until("the credential", lambda: subprocess.run(  # a busy disk has it refused
            command, cwd=WORK, input=secret, stdout=subprocess.DEVNULL).returncode == 0)
        self.ops = ops.read_text().strip()
        return address.read_text().strip()

    def counters(self):
        """The broker's metrics: a number for each name with its labels."""
        with urllib.request.urlopen(f"http://{self.ops}/metrics", timeout=10) as reply:
            lines = reply.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    def upstream_requests(self):
        """How many requests the upstream has answered, this one included."""
        context = ssl.create_default_context(cafile=WORK / "tls" / "portal-ca.crt")
        url = f"https://localhost:{self.ports['UPSTREAM_PORT']}/requests"
        with urllib.request.urlopen(url, context=context, timeout=10) as reply:
            return int(reply.read().split()[9])

    def sweep(self):
        """What a long run would fill the disk with: rotated audit files, and the broker's log."""
        for rotated in (WORK / "audit").glob("audit.jsonl.*"):
            rotated.unlink()
        self.broker.empty_log()
