#!/usr/bin/env bash
# Builds the fuzz targets and runs each, as many at once as there are processors. The exit code is 0 when all held.
#
#   tests/fuzz/run.sh [SECONDS] [SEED]
#
# SECONDS for each target, 60 unless given; with a SEED it looks at the same inputs again, else at others each time.
# Every run begins with corpus/TARGET and with what earlier runs have learned (build/fuzz/corpus). An input that broke a
# promise is left in build/fuzz/found/: repair, and put it into corpus/TARGET under a name that says what it is.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=true
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export SECONDS_EACH=${1:-60} SEED=${2:-0}
if ! [[ $SECONDS_EACH =~ ^[1-9][0-9]*$ && $SEED =~ ^[0-9]+$ ]]; then
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
  exit 2
fi

mkdir -p build/fuzz/found
build_log=build/fuzz/build.log
if ! { cmake --preset fuzz && cmake --build --preset fuzz --parallel "$(nproc)"; } >"$build_log" 2>&1; then
  grep -E -A 20 'error|FAILED' "$build_log" | head -n 100 || tail -n 50 "$build_log"
  exit 1
fi

# fuzz TARGET: its last line is how much it has seen. Says all when something was found.
fuzz() {
  local target=$1 log=build/fuzz/$1.log
  mkdir -p "build/fuzz/corpus/$target"
  if "build/fuzz/tests/fuzz/${target}_fuzz" -max_total_time="$SECONDS_EACH" -seed="$SEED" -max_len=4096 -timeout=10 \
    -rss_limit_mb=1024 -artifact_prefix="build/fuzz/found/$target-" \
    "build/fuzz/corpus/$target" "tests/fuzz/corpus/$target" >"$log" 2>&1; then
    echo "$target: $(tail -n 1 "$log")"
  else
    echo "$target failed:"
    cat "$log"
    return 1
  fi
}
export -f fuzz

# shellcheck disable=SC2016  # expanded by the inner shell
find tests/fuzz/corpus -mindepth 1 -maxdepth 1 -type d -printf '%f\0' |
  xargs -0 -n 1 -P "$(nproc)" bash -c 'fuzz "$1"' fuzz
