"""Load: 64 calls at once, one after the other, or at a fixed rate."""

import collections
import json
import re
import subprocess
import sys

from stand import BINARIES, ROOT, WORK

FULL = ["--threads=1", "--clients=8", "--max-concurrent-streams=8"]  # 64 calls in flight
IDLE = ["--threads=1", "--clients=1", "--max-concurrent-streams=1"]


class Request:
    """What is sent: a path, a file as its body, and the type of that."""

    def __init__(self, name, path, body=b"", content_type="application/json"):
        self.path, self.content_type = path, content_type
        self.file = WORK / name if body else None
        if body:
            self.file.write_bytes(body)

    def h2load(self, door):
        data = [f"--data={self.file}", f"--header=content-type: {self.content_type}"] if self.file else []
        return [*data, "--header=te: trailers", f"http://127.0.0.1:{door.plain}{self.path}"]


def body_of_256_bytes():
    return json.dumps({"displayName": ""}).replace('""', '"' + "x" * 236 + '"').encode()


def forward_request(name, method, path, body=b"", api="MANAGEMENT"):
    """The same call by way of Forward, as one gRPC message."""
    quoted = body.decode().replace('"', '\\"')
    text = f'portal: "portals/acme" api: {api} method: "{method}" path: "{path}" body: "{quoted}"'
    message = subprocess.run(
        ["protoc", f"--proto_path={ROOT / 'proto'}", "--encode=lmbroker.v1.ForwardRequest",
         "lmbroker/v1/forward_service.proto"], input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
    return Request(name, "/lmbroker.v1.ForwardService/Forward", b"\0" + len(message).to_bytes(4, "big") + message,
                   "application/grpc")


def full(door, request, calls):
    """64 calls in flight: calls a second."""
    return float(re.search(r"finished in .*, ([0-9.]+) req/s", _h2load([*FULL, *request.h2load(door)], calls))[1])


def idle(door, request, calls):
    """One call after the other: the times in µs."""
    log = WORK / "h2load.log"
    log.unlink(missing_ok=True)
    _h2load([f"--log-file={log}", *IDLE, *request.h2load(door)], calls)
    return [int(line.split()[2]) for line in log.read_text().splitlines()]


def paced(door, request, rate, seconds):
    """At a fixed rate: the number of calls and their p99 in µs, each from when it was due."""
    outcome = offered(door, request, rate, seconds)
    return outcome.calls, outcome.p99_us


Offered = collections.namedtuple("Offered", "calls failed p50_us p99_us refused refused_p99_us took_us")


def offered(door, request, rate, seconds, connections=8):
    """The same, with all that is known of it. Those refused (RESOURCE_EXHAUSTED) count as failed, too."""
    done = _run([BINARIES / "bench_paced", str(door.tls), door.authority, door.certificate or "-", request.path,
                 request.file or "-", request.content_type, str(rate), str(seconds), str(connections)])
    return Offered(*map(int, done.split()))


def _h2load(arguments, calls):
    """What it prints. Anything but HTTP success ends the measurement; gRPC's status it does not see."""
    done = _run(["h2load", f"--requests={calls}", *arguments])
    if f"{calls} succeeded, 0 failed, 0 errored, 0 timeout" not in done:
        sys.exit(f"bench: not every call succeeded:\n{done}")
    return done


def _run(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        sys.exit(f"bench: {command[0]} ended with {done.returncode}: {done.stderr}")
    return done.stdout
