"""Request and reply: the two values that every part of the simulator passes on.

A request keeps its bytes exactly as they arrived, because a signature is made over bytes. What is derived from them
(which API, which resource path) is worked out once, here.
"""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

MANAGEMENT = "/santaba/rest"
INGEST = "/rest"
CONTROL = "/_control"

Headers = list[tuple[str, str]]

# Some clients accept "host:port/account" as their company, so the portal also answers below its own name.
_ACCOUNT_PREFIX = re.compile(r"^/[A-Za-z0-9_.-]+\.(?:logicmonitor\.com|lmgov\.us|qa-lmgov\.us)(?=/)")


class ApiError(Exception):
    """A refusal in the portal's words. `code` is LogicMonitor's error code, by default 1000 + the HTTP status."""

    def __init__(self, status: int, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = 1000 + status if code is None else code


class Hangup(Exception):
    """The connection ends here, without a reply; with `reset` as a TCP RST instead of a FIN."""

    def __init__(self, reset: bool = False) -> None:
        super().__init__("hang up")
        self.reset = reset


class ClientLeft(Hangup):
    """The client closed the connection while its request was being answered."""


@dataclass(slots=True)
class Request:
    """One HTTP request. `target` and header values are Latin-1 text, so each character is one byte of the wire."""

    method: str
    target: str
    headers: Headers
    peer: str = "127.0.0.1"
    connection: int = 0
    body: bytes = b""  # after Transfer-Encoding, before Content-Encoding
    secret: str = ""  # of the token that the request claims, once the gate knows it
    path: str = field(init=False)  # the path of the target, as sent
    query_text: str = field(init=False)
    base: str = field(init=False)  # MANAGEMENT, INGEST, CONTROL or ""
    resource: str = field(init=False)  # `path` behind `base`, as sent
    _lookup: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.path, _, self.query_text = self.target.partition("?")
        self._lookup = {name.lower(): value for name, value in self.headers}
        path = self.path
        if ".us/" in path or ".com/" in path:
            path = _ACCOUNT_PREFIX.sub("", path)
        for base in (MANAGEMENT, INGEST, CONTROL):
            if path.startswith(base + "/"):
                self.base, self.resource = base, path[len(base) :]
                return
        self.base, self.resource = "", path

    def header(self, name: str, default: str = "") -> str:
        """The value of the last header of that lower-case name."""
        return self._lookup.get(name, default)

    def count(self, name: str) -> int:
        """How often the lower-case header name was sent."""
        return sum(1 for key, _ in self.headers if key.lower() == name)

    @property
    def decoded_resource(self) -> str:
        """The resource path with its percent escapes undone; bytes that are not UTF-8 become surrogates."""
        if "%" not in self.resource and self.resource.isascii():
            return self.resource
        return unquote_to_bytes(self.resource.encode("latin-1")).decode("utf-8", "surrogateescape")

    @property
    def query(self) -> dict[str, str]:
        """The decoded query; of a repeated name the last value counts."""
        return dict(parse_qsl(self.query_text, keep_blank_values=True))

    @property
    def version(self) -> int | None:
        """The API version asked for, by header or by `v`; None when neither says."""
        text = self.header("x-version") or (self.query.get("v", "") if "v=" in self.query_text else "")
        return int(text) if text in ("1", "2", "3", "4") else None


@dataclass(slots=True)
class Reply:
    """One HTTP reply. `headers` do not contain the framing, which `encode` adds."""

    status: int
    body: bytes = b""
    headers: Headers = field(default_factory=list)

    def set(self, name: str, value: str) -> None:
        """Replaces every header of that name by one."""
        self.headers = [(key, old) for key, old in self.headers if key.lower() != name.lower()]
        self.headers.append((name, value))

    def remove(self, prefix: str) -> None:
        """Takes away the headers whose names start with a lower-case prefix."""
        self.headers = [(key, value) for key, value in self.headers if not key.lower().startswith(prefix)]

    def head(self, framing: str) -> bytes:
        """The status line and headers, with `framing` (whole header lines, CRLF between them) as the last ones."""
        reason = http.client.responses.get(self.status, "Unknown")
        lines = [f"HTTP/1.1 {self.status} {reason}", *(f"{name}: {value}" for name, value in self.headers)]
        if framing:
            lines.append(framing)
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def encode(self) -> bytes:
        """The whole reply, framed honestly."""
        return self.head(f"Content-Length: {len(self.body)}") + self.body


def json_reply(status: int, value: Any) -> Reply:
    """A reply with a JSON body."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return Reply(status, body, [("Content-Type", "application/json")])
