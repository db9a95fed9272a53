#!/usr/bin/env bash
# Builds the container image without a container engine, starts the service from its root filesystem — read-only, as
# uid 10001 — and calls it. Needs root and some minutes, so tests/run.sh leaves it out.
#
#   tests/image/run.sh
#
# The base image is made by debootstrap where no image registry is reached; everything stays below build/image.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$root/build/image
base=docker.io/library/debian:bookworm-slim
image=localhost/lmbroker:test
((EUID == 0)) || { echo "tests/image/run.sh: needs root, to make a root filesystem and to enter it" >&2; exit 1; }
# What is mounted here goes with the namespace.
[[ -n ${LMBROKER_OWN_MOUNTS:-} ]] ||
  LMBROKER_OWN_MOUNTS=1 exec unshare --mount --propagation private "${BASH_SOURCE[0]}"

"$root/deploy/packages.sh" build test image
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
mkdir -p "$work"
stores=(--root "$work/store" --runroot "$work/run")
buildah() { command buildah "${stores[@]}" "$@"; }

make_base() {
  buildah inspect --type image "$base" >/dev/null 2>&1 && return
  echo "== base image, by debootstrap"
  rm -rf "$work/base"
  debootstrap --variant=minbase bookworm "$work/base" >"$work/debootstrap.log"
  rm -f "$work/base"/var/cache/apt/archives/*.deb
  local container
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$work/base" / >/dev/null
  buildah commit --quiet --rm "$container" "$base" >/dev/null
  rm -rf "$work/base"
}

# The configuration of the quick start, where the image looks for it.
lay_out() {
  rm -rf "${work:?}"/{etc,var}
  mkdir -p "$work/etc" "$work/var/"{audit,data,keys,run}
  "$root/deploy/certificates.sh" "$work/etc/tls"
  cp "$root/deploy/development/policy.yaml" "$work/etc/"
  sed -e 's/@PORTAL_PORT@/443/' -e 's#\(run\|data\|keys\|audit\)/#/var/lib/lmbroker/&#g' \
    "$root/deploy/development/lmbrokerd.yaml" >"$work/etc/lmbrokerd.yaml"
  chown -R 10001:10001 "$work/etc" "$work/var"
  mount --bind "$mounted" "$mounted"
  mount -o remount,bind,ro "$mounted"
  mount --bind "$work/etc" "$mounted/etc/lmbroker"
  mount --bind "$work/var" "$mounted/var/lib/lmbroker"
}

in_image() { exec chroot --userspec=10001:10001 "$mounted" /usr/bin/lmbrokerd "$@"; }

echo "== image"
cd "$root"
make_base
buildah bud --isolation chroot --pull-never --layers --timestamp 0 --tag "$image" . >"$work/build.log" 2>&1 ||
  { tail -n 50 "$work/build.log"; exit 1; }
container=$(buildah from --pull-never "$image")
mounted=$(buildah mount "$container")
echo "$(du -sm "$mounted" | cut -f1) MB, $(find "$mounted" -name '*.so*' | wc -l) libraries, built in $SECONDS s"

stop() {
  [[ -z ${broker:-} ]] || kill "$broker" 2>/dev/null || true
  umount -R "$mounted" 2>/dev/null || true
  buildah rm "$container" >/dev/null
}
trap stop EXIT

echo "== service"
lay_out
(in_image keyring init /var/lib/lmbroker/keys/keyring.json)
(in_image --config /etc/lmbroker/lmbrokerd.yaml --check)
in_image --config /etc/lmbroker/lmbrokerd.yaml </dev/null >"$work/lmbrokerd.log" 2>&1 &
broker=$!
python3 tests/image/call.py "$work" "$broker" || { cat "$work/lmbrokerd.log"; exit 1; }
kill -TERM "$broker"
wait "$broker"
broker=
echo "The service answered from the image and ended with exit code 0 ($SECONDS s)."
