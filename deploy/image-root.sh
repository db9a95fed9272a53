#!/usr/bin/env bash
# Lays out the root filesystem of the container image: the program, the libraries that it links, the authorities of the
# web, a user. What came from Debian packages is listed as dpkg would (var/lib/dpkg/status.d), so that scanners can tell
# what is in it, and keeps its copyright file.
#
#   deploy/image-root.sh PROGRAM ROOT
set -euo pipefail

(($# == 2)) || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
program=$1
image=$2

mkdir -p "$image"/{etc/lmbroker,etc/ssl/certs,tmp,usr/bin,usr/lib,var/lib/lmbroker,var/lib/dpkg/status.d}
ln -sfn usr/lib "$image/lib"
if [[ -d /lib64 ]]; then
  mkdir -p "$image/usr/lib64"
  ln -sfn usr/lib64 "$image/lib64"
fi
install -m 0755 -s "$program" "$image/usr/bin/lmbrokerd"

declare -A packages=([ca-certificates]=1)
# from_debian FILE: copies it, behind its symbolic links, and notes whose it is. Packages know files by either name of a
# merged /usr.
from_debian() {
  local owner
  mkdir -p "$image$(dirname "$1")"
  cp --dereference "$1" "$image$1"
  for name in "$1" "$(realpath "$1")" "/usr$1" "${1#/usr}"; do
    owner=$(dpkg-query --search "$name" 2>/dev/null | head -n 1 | cut -d: -f1) || continue
    [[ -z $owner ]] || break
  done
  [[ -z ${owner:-} ]] || packages[$owner]=1
}

# The interpreter is printed without an arrow, the kernel's own page without a path.
linked=$(ldd "$program")
! grep 'not found' <<<"$linked" || exit 1
libraries=$(sed -nE 's/^.*=> (\/[^ ]+) .*/\1/p; s/^\t(\/[^ ]+) .*/\1/p' <<<"$linked" | sort -u)
while read -r library; do
  from_debian "$library"
done <<<"$libraries"
cp /etc/ssl/certs/ca-certificates.crt "$image/etc/ssl/certs/"

echo "lmbroker:x:10001:10001:lmbroker:/var/lib/lmbroker:/usr/sbin/nologin" >"$image/etc/passwd"
echo "lmbroker:x:10001:" >"$image/etc/group"
echo "hosts: files dns" >"$image/etc/nsswitch.conf"
chown 10001:10001 "$image/var/lib/lmbroker"
chmod 0700 "$image/var/lib/lmbroker"
chmod 1777 "$image/tmp"

for package in "${!packages[@]}"; do
  dpkg-query --status "$package" >"$image/var/lib/dpkg/status.d/$package" 2>/dev/null || continue
  if [[ -f /usr/share/doc/$package/copyright ]]; then
    install -D -m 0644 "/usr/share/doc/$package/copyright" "$image/usr/share/doc/$package/copyright"
  fi
done
