"""What bounds a call from below and from above: bare gRPC, refusals, the disk, memory over time."""

import statistics
import subprocess
import sys
import time

import load
from stand import BINARIES, WORK

NO_GRANT = 'lmbroker_refusals_total{reason="NO_GRANT"}'


class Limits:
    """One figure of each kind a round."""

    def __init__(self, stand, ingest, read):
        self.stand, self.ingest, self.read = stand, ingest, read
        self.refused = load.forward_request("forward-refused", "GET", "/refused")
        self.echo_cpu, self.echo_rate, self.echo_refusals, self.refusals = [], [], [], []
        self.pairs, self.pair_cpu = [], []

    def measure(self, calls):
        echo_door, stranger_door = self.stand.doors["echo"], self.stand.doors["stranger"]
        before = self.stand.echo.cpu_us()
        load.full(echo_door, self.ingest, calls)
        self.echo_cpu.append((self.stand.echo.cpu_us() - before) / calls)

        self.echo_rate.append(load.full(echo_door, self.read, calls))
        self.echo_refusals.append(load.full(echo_door, self.refused, calls))
        portal_before, refused_before = self.stand.upstream_requests(), self.stand.counters()[NO_GRANT]
        self.refusals.append(load.full(stranger_door, self.read, calls))
        refused = self.stand.counters()[NO_GRANT] - refused_before
        if refused != calls or self.stand.upstream_requests() != portal_before + 1:  # the question itself is one
            sys.exit(f"bench: of {calls} calls without a grant {refused:.0f} were refused")
        self.stand.sweep()

        done = subprocess.run([BINARIES / "bench_audit_pace", WORK / "pace", "2"], check=True, capture_output=True,
                              text=True, timeout=120).stdout.split()
        self.pairs.append(int(done[0]))
        self.pair_cpu.append(float(done[2]))

    def echo_to_nginx(self, nginx_cpu):
        """gRPC alone ÷ nginx, for the same call."""
        return [mine / its for mine, its in zip(self.echo_cpu, nginx_cpu)]

    def refusals_to_echo(self):
        return [mine / its for mine, its in zip(self.refusals, self.echo_rate)]

    def echo_refusals_to_echo(self):
        """What gRPC itself leaves of the rate when the answer is an error."""
        return [error / good for error, good in zip(self.echo_refusals, self.echo_rate)]


def rss_growth(stand, rows, minutes, calls):
    """Full load, the rows in turn: by how many percent the last tenth's resident memory is above the first tenth's."""
    sizes = []
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end or len(sizes) < 2:
        for row in rows:
            row.fill(calls)
            sizes.append(stand.broker.rss_kib())
    tenth = max(1, len(sizes) // 10)
    first, last = statistics.mean(sizes[:tenth]), statistics.mean(sizes[-tenth:])
    print(f"memory: {first / 1024:.1f} MiB at first, {last / 1024:.1f} MiB at last, {max(sizes) / 1024:.1f} MiB at most,"
          f" over {minutes:g} minutes of full load")
    return (last / first - 1) * 100
