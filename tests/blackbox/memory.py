"""The memory of another process, searched for secrets."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import BinaryIO

_AT_ONCE = 16 << 20
_MOST_OF_A_MAPPING = 4 << 30
_PIECE = 16  # bytes of a secret that must not be found together


def forms_in_memory(secret: str) -> dict[str, bytes]:
    """Each stretch of a secret that is long enough to tell: plain, in base64 at each alignment, as JSON escapes it."""
    forms = {}
    for name, text in (("plain", secret.encode()), ("JSON", json.dumps(secret)[1:-1].encode())):
        for start in range(0, len(text) - _PIECE + 1, _PIECE // 2):
            forms[f"{name}, from byte {start}"] = text[start : start + _PIECE]
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + secret.encode())
        forms[f"base64 at {shift}"] = encoded[4 : 4 + _PIECE]
    return forms


def mappings(pid: int) -> Iterator[tuple[int, int, str]]:
    """Begin, end and name of each readable mapping."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        for line in maps:
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) (r\S+) \S+ \S+ \S+ *(.*)", line)
            if found and found[4] not in ("[vvar]", "[vsyscall]"):
                yield int(found[1], 16), int(found[2], 16), found[4] or "anonymous"


def is_locked(pid: int, begin: int) -> bool:
    """Whether the mapping that begins there is locked and left out of core files."""
    with open(f"/proc/{pid}/smaps", encoding="ascii") as smaps:
        text = smaps.read()
    start = text.index(f"{begin:x}-")
    flags = re.search(r"VmFlags: (.*)", text[start:])
    return flags is not None and "lo" in flags[1].split() and "dd" in flags[1].split()


def find(pid: int, secrets: list[str]) -> list[tuple[str, int]]:
    """What was found of any of the secrets: a text that says where, without the secret, and the mapping's begin."""
    forms = [(f"secret {i}, {name}", form) for i, secret in enumerate(secrets)
             for name, form in forms_in_memory(secret).items()]  # fmt: skip
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for begin, end, name in mappings(pid):
            if end - begin > _MOST_OF_A_MAPPING:
                continue  # a sanitizer's notes about memory, which are no copy of it
            for content, at in _pieces(memory, begin, end):
                for what, form in forms:
                    if (offset := content.find(form)) >= 0:
                        found.append((f"{what}, in {name} at {at + offset:#x}", begin))
    return found


def _pieces(memory: BinaryIO, begin: int, end: int) -> Iterator[tuple[bytes, int]]:
    """The mapping in pieces that overlap by a form, with the address of each."""
    for at in range(begin, end, _AT_ONCE):
        try:
            memory.seek(at)
            yield memory.read(min(_AT_ONCE + 64, end - at)), at
        except (OSError, ValueError, OverflowError):
            continue  # a guard page, or gone meanwhile
