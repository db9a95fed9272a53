"""Request bodies: from the bytes on the wire to the bytes that a client signs.

Clients sign what they had before Content-Encoding, and of a multipart upload only the file contents.
"""

from __future__ import annotations

import json
import re
import zlib
from typing import Any

from message import ApiError, Request

MOST_INFLATED = 64 << 20

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)


def inflated(request: Request) -> bytes:
    """The body without its Content-Encoding. Throws ApiError 400, 413 or 415 when that cannot be had."""
    encoding = request.header("content-encoding").strip().lower()
    if encoding in ("", "identity"):
        return request.body
    if encoding == "gzip":
        return _inflate(request.body, 16 + zlib.MAX_WBITS)
    if encoding == "deflate":  # zlib by the standard, raw deflate from some clients
        looks_like_zlib = len(request.body) >= 2 and int.from_bytes(request.body[:2], "big") % 31 == 0
        return _inflate(request.body, zlib.MAX_WBITS if looks_like_zlib else -zlib.MAX_WBITS)
    raise ApiError(415, "Unsupported Content-Encoding")


def signed(request: Request) -> bytes:
    """The bytes that the client had to sign. Throws like `inflated`."""
    if not request.body:
        return b""
    content = inflated(request)
    kind = request.header("content-type")
    if not kind.lower().startswith("multipart/"):
        return content
    boundary = _BOUNDARY.search(kind)
    if boundary is None:
        raise ApiError(400, "multipart without a boundary")
    return _files(content, boundary.group(1).encode("latin-1"))


def parse_json(request: Request) -> Any:
    """The body as JSON. Throws ApiError 400 otherwise."""
    try:
        return json.loads(inflated(request).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        # The real portal also hands out its parser's words here.
        raise ApiError(400, f"Cannot deserialize the request body: {error}") from None


def parse_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object; none at all counts as an empty one. Throws ApiError 400 otherwise."""
    value = parse_json(request) if request.body else {}
    if not isinstance(value, dict):
        raise ApiError(400, "the request body must be a JSON object")
    return value


def _inflate(data: bytes, window_bits: int) -> bytes:
    inflater = zlib.decompressobj(window_bits)
    try:
        content = inflater.decompress(data, MOST_INFLATED)
    except zlib.error:
        raise ApiError(400, "the request body is not what its Content-Encoding says") from None
    if inflater.unconsumed_tail:
        raise ApiError(413, "the request body is too large once inflated")
    if not inflater.eof or inflater.unused_data:
        raise ApiError(400, "the request body is not what its Content-Encoding says")
    return content


def _files(content: bytes, boundary: bytes) -> bytes:
    """The contents of the parts that have a file name, one behind the other."""
    files = []
    for part in (b"\r\n" + content).split(b"\r\n--" + boundary)[1:]:
        head, found, data = part.partition(b"\r\n\r\n")
        if found and b"filename" in head.lower():
            files.append(data)
    return b"".join(files)
