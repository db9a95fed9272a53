"""The contract's rules for paths and queries once more, written from its words (contract, section 2) and from RFC 3986,
with Python's decoders: it knows nothing of the service's code.

Each gives what stands on the wire, or None for what is refused.
"""

from __future__ import annotations

import unicodedata
from urllib.parse import quote

_MOST_PATH = 2 << 10
_MOST_PAIRS = 100
_MOST_QUERY = 8 << 10
_FORBIDDEN = frozenset("%?#;\\")


def wire_path(path: bytes) -> str | None:
    """Literal UTF-8 without `%`, `?`, `#`, `;`, `\\`, control characters, empty segments, `.` and `..`."""
    text = _utf8(path)
    if text is None or len(path) > _MOST_PATH or not text.startswith("/"):
        return None
    if any(char in _FORBIDDEN or unicodedata.category(char) == "Cc" for char in text):
        return None
    if not {"", ".", ".."}.isdisjoint(text[1:].split("/")):
        return None
    return _encoded(path, keep="/")


def wire_query(pairs: list[tuple[bytes, bytes]]) -> str | None:
    """Decoded UTF-8 pairs in their order; a pair has a name, which is not `v`, and NUL is in none."""
    if len(pairs) > _MOST_PAIRS:
        return None
    for name, value in pairs:
        if name in (b"", b"v") or b"\0" in name + value or _utf8(name) is None or _utf8(value) is None:
            return None
    query = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in pairs)
    return query if len(query) <= _MOST_QUERY else None


def _utf8(text: bytes) -> str | None:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _encoded(text: bytes, keep: str = "") -> str:
    return quote(text, safe="-._~" + keep)
