#!/usr/bin/env bash
# Installs the Debian 12 packages that a part of this project needs. This is the one place that names them.
#
#   deploy/packages.sh build|test|bench|image…    installs these sets; says nothing, at once, when all is there
#   deploy/packages.sh --list SET…                prints the names
set -euo pipefail

# build: what makes and runs the programs, the development certificates and the simulator.
build=(
  g++ cmake ninja-build pkg-config        # the compiler and the build
  ccache mold                             # a second build in seconds; links in tenths of one
  libgrpc++-dev libgrpc-dev               # the client library and the command line speak gRPC with it
  libprotobuf-dev protobuf-compiler protobuf-compiler-grpc  # the API's messages, and the code made from proto/
  libabsl-dev                             # Status, StatusOr, Time, hash maps
  libssl-dev                              # TLS, AES-GCM, HMAC, the locked heap for keys
  libnghttp2-dev                          # HTTP/2, with callers and with portals
  libcurl4-openssl-dev                    # makes, verifies and keeps the connections to portals
  libhttp-parser-dev zlib1g-dev           # reads HTTP/1.1 replies; unpacks gzip and deflate
  libsqlite3-dev                          # the embedded store
  libyaml-cpp-dev nlohmann-json3-dev      # configuration and policy; LM's JSON
  libcli11-dev                            # command lines
  libspdlog-dev libfmt-dev                # logs, text
  prometheus-cpp-dev libcpp-httplib-dev   # metrics, and the small HTTP listener that serves them
  libgoogle-perftools-dev                 # tcmalloc: a tenth less CPU for a forwarded call
  libgtest-dev libgmock-dev               # the build knows its tests
  ca-certificates                         # who vouches for portals
  openssl                                 # development certificates
  python3                                 # the portal simulator; nothing beyond the standard library
)

# test: what tests/run.sh uses beyond a build.
test=(
  git                                     # knows which files are the project's
  clang-format-19 clang-tidy-19           # one version, because others format and judge differently
  clang-19 libclang-rt-19-dev             # the fuzz targets: g++ has no libFuzzer
  shellcheck                              # the scripts
  python3-yaml                            # the examples in deploy/ are held against the schema
  python3-grpcio python3-protobuf         # the black-box suite speaks gRPC from Python …
  golang-go                               # … and from one that is not built on the C core: grpcurl, a Go module
  curl                                    # HTTP/2 that is not gRPC
  nginx-light                             # a portal that speaks HTTP/2
)

# bench: peers and load for tests/bench/run.sh.
bench=(
  nginx-light                             # the upstream, and the unsigned proxy to compare with
  nghttp2-client haproxy                  # h2load, and the client certificate that it lacks
  libbenchmark-dev                        # times single functions, such as a decision of the policy
)

# image: builds and opens the container image without a container engine (tests/image/run.sh).
image=(
  debootstrap                             # the base, where no image registry is reached
  buildah                                 # reads the Dockerfile
)

usage() {
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2
  exit 2
}

# Prints those of the given packages that are not installed.
missing_of() {
  local installed
  installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed //p' || true)
  comm -23 <(printf '%s\n' "$@" | sort -u) <(sort -u <<<"$installed")
}

list_only=false
if [[ ${1:-} == --list ]]; then
  list_only=true
  shift
fi
(($# > 0)) || usage
wanted=()
for set_name in "$@"; do
  case $set_name in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    bench) wanted+=("${bench[@]}") ;;
    image) wanted+=("${image[@]}") ;;
    *) usage ;;
  esac
done

if $list_only; then
  printf '%s\n' "${wanted[@]}"
  exit
fi

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  echo "deploy/packages.sh: no apt-get here. This project is built on Debian 12; elsewhere install what matches:" >&2
  printf '  %s\n' "${wanted[@]}" >&2
  exit 1
fi

mapfile -t missing < <(missing_of "${wanted[@]}")
((${#missing[@]} > 0)) || exit 0

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "deploy/packages.sh: neither root nor sudo here. As root, run: apt-get update &&" \
      "apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

# Another apt may be at work on a machine that has just started: wait for it instead of failing.
apt_get() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get --quiet --yes -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" </dev/null
}

echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
apt_get update >/dev/null
apt_get install --no-install-recommends "${missing[@]}" >/dev/null
