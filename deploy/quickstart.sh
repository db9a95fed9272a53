#!/usr/bin/env bash
# From a fresh Debian 12 to a running broker: packages, build, development certificates, a simulated LogicMonitor
# portal, the broker, and then its main job step by step, each with the command typed and its answer. Stops what it
# started, and exits non-zero when a step did not answer as it should.
#
#   deploy/quickstart.sh [--dir DIR] [--keep]     DIR: all that it makes (default: build/quickstart)
#   deploy/quickstart.sh [--dir DIR] --stop       ends what --keep left running
#   deploy/quickstart.sh --build-only             packages and build: build/release/lmbrokerd, build/release/lmbroker
#
# --keep          leaves both running; `. DIR/env` makes lmbroker an operator there, DIR/callers has two more identities
# --binaries DIR  takes the programs from there instead of building them
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dir=$root/build/quickstart
binaries=
mode=run

usage() {
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
  exit 2
}

while (($# > 0)); do
  case $1 in
    --dir | --binaries)
      [[ -n ${2:-} ]] || usage
      declare "${1#--}=$(realpath -m -- "$2")"
      shift
      ;;
    --keep) mode=keep ;;
    --stop) mode=stop ;;
    --build-only) mode=build ;;
    *) usage ;;
  esac
  shift
done

# ---------------------------------------------------------------------------------------------- what is shown, and how

bold='' plain=''
[[ ! -t 1 ]] || { bold=$'\e[1m' plain=$'\e[0m'; }

step() { printf '\n%s== %s%s\n' "$bold" "$1" "$plain"; }

fail() {
  printf 'quickstart: %s\n' "$1" >&2
  exit 1
}

# The words as one would type them.
typed() {
  local word text=
  for word in "$@"; do
    [[ $word =~ ^[A-Za-z0-9_@%+=:,./*-]+$ ]] || word="'$word'"
    text+=" $word"
  done
  printf '%s\n' "${text# }"
}

answer=
# expect EXIT PATTERN COMMAND…: shows the command and its answer, and ends the script unless exit code and answer fit.
expect() {
  local code=0 wanted_code=$1 pattern=$2
  shift 2
  printf '%s$ %s%s\n' "$bold" "$(typed "$@")" "$plain"
  answer=$("$@" 2>&1) || code=$?
  [[ -z $answer ]] || printf '%s\n' "$answer"
  ((code == wanted_code)) || fail "that should have ended with exit code $wanted_code, not $code"
  [[ $answer =~ $pattern ]] || fail "the answer should have matched: $pattern"
}

# ------------------------------------------------------------------------------------------------------ both processes

# ours PID: whether it still is a process that a run in this directory started; pids are used again.
ours() {
  [[ -n ${1:-} && -r /proc/$1/cmdline ]] && tr '\0' '\n' <"/proc/$1/cmdline" | grep -qF -- "$dir/"
}

# stop PID: asks it to end, then waits longer than the broker takes to drain; only what hangs is killed.
stop() {
  ours "$1" || return 0
  kill -TERM "$1" 2>/dev/null || return 0
  for _ in $(seq 300); do
    ours "$1" || return 0
    sleep 0.1
  done
  kill -KILL "$1" 2>/dev/null || true
}

# stop_kept: ends what an earlier run with --keep left behind.
stop_kept() {
  [[ -f $dir/env ]] || return 1
  # shellcheck disable=SC1091,SC2153  # made by an earlier run, which set these
  (. "$dir/env" && stop "$LMBROKER_PID" && stop "$SIMULATOR_PID")
  rm -f "$dir/env"
}

# wait_for FILE PID LOG: until the process has written the file.
wait_for() {
  for _ in $(seq 300); do
    [[ ! -s $1 ]] || return 0
    kill -0 "$2" 2>/dev/null || break
    sleep 0.1
  done
  cat "$3" >&2
  fail "$(basename "$3" .log) did not start"
}

broker_pid='' simulator_pid=''
stop_started() {
  [[ -z $broker_pid ]] || stop "$broker_pid"
  [[ -z $simulator_pid ]] || stop "$simulator_pid"
}

# ------------------------------------------------------------------------------------------------------------ the parts

build() {
  "$root/deploy/packages.sh" build
  step "Build"
  (cd "$root" && cmake --preset release --log-level=WARNING >/dev/null &&
    cmake --build --preset release --target lmbrokerd lmbroker --parallel "$(nproc)")
  binaries=$root/build/release
}

# Everything in DIR that a run makes is made anew; whatever else is there is left alone. Goes on in DIR.
lay_out() {
  umask 077
  mkdir -p "$dir"
  cd "$dir"
  rm -rf audit callers data env keys lmbrokerd.yaml logs policy.yaml run simulator tls
  mkdir audit callers data keys logs run simulator
  "$root/deploy/certificates.sh" tls
  mv tls/{inventory,stranger}.{crt,key} callers/
  mv tls/portal.{crt,key} simulator/
}

start_simulator() {
  setsid python3 "$root/tests/simulator/simulator.py" --port 0 --port-file "$dir/simulator/port" \
    --certificate simulator/portal.crt --key simulator/portal.key --state simulator/state.json \
    >logs/simulator.log 2>&1 &
  simulator_pid=$!
  wait_for simulator/port "$simulator_pid" logs/simulator.log
  portal_port=$(<simulator/port)
  echo "portal acme answers on https://127.0.0.1:$portal_port"
}

start_broker() {
  cp "$root/deploy/development/policy.yaml" policy.yaml
  sed "s/@PORTAL_PORT@/$portal_port/" "$root/deploy/development/lmbrokerd.yaml" >lmbrokerd.yaml
  expect 0 '' lmbrokerd keyring init keys/keyring.json
  expect 0 '' lmbrokerd --config lmbrokerd.yaml --check
  printf '%s$ lmbrokerd --config %s &%s\n' "$bold" "$(typed "$dir/lmbrokerd.yaml")" "$plain"
  setsid lmbrokerd --config "$dir/lmbrokerd.yaml" >logs/lmbrokerd.log 2>&1 &
  broker_pid=$!
  wait_for run/address "$broker_pid" logs/lmbrokerd.log
  wait_for run/ops-address "$broker_pid" logs/lmbrokerd.log
  echo "listening on $(<run/address)"
}

write_env() {
  {
    printf 'export LMBROKER_ADDRESS=%q\n' "$(<run/address)"
    printf 'export LMBROKER_CA=%q\n' "$dir/tls/ca.crt"
    printf 'export LMBROKER_CERT=%q\n' "$dir/tls/operator.crt"
    printf 'export LMBROKER_KEY=%q\n' "$dir/tls/operator.key"
    printf 'export LMBROKER_TOKEN_FILE=\n'
    printf 'export SIMULATOR_URL=%q\n' "https://127.0.0.1:$portal_port"
    printf 'export LMBROKER_OPS_ADDRESS=%q\n' "$(<run/ops-address)"
    printf 'export LMBROKER_PID=%q\n' "$broker_pid"
    printf 'export SIMULATOR_PID=%q\n' "$simulator_pid"
  } >"env"
}

# of_master FIELD: from the simulator's state file, the way an administrator would copy it from the portal's page.
of_master() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["master"][sys.argv[2]], end="")' \
    simulator/state.json "$1"
}

# token_of ANSWER: the short name of the token that it speaks of.
token_of() {
  local names
  names=$(grep -oE '\bacme/[0-9]+/[0-9]+\b' <<<"$1" | sort -u)
  [[ -n $names && $names != *$'\n'* ]] || fail "the answer should have named one token"
  printf '%s' "$names"
}

show_audit() {
  python3 - audit/audit.jsonl <<'PYTHON'
import json, sys

columns = ("kind", "caller", "method", "resource", "decision", "reason", "http_status", "rule")
records = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
rows = [[column.upper() for column in columns]]
for record in records:
    if record["kind"] in ("intent", "outcome", "refusals"):
        record["method"] = record.get("method", "").rpartition("/")[2]
        record["resource"] = record.get("resource") or f"{record.get('http_method', '')} {record.get('path', '')}".strip()
        rows.append([str(record.get(column) or "-") for column in columns])
widths = [max(len(row[index]) for row in rows) for index in range(len(columns))]
for row in rows:
    print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
PYTHON
}

# in_audit KIND CALLER METHOD DECISION-OR-REASON: whether a record says so. Reads reach the disk within a second.
in_audit() {
  local line
  for _ in $(seq 30); do
    line=$(show_audit | grep -E "^$1 +$2 +$3 .* $4( |$)" || true)
    [[ -z $line ]] || return 0
    sleep 0.1
  done
  fail "the audit log should have had an $1 of $3 by $2 with $4"
}

# -------------------------------------------------------------------------------------------------------- the main job

main_job() {
  local lmv1 bearer
  local inventory=(--cert callers/inventory.crt --key callers/inventory.key)
  local stranger=(--cert callers/stranger.crt --key callers/stranger.key)

  step "The master key, with which the broker manages tokens, goes in once; it is read from standard input"
  expect 0 'acme/acme-root' lmbroker credential import acme/acme-root --type lmv1 \
    --access-id "$(of_master accessId)" --master < <(of_master accessKey)
  expect 0 'WORKS' lmbroker credential probe acme/acme-root

  step "An LMv1 token, whose key never leaves the broker"
  expect 0 'BROKER.*acme/inventory-reader' lmbroker token create acme/34 --note 'inventory: reads devices' \
    --credential-id inventory-reader
  lmv1=$(token_of "$answer")

  step "A Bearer token"
  expect 0 'BEARER.*BROKER' lmbroker token create acme/34 --type bearer --note 'inventory: spare'
  bearer=$(token_of "$answer")

  step "Both are listed"
  expect 0 "$lmv1 " lmbroker token list acme/34
  [[ $answer == *"$bearer "* ]] || fail "the Bearer token should have been listed"

  step "One is toggled off and on"
  expect 0 'DISABLED' lmbroker token disable "$lmv1"
  expect 0 'ENABLED' lmbroker token enable "$lmv1"

  step "The caller inventory lists devices with it, and never sees a key"
  expect 0 '"displayName"' \
    lmbroker "${inventory[@]}" forward acme GET /device/devices --query size=2 --query fields=id,displayName

  step "The caller stranger has a good certificate and no grant"
  expect 1 'NO_GRANT' lmbroker "${stranger[@]}" forward acme GET /device/devices
  expect 0 'allowed +no' lmbroker explain spiffe://corp.example/ns/stranger/sa/app forward acme GET /device/devices

  step "A call with a disabled token fails"
  expect 0 'DISABLED' lmbroker token disable "$lmv1"
  expect 1 'CREDENTIAL_DISABLED' lmbroker "${inventory[@]}" forward acme GET /device/devices

  step "Both tokens are deleted"
  expect 0 '' lmbroker token delete "$lmv1"
  expect 0 '' lmbroker token delete "$bearer"
  expect 0 '' lmbroker token list acme/34
  [[ $answer != *"$lmv1 "* && $answer != *"$bearer "* ]] || fail "a deleted token is still listed"
}

audit_of_it() {
  step "What the audit log says of all that: $dir/audit/audit.jsonl"
  in_audit outcome operators ImportCredential allowed
  in_audit outcome operators CreateToken allowed
  in_audit outcome inventory Forward 200
  in_audit outcome - Forward NO_GRANT
  in_audit outcome inventory Forward CREDENTIAL_DISABLED
  in_audit outcome operators DeleteToken allowed
  show_audit
  if of_master accessKey | grep -rqFf - audit data keys logs; then
    fail "the master key stands in clear in a file of the broker"
  fi
  echo
  echo "The master key stands in clear in no file of the broker: not in the database, not in a log, not in these lines."
}

if [[ $mode == stop ]]; then
  stop_kept || echo "Nothing was kept running in $dir."
  exit
fi
[[ -n $binaries ]] || build
[[ $mode != build ]] || exit 0
[[ -x $binaries/lmbrokerd && -x $binaries/lmbroker ]] || fail "no lmbrokerd and lmbroker in $binaries"
export PATH=$binaries:$PATH
exec </dev/null

! stop_kept || echo "Stopped what an earlier run had kept in $dir."
trap stop_started EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

step "Certificates for this machine, a simulated portal, and the broker"
lay_out
start_simulator
start_broker
write_env
# shellcheck disable=SC1091  # just written
. ./env
expect 0 'acme' lmbroker status
main_job
audit_of_it

if [[ $mode == keep ]]; then
  trap - EXIT
  step "Both are left running"
  echo "Go on with:  export PATH=$(typed "$binaries"):\$PATH; . $(typed "$dir/env"); lmbroker token list acme"
  echo "End them:    deploy/quickstart.sh --dir $(typed "$dir") --stop"
else
  rm -f env
  stop "$broker_pid"
  code=0
  wait "$broker_pid" || code=$?
  broker_pid=
  ((code == 0)) || fail "the broker ended with exit code $code; its log is $dir/logs/lmbrokerd.log"
  step "Done: everything answered as it should, and both have been stopped"
fi
