"""Everything that the suite has seen of the broker, and the search for keys in it (law 1).

A secret is searched as it is, in base64 at each of the three alignments (both alphabets), in hex and percent-encoded.
Besides, nothing may look like a key, whoever it belongs to, or like an Authorization value that could be used again.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

# `lma_` and `lmb_` are LogicMonitor's prefixes; a mask shows them and nothing but stars behind.
_KEY_SHAPES = {
    "an LMv1 key": re.compile(rb"lma_[^*\s\"'`<>\\,.;:/|?]{8}"),
    "a Bearer value": re.compile(rb"lmb_[A-Za-z0-9+/=_-]{4}"),
    "a signature": re.compile(rb"LMv1 [A-Za-z0-9]{8,}:[A-Za-z0-9+/=]{16,}:[0-9]{9,}"),
}


def forms_of(secret: bytes) -> dict[str, bytes]:
    """The ways in which a secret could stand in an output, by name."""
    forms = {"plain": secret, "hex": secret.hex().encode(), "HEX": secret.hex().upper().encode()}
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + secret)
        # The characters at the ends also depend on what stands beside the secret.
        first = (shift * 8 + 5) // 6
        last = (shift + len(secret)) * 8 // 6
        core = encoded[first:last]
        forms[f"base64 at {shift}"] = core
        forms[f"base64url at {shift}"] = core.replace(b"+", b"-").replace(b"/", b"_")
    escaped = quote(secret, safe="").encode()
    forms["percent"] = escaped
    forms["percent in lower case"] = re.sub(rb"%..", lambda match: match[0].lower(), escaped)
    forms["percent throughout"] = b"".join(b"%%%02X" % byte for byte in secret)
    return forms


@dataclass(eq=False)  # two that are empty are not one
class Evidence:
    """What one world has put out, and what it had to keep."""

    secrets: dict[str, bytes] = field(default_factory=dict)  # by what they are
    outputs: list[tuple[str, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        ALL.append(self)

    def keep(self, what: str, secret: str | bytes) -> None:
        """A secret that may be in no output."""
        self.secrets[what] = secret.encode() if isinstance(secret, str) else secret

    def add(self, label: str, output: str | bytes) -> None:
        """Something that came out of the broker or its tools."""
        self.outputs.append((label, output.encode() if isinstance(output, str) else output))

    def add_files(self, folder: Path, label: str) -> None:
        """Every file below a folder."""
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                self.add(f"{label} {file.relative_to(folder.parent)}", file.read_bytes())

    def leaks(self) -> Iterator[str]:
        """Each place where a secret stands, without showing it."""
        forms = [(what, form, text) for what, key in self.secrets.items() for form, text in forms_of(key).items()]
        for label, output in self.outputs:
            for what, form, text in forms:
                if text in output:
                    yield f"{label}: {what} ({form})"
            for what, shape in _KEY_SHAPES.items():
                if found := shape.search(output):
                    yield f"{label}: what looks like {what}, at byte {found.start()}"


ALL: list[Evidence] = []
