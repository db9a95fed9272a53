"""Service account tokens as a Kubernetes API server issues them, made with OpenSSL's command line."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

ISSUER = "https://kubernetes.default.svc"
AUDIENCE = "lmbroker"


def base64url(data: bytes) -> str:
    """Without padding, as everywhere in a token."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


class TokenKey:
    """A key of an issuer: `kind` is RS256 or ES256."""

    def __init__(self, folder: Path, key_id: str, kind: str = "RS256") -> None:
        self.key_id = key_id
        self.kind = kind
        self.file = folder / f"{key_id}.pem"
        options = ["rsa_keygen_bits:2048"] if kind == "RS256" else ["ec_paramgen_curve:P-256"]
        algorithm = "RSA" if kind == "RS256" else "EC"
        _openssl("genpkey", "-algorithm", algorithm, "-pkeyopt", *options, "-out", str(self.file))

    @property
    def jwk(self) -> dict[str, str]:
        """What the issuer publishes of it."""
        common = {"use": "sig", "kid": self.key_id, "alg": self.kind}
        if self.kind == "RS256":
            modulus = _openssl("rsa", "-in", str(self.file), "-noout", "-modulus").decode("ascii").strip()
            return common | {"kty": "RSA", "e": "AQAB", "n": base64url(bytes.fromhex(modulus.partition("=")[2]))}
        point = _openssl("pkey", "-in", str(self.file), "-pubout", "-outform", "DER")[-64:]
        return common | {"kty": "EC", "crv": "P-256", "x": base64url(point[:32]), "y": base64url(point[32:])}

    @property
    def public_pem(self) -> bytes:
        """What an attacker of HS256 would take for a secret."""
        return _openssl("pkey", "-in", str(self.file), "-pubout")

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """A token with these claims; `header` is laid over the one that Kubernetes writes."""
        head = {"alg": self.kind, "kid": self.key_id} | header
        message = f"{base64url(json.dumps(head).encode())}.{base64url(json.dumps(claims).encode())}"
        signature = _openssl("dgst", "-sha256", "-sign", str(self.file), stdin=message.encode())
        if self.kind == "ES256":
            signature = _raw_of(signature)
        return f"{message}.{base64url(signature)}"


def jwks(*keys: TokenKey) -> str:
    """The key set of these."""
    return json.dumps({"keys": [key.jwk for key in keys]})


def claims(namespace: str = "inventory", account: str = "app", **over: Any) -> dict[str, Any]:
    """Of a token that is good for an hour; None leaves a claim out."""
    now = int(time.time())
    usual: dict[str, Any] = {
        "iss": ISSUER,
        "aud": [AUDIENCE],
        "sub": f"system:serviceaccount:{namespace}:{account}",
        "exp": now + 3600,
        "iat": now,
        "nbf": now,
        "jti": "9a0f1b60-7d9e-4c55-9c1b-5d2a8f1f0001",
        "kubernetes.io": {
            "namespace": namespace,
            "serviceaccount": {"name": account, "uid": f"uid-of-{account}"},
            "pod": {"name": f"{account}-0", "uid": f"uid-of-{account}-0"},
        },
    }
    return {name: value for name, value in (usual | over).items() if value is not None}


def _raw_of(der: bytes) -> bytes:
    """The two numbers of an ECDSA signature, 32 bytes each: SEQUENCE { INTEGER, INTEGER }."""
    numbers, at = [], 2
    for _ in range(2):
        length = der[at + 1]
        numbers.append(der[at + 2 : at + 2 + length].lstrip(b"\0").rjust(32, b"\0"))
        at += 2 + length
    return b"".join(numbers)


def _openssl(*arguments: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=True)
    return re.sub(rb"^read EC key\n", b"", done.stdout)
