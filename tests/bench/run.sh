#!/usr/bin/env bash
# What a forwarded call costs beside nginx as an unsigned proxy, in interleaved rounds of one run; README.md says how to
# read it. Loopback only; about six minutes. Never part of CI: figures from a machine that does something else as well
# are worth nothing.
#
#   tests/bench/run.sh [--rounds N] [--calls N] [--seconds S] [--minutes M]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
"$root/deploy/packages.sh" build bench
(cd "$root" && cmake --preset release -DLMBROKER_BENCH=ON --log-level=WARNING >/dev/null &&
  cmake --build --preset release --target lmbrokerd lmbroker bench --parallel "$(nproc)" >/dev/null)
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
exec python3 "$root/tests/bench/measure.py" "$@"
