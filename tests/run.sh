#!/usr/bin/env bash
# Packages, build, every test. The last line is `N passed, N failed`; the exit code is 0 only when something ran and
# nothing failed.
#
#   tests/run.sh [--preset asan|release|tsan] [--only STEP]…
#
# Steps of asan (the default): format shellcheck lint simulator unit property blackbox quickstart tsan fuzz tidy.
# Steps of release: simulator unit property blackbox quickstart. Step of tsan: unit (of the rooms).
#
# The suites are told where things are: LMBROKER_BINARIES (lmbrokerd, lmbroker), GRPCURL.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# Debian's tools, also where other versions come first on PATH: Python's gRPC is a Debian package, for one.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
# A clone in another folder finds what this one compiled.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=true
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export PYTHONDONTWRITEBYTECODE=1

grpcurl_version=v1.9.1   # the last one that Debian 12's Go builds
fuzz_seconds=3           # for each target, on the same inputs each time; to search for others is not for a change to wait for
jobs=$(nproc)
preset=asan
only=()
passed=0
failed=0

usage() {
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
  exit 2
}

while (($# > 0)); do
  case $1 in
    --preset) preset=${2:-}; shift ;;
    --only) only+=("${2:-}"); shift ;;
    *) usage ;;
  esac
  shift
done
case $preset in
  asan) steps=(format shellcheck lint simulator unit property blackbox quickstart tsan fuzz tidy) ;;
  release) steps=(simulator unit property blackbox quickstart) ;;
  tsan) steps=(unit) ;;
  *) usage ;;
esac
for step in "${only[@]}"; do
  [[ " ${steps[*]} " == *" $step "* ]] || usage
done
((${#only[@]} == 0)) || steps=("${only[@]}")
build=$root/build/$preset
logs=$build/test-logs
mkdir -p "$logs"

count() {
  passed=$((passed + $1))
  failed=$((failed + $2))
  echo "   $1 passed, $2 failed (${SECONDS} s since the start)"
}

# check NAME COMMAND…: a step that is one test. Its output is shown when it fails.
check() {
  local name=$1
  shift
  if "$@" >"$logs/$name.log" 2>&1; then
    count 1 0
  else
    cat "$logs/$name.log"
    count 0 1
  fi
}

# ctest_suite PRESET: runs every test that ctest knows, and counts what GoogleTest and ctest report. A program that ended
# without its report has failed.
ctest_suite() {
  local report=$logs/$1-ctest.xml log=$logs/$1-ctest.log halves=build/$1/gtest
  rm -rf "$report" "$halves"
  ctest --preset "$1-halves" --parallel "$jobs" --no-tests=error --output-junit "$report" >"$log" 2>&1 ||
    grep -vE '^ *(Start +[0-9]+:|[0-9]+/[0-9]+ Test .* Passed )' "$log" || true
  # shellcheck disable=SC2046  # two numbers, two arguments
  count $(python3 - "$report" "$halves" <<'PYTHON'
import pathlib, sys, xml.etree.ElementTree as xml
def cases_of(file):
    try:
        return list(xml.parse(file).iter("testcase"))
    except (OSError, xml.ParseError):
        return []
report, halves = sys.argv[1:]
cases = cases_of(report)
passed, failed = 0, not cases
for case in cases:
    name = case.get("name")
    half = pathlib.Path(halves, name + ".xml")
    bad = case.get("status") != "run" or (name.endswith((".0", ".1")) and not half.exists())
    tests = [test for test in cases_of(half) if test.get("result") == "completed"]
    wrong = sum(test.find("failure") is not None for test in tests)
    passed += len(tests) - wrong if half.exists() else not bad
    failed += max(wrong, bad)
print(int(passed), int(failed))
PYTHON
  )
}

# python_suite NAME FOLDER: runs the *_test.py of a folder and counts. The log is shown when something failed.
python_suite() {
  local log=$logs/$1.log counts=$logs/$1.counts
  rm -f "$counts"
  python3 tests/suite.py "$2" "$counts" >"$log" 2>&1 || true
  [[ -s $counts ]] || echo "0 1" >"$counts"
  grep -q ' 0$' "$counts" || cat "$log"
  # shellcheck disable=SC2046  # two numbers, two arguments
  count $(<"$counts")
}

# compile PRESET: configures and builds, once in a run. A failure is one failed test, and what needs it is left out.
declare -A compiled=()
compile() {
  if [[ -z ${compiled[$1]:-} ]]; then
    local log=$logs/$1-build.log
    echo "== build ($1)"
    # A first build is a whole one, and in large pieces it takes half the time.
    local unity=()
    [[ -e build/$1/CMakeCache.txt ]] || unity=(-DLMBROKER_UNITY=ON)
    if cmake --preset "$1" "${unity[@]}" >"$log" 2>&1 && cmake --build --preset "$1" --parallel "$jobs" >>"$log" 2>&1; then
      compiled[$1]=yes
      echo "   built (${SECONDS} s since the start)"
    else
      compiled[$1]=no
      grep -E -A 20 'error|FAILED' "$log" | head -n 200 || tail -n 50 "$log"
      count 0 1
    fi
  fi
  [[ ${compiled[$1]} == yes ]]
}

# A gRPC client that shares no code with ours: written in Go, driven by reflection or the protoset.
build_grpcurl() {
  export GRPCURL=$root/build/tools/grpcurl-$grpcurl_version
  [[ -x $GRPCURL ]] && return
  CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-trimpath GOBIN=$root/build/tools/go-bin \
    go install "github.com/fullstorydev/grpcurl/cmd/grpcurl@$grpcurl_version" &&
    mv "$root/build/tools/go-bin/grpcurl" "$GRPCURL"
}

sources() { git ls-files -z -- '*.cc' '*.h'; }
check_format() { sources | xargs -0 clang-format-19 --dry-run -Werror; }
check_shellcheck() { git ls-files -z -- '*.sh' .ci/run | xargs -0 shellcheck; }
check_tidy() {
  local literal_root log=$logs/tidy-all.log commands=$logs/tidy
  literal_root=$(sed 's/[^a-zA-Z0-9/_-]/\\&/g' <<<"$root")
  mkdir -p "$commands"
  # clang does not know every warning of g++'s.
  sed 's/ -Wno-subobject-linkage//' "$build/compile_commands.json" >"$commands/compile_commands.json"
  run-clang-tidy-19 -quiet -p "$commands" -j "$jobs" "^$literal_root/(build/[a-z]+/)?(service|client)/" >"$log" 2>&1 && return
  grep -vE '^\[ *[0-9]+/[0-9]+\]|^[0-9]+ warnings? (generated|treated)' "$log"
  return 1
}

run_step() {
  case $1 in
    format) check format check_format ;;
    shellcheck) check shellcheck check_shellcheck ;;
    lint) python_suite lint tests/lint ;;
    simulator) python_suite simulator tests/simulator ;;
    unit) ! compile "$preset" || ctest_suite "$preset" ;;
    property) ! compile "$preset" || python_suite property tests/property ;;
    blackbox)
      compile "$preset" || return 0
      build_grpcurl || echo "grpcurl could not be built: the tests that need it fail"
      with_programs python_suite blackbox tests/blackbox
      ;;
    quickstart)
      compile "$preset" || return 0
      with_programs check quickstart deploy/quickstart.sh --dir "$build/quick start" --binaries "$build"
      ;;
    tsan) ! compile tsan || ctest_suite tsan ;;
    fuzz) check fuzz tests/fuzz/run.sh "$fuzz_seconds" 1 ;;
    tidy) ! compile "$preset" || check tidy check_tidy ;;
  esac
}

# Where whole programs run.
with_programs() { LSAN_OPTIONS=suppressions=$root/tests/lsan.supp:print_suppressions=0 "$@"; }

deploy/packages.sh build test
export LMBROKER_BINARIES=$build
for step in "${steps[@]}"; do
  echo "== $step"
  run_step "$step"
done

echo
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
