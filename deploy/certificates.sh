#!/usr/bin/env bash
# Makes development certificates: EC P-256, valid for 30 days. Not for production, where a CA of yours issues them.
#
#   deploy/certificates.sh DIR
#
# DIR/ca.{crt,key}                  issues and trusts the broker's certificate and its callers'
# DIR/server.{crt,key}              the broker, at localhost
# DIR/operator.{crt,key}            dns:ops.corp.example
# DIR/inventory.{crt,key}           spiffe://corp.example/ns/inventory/sa/app
# DIR/stranger.{crt,key}            spiffe://corp.example/ns/stranger/sa/app
# DIR/portal-ca.{crt,key}           issues and trusts the simulated portal's
# DIR/portal.{crt,key}              acme.logicmonitor.com
#
# What is there already under these names is replaced.
set -euo pipefail
umask 077

if (($# != 1)); then
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
if ! command -v openssl >/dev/null; then
  echo "deploy/certificates.sh: no openssl here; deploy/packages.sh build installs it" >&2
  exit 1
fi

mkdir -p -- "$1"
out=$(cd -- "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
days=30

# authority NAME COMMON_NAME
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -sha256 -days "$days" \
    -keyout "$out/$1.key" -out "$out/$1.crt" -subj "/CN=$2" \
    -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
}

# leaf AUTHORITY NAME USAGE ALTERNATIVE_NAMES: the names alone identify it; the subject is for people.
leaf() {
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc \
    -keyout "$out/$2.key" -out "$work/$2.csr" -subj "/CN=lmbroker development $2" 2>/dev/null
  cat >"$work/$2.ext" <<EXTENSIONS
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = $3
subjectAltName = $4
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
EXTENSIONS
  openssl x509 -req -sha256 -days "$days" -in "$work/$2.csr" -extfile "$work/$2.ext" \
    -CA "$out/$1.crt" -CAkey "$out/$1.key" -CAserial "$work/$1.srl" -CAcreateserial -out "$out/$2.crt" 2>/dev/null
}

authority ca "lmbroker development CA"
leaf ca server serverAuth "DNS:localhost,IP:127.0.0.1,IP:::1"
leaf ca operator clientAuth "DNS:ops.corp.example"
leaf ca inventory clientAuth "URI:spiffe://corp.example/ns/inventory/sa/app"
leaf ca stranger clientAuth "URI:spiffe://corp.example/ns/stranger/sa/app"

authority portal-ca "lmbroker development portal CA"
leaf portal-ca portal serverAuth "DNS:acme.logicmonitor.com,DNS:localhost,IP:127.0.0.1"
