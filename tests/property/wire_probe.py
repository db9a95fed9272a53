"""Calls for `wire_probe`, and what it answers: the bytes that would go to the portal, or the reason of a refusal."""

from __future__ import annotations

import contextlib
import os
import random
import struct
import subprocess
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARIES = Path(os.environ.get("LMBROKER_BINARIES", ROOT / "build/asan"))

# What a run is made of; another seed is another run.
SEED = int(os.environ.get("LMBROKER_PROPERTY_SEED", "4"))
CASES = int(os.environ.get("LMBROKER_PROPERTY_CASES", "100000"))

Pairs = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Call:
    """What a caller asks for, unchecked and in bytes, and with what it is signed."""

    path: bytes
    method: str = "GET"
    api: str = "management"
    version: int = 0
    query: Pairs = field(default_factory=list)
    headers: Pairs = field(default_factory=list)
    body: bytes = b""
    scheme: str = "LMv1"
    time_ms: int = 1_700_000_000_000

    def encode(self) -> bytes:
        """For the probe."""
        words = (self.scheme, str(self.time_ms), self.api, self.method)
        parts = [word.encode() for word in words]
        parts += (self.path, b"%d" % self.version, self.body)
        for pairs in (self.query, self.headers):
            parts.append(b"%d" % len(pairs))
            for pair in pairs:
                parts += pair
        return b"".join([_with_length(part) for part in parts])


class Keys:
    """What the probe signs with: made anew for each run, in LogicMonitor's alphabet."""

    def __init__(self, rng: random.Random) -> None:
        digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        self.access_id = "".join(rng.choices(digits, k=20))
        self.access_key = "lma_" + "".join(rng.choices(digits + "{([^$%!=+)}]", k=40))
        self.bearer = "lmb_" + "".join(rng.choices(digits + "+/=", k=80))

    def encode(self) -> bytes:
        """For the probe."""
        return b"".join(_with_length(each.encode()) for each in (self.access_id, self.access_key, self.bearer))


def ask(keys: Keys, calls: Iterable[Call]) -> Iterator[bytes | str]:
    """For each call what would be sent (bytes), or the reason why it is refused (str)."""
    with subprocess.Popen([str(BINARIES / "wire_probe")], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        asking, answers = process.stdin, process.stdout
        assert asking is not None and answers is not None

        def write() -> None:
            # A probe that dies is found by its exit code.
            with contextlib.suppress(BrokenPipeError), asking:
                asking.write(keys.encode())
                for call in calls:
                    asking.write(call.encode())

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        while length := answers.read(4):
            answer = answers.read(struct.unpack("<I", length)[0])
            yield answer[1:] if answer[:1] == b"+" else answer[1:].decode()
        writer.join()
    assert process.returncode == 0, f"wire_probe ended with {process.returncode}"


def _with_length(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text
