#!/usr/bin/env bash
# What a forwarded call costs: CPU of the broker ÷ CPU of nginx as an unsigned proxy, in interleaved rounds of one run,
# and the latency that each adds when idle. Loopback only, bounded by counts; about three minutes. Never part of CI:
# figures from a machine that does something else as well are worth nothing.
#
#   tests/bench/run.sh [--rounds N] [--calls N] [--method GET|POST]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
"$root/deploy/packages.sh" bench
"$root/deploy/quickstart.sh" --build-only >/dev/null
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
exec python3 "$root/tests/bench/measure.py" "$@"
