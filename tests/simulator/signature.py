"""The LMv1 signature, as LogicMonitor's documentation and its own clients define it.

    epoch     = Unix time in milliseconds, decimal ASCII
    to_sign   = METHOD || epoch || BODY || RESOURCE_PATH
    signature = base64(lower-case hex(HMAC-SHA256(access key, to_sign)))
    header    = Authorization: LMv1 <accessId>:<signature>:<epoch>

RESOURCE_PATH has neither `/santaba/rest` nor `/rest` in front and no query behind. This file is the oracle of the
broker's tests: it is written from the documentation and shares nothing with the service.
"""

from __future__ import annotations

import base64
import hmac
import re
import time
from typing import NamedTuple

_LMV1 = re.compile(r"LMv1 ([A-Za-z0-9]+):([A-Za-z0-9+/]+={0,2}):([0-9]{1,19})")


class Lmv1(NamedTuple):
    """The three fields of an LMv1 header."""

    access_id: str
    signature: str
    epoch: str


def string_to_sign(method: str, epoch: str, body: bytes, path: bytes) -> bytes:
    """The bytes under the HMAC."""
    return method.encode("latin-1") + epoch.encode("ascii") + body + path


def sign(key: str, method: str, epoch: str, body: bytes, path: bytes) -> str:
    """The signature field of the header."""
    mac = hmac.digest(key.encode("utf-8"), string_to_sign(method, epoch, body, path), "sha256")
    return base64.b64encode(mac.hex().encode("ascii")).decode("ascii")


def authorization(access_id: str, key: str, method: str, path: str, body: bytes = b"", epoch_ms: int = 0) -> str:
    """A whole header value, for tests and tools. `path` is decoded; `epoch_ms` 0 means now."""
    epoch = str(epoch_ms or int(time.time() * 1000))
    return f"LMv1 {access_id}:{sign(key, method, epoch, body, path.encode('utf-8'))}:{epoch}"


def parse_lmv1(value: str) -> Lmv1 | None:
    """The fields of an Authorization value, or None when it is not exactly an LMv1 one."""
    match = _LMV1.fullmatch(value)
    return Lmv1(*match.groups()) if match else None


def verify(given: Lmv1, key: str, method: str, body: bytes, paths: list[bytes]) -> bool:
    """Whether the signature is right for the body and one of the accepted forms of the path."""
    return any(hmac.compare_digest(sign(key, method, given.epoch, body, path), given.signature) for path in paths)
