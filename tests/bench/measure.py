"""Measures the broker beside nginx; tests/bench/run.sh says what and how to start it."""

import argparse
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "bench"
WORK = ROOT / "build" / "bench"
BINARIES = ROOT / "build" / "release"

TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")
LOAD = ["--threads=1", "--clients=8", "--max-concurrent-streams=8"]  # 64 calls in flight
IDLE = ["--threads=1", "--clients=1", "--max-concurrent-streams=1"]
IDLE_CALLS = 2000


class Process:
    """A program in WORK, with its log; ended at the end."""

    def __init__(self, name, command):
        self.log = WORK / f"{name}.out"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=WORK, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def cpu_us(self):
        """CPU time of the process and its children so far."""
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return sum(_ticks(each) for each in [pid, *children]) * TICK_US

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def _ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])  # utime, stime


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_until(what, condition):
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"bench: {what} did not come up; see {WORK}")
        time.sleep(0.05)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def lay_out(ports):
    shutil.rmtree(WORK, ignore_errors=True)
    for folder in ("audit", "data", "keys", "run"):
        (WORK / folder).mkdir(parents=True, mode=0o700)
    subprocess.run([ROOT / "deploy" / "certificates.sh", WORK / "tls"], check=True)
    tls = WORK / "tls"
    (tls / "inventory.pem").write_bytes((tls / "inventory.crt").read_bytes() + (tls / "inventory.key").read_bytes())
    for name in ("nginx-upstream.conf", "nginx-proxy.conf", "lmbrokerd.yaml", "policy.yaml"):
        fill(name, ports)


def fill(name, values):
    text = re.sub(r"@([A-Z_]+)@", lambda match: str(values[match[1]]), (HERE / name).read_text())
    (WORK / name).write_text(text)


def start_broker(processes):
    """Starts it with one credential in custody, and adds it to the processes."""
    daemon = BINARIES / "lmbrokerd"
    subprocess.run([daemon, "keyring", "init", WORK / "keys" / "keyring.json"], check=True, stdout=subprocess.DEVNULL)
    broker = Process("lmbrokerd", [daemon, "--config", "lmbrokerd.yaml"])
    processes.append(broker)
    address = WORK / "run" / "address"
    wait_until("the broker", lambda: address.exists() and address.read_text())
    subprocess.run(
        [BINARIES / "lmbroker", "--address", address.read_text().strip(), "--ca", WORK / "tls" / "ca.crt",
         "--cert", WORK / "tls" / "operator.crt", "--key", WORK / "tls" / "operator.key",
         "credential", "import", "acme/inventory-reader", "--type", "lmv1", "--access-id", "Ab3dE6gH9jK2mN5pQ8sT"],
        input=b"a-key-that-nginx-does-not-check", check=True, stdout=subprocess.DEVNULL)
    return broker, address.read_text().strip()


def forward_request(method, body):
    """One gRPC message of Forward, as h2load sends it."""
    text = f'portal: "portals/acme" method: "{method}" path: "/device/devices"'
    if body:
        text += f' body: "{body}"'
    message = subprocess.run(
        ["protoc", f"--proto_path={ROOT / 'proto'}", "--encode=lmbroker.v1.ForwardRequest",
         "lmbroker/v1/forward_service.proto"], input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
    return b"\0" + len(message).to_bytes(4, "big") + message


class Target:
    """One of the three that are called, and what was measured of it."""

    def __init__(self, name, process, door, path, arguments):
        self.name, self.process = name, process
        self.arguments = [*arguments, f"http://127.0.0.1:{door}{path}"]
        self.cpu, self.rate, self.p50, self.p99, self.idle = [], [], [], [], []

    def load(self, calls):
        """64 calls in flight."""
        before = self.process.cpu_us()
        rate, durations = h2load([*LOAD, f"--requests={calls}", *self.arguments], calls)
        self.cpu.append((self.process.cpu_us() - before) / calls)
        self.rate.append(rate)
        self.p50.append(durations[len(durations) // 2])
        self.p99.append(durations[len(durations) * 99 // 100])

    def rest(self):
        """One call after the other."""
        _, durations = h2load([*IDLE, f"--requests={IDLE_CALLS}", *self.arguments], IDLE_CALLS)
        self.idle.append(durations[len(durations) // 2])

    def forget(self):
        for figures in (self.cpu, self.rate, self.p50, self.p99, self.idle):
            figures.clear()


def h2load(arguments, calls):
    """Calls a second and the sorted durations in µs. Anything but success ends the measurement."""
    log = WORK / "h2load.log"
    log.unlink(missing_ok=True)
    done = subprocess.run(["h2load", f"--log-file={log}", *arguments], capture_output=True, text=True, timeout=300,
                          check=True).stdout
    if f"{calls} succeeded, 0 failed, 0 errored, 0 timeout" not in done:
        sys.exit(f"bench: not every call succeeded:\n{done}")
    rate = float(re.search(r"finished in .*, ([0-9.]+) req/s", done)[1])
    return rate, sorted(int(line.split()[2]) for line in log.read_text().splitlines())


def upstream_requests(port):
    """How many requests the upstream has answered: h2load does not see the status of a gRPC call."""
    context = ssl.create_default_context(cafile=WORK / "tls" / "portal-ca.crt")
    with urllib.request.urlopen(f"https://localhost:{port}/requests", context=context, timeout=10) as reply:
        return int(reply.read().split()[9])


def measure(options, targets, upstream_port):
    for target in targets:  # connections, sessions and caches are made before the first round
        target.load(options.calls // 10)
        target.forget()
    for number in range(options.rounds):
        for target in targets:
            before = upstream_requests(upstream_port)
            target.load(options.calls)
            target.rest()
            answered = upstream_requests(upstream_port) - before - 1  # the question itself is one
            if answered != options.calls + IDLE_CALLS:
                sys.exit(f"bench: {target.name} had {options.calls + IDLE_CALLS} calls, {answered} reached the portal;"
                         f" the reasons stand in {WORK / 'audit' / 'audit.jsonl'}")
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)


def report(options, direct, proxy, broker):
    print(f"{options.method}, {options.calls} calls a round, {options.rounds} rounds; medians (range)\n")
    print(f"{'':8}{'CPU µs/call':>22}{'÷ nginx':>20}{'calls/s':>10}"
          f"{'p50 ms':>8}{'p99 ms':>8}{'idle ms':>9}{'added ms':>10}")
    for target in (direct, proxy, broker):
        ratios = [mine / its for mine, its in zip(target.cpu, proxy.cpu)]
        added = [(mine - its) / 1000 for mine, its in zip(target.idle, direct.idle)]
        middle = statistics.median
        print(f"{target.name:8}{spread(target.cpu, 0):>22}{spread(ratios, 2):>20}{middle(target.rate):>10.0f}"
              f"{middle(target.p50) / 1000:>8.2f}{middle(target.p99) / 1000:>8.2f}"
              f"{middle(target.idle) / 1000:>9.2f}{middle(added):>10.2f}")


def spread(figures, digits):
    return f"{statistics.median(figures):.{digits}f} ({min(figures):.{digits}f}–{max(figures):.{digits}f})"


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run.sh")
    parser.add_argument("--rounds", type=int, default=8, help="default 8; fewer say little")
    parser.add_argument("--calls", type=int, default=20000, help="of each target in a round (default 20000)")
    parser.add_argument("--method", choices=("GET", "POST"), default="GET",
                        help="POST carries 256 bytes and is a mutation")
    options = parser.parse_args()

    names = ("UPSTREAM_PORT", "PROXY_PORT", "DIRECT_DOOR", "PROXY_DOOR", "BROKER_DOOR")
    ports = dict(zip(names, free_ports(len(names))))
    lay_out(ports)
    body = "x" * 256 if options.method == "POST" else ""
    (WORK / "body").write_text(body)
    (WORK / "forward").write_bytes(forward_request(options.method, body))

    processes = [Process("upstream", ["nginx", "-p", WORK, "-c", WORK / "nginx-upstream.conf"])]
    try:
        wait_until("the upstream", lambda: listens(ports["UPSTREAM_PORT"]))
        processes.append(Process("proxy", ["nginx", "-p", WORK, "-c", WORK / "nginx-proxy.conf"]))
        broker, address = start_broker(processes)
        fill("haproxy.cfg", ports | {"BROKER_ADDRESS": address})
        processes.append(Process("haproxy", ["haproxy", "-f", "haproxy.cfg"]))
        wait_until("the doors", lambda: listens(ports["BROKER_DOOR"]) and listens(ports["PROXY_PORT"]))

        plain = [f"--data={WORK / 'body'}", "--header=content-type: application/json"] if body else []
        grpc = [f"--data={WORK / 'forward'}", "--header=content-type: application/grpc", "--header=te: trailers"]
        lm_path = "/santaba/rest/device/devices"
        direct = Target("direct", processes[0], ports["DIRECT_DOOR"], lm_path, plain)
        proxy = Target("nginx", processes[1], ports["PROXY_DOOR"], lm_path, plain)
        through = Target("lmbroker", broker, ports["BROKER_DOOR"], "/lmbroker.v1.ForwardService/Forward", grpc)
        measure(options, (direct, proxy, through), ports["UPSTREAM_PORT"])
        report(options, direct, proxy, through)
    finally:
        for process in reversed(processes):
            process.stop()


if __name__ == "__main__":
    main()
