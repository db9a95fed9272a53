#!/usr/bin/env bash
# Ten times what the broker can serve: how fast the rest is refused, how much is still served, and what memory it takes;
# README.md says how to read it. Loopback only; half a minute. Never part of CI, for the reasons of run.sh.
#
#   tests/bench/overload.sh [--seconds S]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
"$root/deploy/packages.sh" build bench
(cd "$root" && cmake --preset release -DLMBROKER_BENCH=ON --log-level=WARNING >/dev/null &&
  cmake --build --preset release --target lmbrokerd lmbroker bench --parallel "$(nproc)" >/dev/null)
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
exec python3 "$root/tests/bench/overload.py" "$@"
