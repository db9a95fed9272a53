"""Measures the broker beside nginx. README.md says what the figures mean; run.sh starts this."""

import argparse
import signal
import statistics
import sys

import load
from limits import Limits, rss_growth
from row import Row, spread
from stand import Stand

NO_ROW_WITHOUT = """\
There is no row without client certificates: they are verified in the handshake of a connection, of which there are 8; a
call on it costs the same with and without.
"""


def make_rows(stand):
    body = load.body_of_256_bytes()
    devices, ingest = "/device/devices", "/metric/ingest"
    return (
        Row("GET", stand, load.Request("get", f"/santaba/rest{devices}"),
            load.forward_request("forward-get", "GET", devices)),
        Row("ingest POST, 256 B", stand, load.Request("ingest", f"/rest{ingest}", body),
            load.forward_request("forward-ingest", "POST", ingest, body, api="INGEST")),
        Row("management POST, 256 B", stand, load.Request("management", f"/santaba/rest{devices}", body),
            load.forward_request("forward-management", "POST", devices, body), durable=True),
    )


def measure(options, rows, limits):
    for row in rows:  # connections, sessions and caches are made before the first round
        row.fill(max(options.calls // 4, 1000))
        row.forget()
    for number in range(options.rounds):
        for row in rows:
            row.measure(options, backwards=number % 2 == 1)
        limits.measure(options.calls)
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)


def report(options, rows, limits):
    print(f"{options.rounds} rounds of {options.calls} calls; medians (range)\n")
    for row in rows:
        row.report()
    print(NO_ROW_WITHOUT)
    echo = limits.echo_to_nginx(rows[1].cpu["nginx"])
    print(f"bare gRPC with the ingest POST's message: CPU {spread(limits.echo_cpu, 0)} µs,"
          f" ÷ nginx {spread(echo, 2)}")
    print(f"refusals: {spread(limits.refusals, 0)}/s; bare gRPC echo of the same message:"
          f" {spread(limits.echo_rate, 0)}/s, and {spread(limits.echo_refusals, 0)}/s when it answers with an error")
    print(f"audit: {spread(limits.pairs, 0)} pairs/s of 64 callers, CPU of a pair {spread(limits.pair_cpu, 1)} µs")


def named_values(rows, limits, growth):
    get, ingest, management = rows
    middle = statistics.median
    return {
        "ratio_echo_ingest": middle(limits.echo_to_nginx(ingest.cpu["nginx"])),
        "audit_pairs_per_second": middle(limits.pairs),
        "fdatasync_ms": middle(management.sync) / 1000,
        "added_p50_ingest_ms": middle(ingest.added(ingest.idle)),
        "added_p50_management_beyond_fdatasync_ms": middle(management.added_beyond_sync()),
        "refused_percent": 100 * sum(sum(row.refused.values()) for row in rows) / sum(row.calls for row in rows),
        "echo_refusals_to_echo": middle(limits.echo_refusals_to_echo()),
        "ratio_cpu_get": middle(get.cpu_ratios()),
        "ratio_cpu_ingest": middle(ingest.cpu_ratios()),
        "ratio_cpu_management": middle(management.cpu_ratios()),
        "added_p50_ms": middle(get.added(get.idle)),
        "added_p99_half_load_ms": middle(get.added(get.p99)),
        "refusals_to_echo": middle(limits.refusals_to_echo()),
        "rss_growth_percent": growth,
    }


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run.sh")
    parser.add_argument("--rounds", type=int, default=5, help="default 5; fewer say little")
    parser.add_argument("--calls", type=int, default=20000, help="of each load in a round (default 20000)")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each half load in a round (default 1.5)")
    parser.add_argument("--minutes", type=float, default=1, help="of full load for the memory's growth (default 1)")
    options = parser.parse_args()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the stand ends as well
    with Stand() as stand:
        rows = make_rows(stand)
        limits = Limits(stand, ingest=rows[1].forward, read=rows[0].forward)
        measure(options, rows, limits)
        report(options, rows, limits)
        growth = rss_growth(stand, rows, options.minutes, options.calls)
        print()
        for name, value in named_values(rows, limits, growth).items():
            print(f"{name} {value:.3f}")


if __name__ == "__main__":
    main()
