"""Ten times what can be served: how fast the rest is refused, what is still served, and what memory it takes.

README.md says what the figures mean; overload.sh starts this.
"""

import argparse
import signal
import sys
import threading
import time

import load
from row import FORWARD_OK, refused_between
from stand import Stand

TIMES = 10
CONNECTIONS = 40
MEMORY_MIB = 64
BODY_KIB = 512
# Of bodies in `MEMORY_MIB`, the quarter for requests that are not whole (at least twice the largest message), and what
# else a process needs for these calls and connections.
MEMORY_LIMIT_MIB = MEMORY_MIB + max(MEMORY_MIB // 4, 2 * (1 + 4)) + 32
BODIES_A_SECOND = 20  # nginx-overload.conf


class OverloadStand(Stand):
    """With a portal that is the bottleneck, and limits that are soon reached."""

    UPSTREAM = "nginx-overload.conf"
    LIMITS = f"in_flight: 200, in_flight_per_caller: 200, request_body: 1MiB, reply_body: 1MiB, memory: {MEMORY_MIB}MiB"


class Resident:
    """Samples the broker's resident memory until the end of the block; `most` in MiB."""

    def __init__(self, stand):
        self.stand, self.most, self.ended = stand, 0, threading.Event()
        self.thread = threading.Thread(target=self._sample)

    def _sample(self):
        while not self.ended.wait(0.02):
            self.most = max(self.most, self.stand.broker.rss_kib() / 1024)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def offer(stand, request, rate, seconds):
    """The outcome. What was not served must have been refused, by the broker's own count."""
    before = stand.counters()
    outcome = load.offered(stand.doors["lmbroker"], request, rate, seconds, CONNECTIONS)
    refused = refused_between(before, stand.counters())
    if outcome.failed != sum(refused.values()):
        sys.exit(f"bench: of {outcome.calls} calls {outcome.failed} were not served and {dict(refused)} refused; see"
                 f" {stand.broker.log}")
    print(f"refused: {dict(refused)}")
    return outcome


def calls(stand, seconds):
    """Small calls, more than there are places: p99 of the refusals in ms, goodput in percent of the capacity."""
    request = load.forward_request("forward-get", "GET", "/device/devices")
    load.full(stand.doors["lmbroker"], request, 200)  # connections are made, the rate limit is learned
    before, start = stand.counters()[FORWARD_OK], time.monotonic()
    load.full(stand.doors["lmbroker"], request, 2000)
    capacity = (stand.counters()[FORWARD_OK] - before) / (time.monotonic() - start)
    outcome = offer(stand, request, TIMES * capacity, seconds)
    took = outcome.took_us / 1e6
    goodput = (outcome.calls - outcome.failed) / took
    print(f"calls: {capacity:.0f}/s are served with 64 in flight; {TIMES * capacity:.0f}/s offered on {CONNECTIONS}"
          f" connections for {seconds:g} s, ended after {took:.1f} s: {outcome.refused} of {outcome.calls} refused,"
          f" {goodput:.0f}/s served")
    return outcome.refused_p99_us / 1000, 100 * goodput / capacity


def bodies(stand, seconds):
    """Large requests, more than there is memory for: resident memory in MiB, before and at most."""
    body = b'{"filler":"' + b"x" * (BODY_KIB * 1024) + b'"}'
    request = load.forward_request("forward-bodies", "POST", "/metric/ingest", body, api="INGEST")
    before = stand.broker.rss_kib() / 1024
    with Resident(stand) as resident:
        outcome = offer(stand, request, TIMES * BODIES_A_SECOND, seconds)
    time.sleep(0.5)
    left = stand.counters()["lmbroker_body_bytes"]
    if left != 0:
        sys.exit(f"bench: no call is left, but the broker counts {left:.0f} bytes of bodies")
    print(f"bodies: {TIMES * BODIES_A_SECOND}/s of {BODY_KIB} KiB offered for {seconds:g} s: {outcome.refused} of"
          f" {outcome.calls} refused; resident {before:.0f} MiB before, {resident.most:.0f} MiB at most")
    return before, resident.most


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/overload.sh")
    parser.add_argument("--seconds", type=float, default=5, help="of each overload (default 5)")
    options = parser.parse_args()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the stand ends as well
    with OverloadStand() as stand:
        refusal_p99, goodput = calls(stand, options.seconds)
        before, most = bodies(stand, options.seconds)
    print()
    print(f"overload_refusal_p99_ms {refusal_p99:.3f}")
    print(f"overload_goodput_percent {goodput:.1f}")
    print(f"overload_rss_mib {most:.1f}")
    print(f"overload_rss_limit_mib {before + MEMORY_LIMIT_MIB:.1f}")


if __name__ == "__main__":
    main()
