"""The requests that were seen, for tests to ask about. Bounded: the oldest ones are forgotten."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from message import Request

_KEPT = 20000
_EXCERPT_BYTES = 4096


@dataclass(slots=True)
class Entry:
    """One request, from the moment its head was read."""

    number: int
    request: Request
    server_name: str = ""  # of the TLS connection (SNI)
    verdict: str = ""  # the gate's; "" when the request did not come so far
    access_id: str = ""  # as claimed
    status: int = 0  # of the reply; 0 = none
    committed: bool = False  # whether the portal carried it out
    aborted: bool = False  # whether the client left before the answer
    faults: list[str] = field(default_factory=list)
    time: float = field(default_factory=time.time)
    body_length: int = 0
    body_sha256: str = ""
    body_excerpt: bytes = b""

    def set_body(self, body: bytes) -> None:
        """Notes the body: its length and hash, and its beginning."""
        self.body_length = len(body)
        self.body_sha256 = hashlib.sha256(body).hexdigest()
        self.body_excerpt = body[:_EXCERPT_BYTES]

    def to_json(self) -> dict[str, Any]:
        """As the control API shows it."""
        return {
            "seq": self.number,
            "time": self.time,
            "connection": self.request.connection,
            "serverName": self.server_name,
            "method": self.request.method,
            "target": self.request.target,
            "path": unquote(self.request.path, errors="replace"),
            "headers": self.request.headers,
            "bodyLength": self.body_length,
            "bodySha256": self.body_sha256,
            "body": self.body_excerpt.decode("utf-8", "replace"),
            "accessId": self.access_id,
            "verdict": self.verdict,
            "status": self.status,
            "committed": self.committed,
            "aborted": self.aborted,
            "faults": self.faults,
        }


class Recorder:
    """All requests since the start or the last `clear`. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque(maxlen=_KEPT)
        self._total = 0

    def begin(self, request: Request, server_name: str) -> Entry:
        """A new entry, to be filled in by the caller as the request goes on."""
        with self._lock:
            self._total += 1
            entry = Entry(self._total, request, server_name)
            self._entries.append(entry)
            return entry

    def clear(self) -> None:
        """Forgets all entries; the numbers go on."""
        with self._lock:
            self._entries.clear()

    def to_json(self, since: int = 0) -> dict[str, Any]:
        """The entries with a number above `since`, and how many requests there were in all."""
        with self._lock:
            chosen = [entry for entry in self._entries if entry.number > since]
            return {"total": self._total, "requests": [entry.to_json() for entry in chosen]}
