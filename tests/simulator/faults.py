"""Faults: which misbehaviour is on, and for which requests.

A fault is a mode (fault_modes.py) with values for the mode's own parameters, and five that every mode has:

    method=GET         only requests of this method
    path=/a/*          only requests whose path, decoded, matches; with or without `/santaba/rest` or `/rest` in
                       front; `*` also stands for slashes
    access_id=ID       only requests that claim this access id (LMv1 only)
    skip=N             not the first N matching requests
    count=N            the next N matching ones only; without it all

On the command line: `--fault NAME,KEY=VALUE,…`; for the control API the same as a JSON object with `name`.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Protocol
from urllib.parse import unquote

from message import Reply, Request

Parameters = dict[str, Any]


class Stage(enum.Enum):
    """When a mode acts. Faults of several stages may hit one request; of WIRE and INSTEAD the first one counts."""

    ACCEPT = "as soon as a connection is accepted"
    HEAD = "when the request's head is read, before its body"
    INSTEAD = "in place of the portal's reply; with commit=1 the portal has carried out the request before"
    REPLY = "on the portal's finished reply"
    WIRE = "while the reply is sent"


class Wire(Protocol):
    """What a WIRE mode may do to the connection."""

    def send(self, data: bytes) -> None:
        """Sends all of it at once."""

    def wait(self, seconds: float) -> None:
        """Waits, but notices a client that leaves and a simulator that ends. Throws Hangup then."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to misbehave. The types of the defaults are the types of the parameters."""

    name: str
    stage: Stage
    help: str
    defaults: Mapping[str, Any]
    act: Callable[..., Any]


@dataclass(slots=True)
class Fault:
    """A mode that is switched on."""

    mode: Mode
    values: Parameters
    method: str = ""
    path: str = ""
    access_id: str = ""
    skip: int = 0
    count: int = 0
    seen: int = 0  # matching requests so far
    number: int = 0

    def to_json(self) -> dict[str, Any]:
        """As the control API shows it."""
        common = {name: getattr(self, name) for name in _COMMON}
        return {"id": self.number, "name": self.mode.name, "seen": self.seen} | common | self.values

    def takes(self, request: Request | None) -> bool:
        """Whether it hits this request (None: a connection without one yet). Counts it."""
        if request is not None and not self._matches(request):
            return False
        self.seen += 1
        return self.seen > self.skip and (self.count == 0 or self.seen <= self.skip + self.count)

    def _matches(self, request: Request) -> bool:
        if self.method and request.method != self.method:
            return False
        if self.access_id and not request.header("authorization").startswith(f"LMv1 {self.access_id}:"):
            return False
        if not self.path:
            return True
        return fnmatchcase(unquote(request.path), self.path) or fnmatchcase(request.decoded_resource, self.path)


_COMMON: dict[str, type] = {"method": str, "path": str, "access_id": str, "skip": int, "count": int}


@dataclass
class FaultTable:
    """All faults that are on. Thread-safe."""

    modes: Mapping[str, Mode]
    _faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _numbers: int = 0

    def add(self, given: Mapping[str, Any]) -> Fault:
        """Switches one on. Throws ValueError with a sentence that names the wrong field."""
        fault = _make(self.modes, given)
        with self._lock:
            self._numbers += 1
            fault.number = self._numbers
            self._faults.append(fault)
        return fault

    def remove(self, number: int | None = None) -> None:
        """Switches one off, or all."""
        with self._lock:
            self._faults = [fault for fault in self._faults if number not in (None, fault.number)]

    def to_json(self) -> list[dict[str, Any]]:
        """As the control API shows them."""
        with self._lock:
            return [fault.to_json() for fault in self._faults]

    def on_accept(self) -> bool:
        """Whether a new connection ends at once."""
        if not self._faults:
            return False
        with self._lock:
            accept = [fault for fault in self._faults if fault.mode.stage is Stage.ACCEPT]
            return any([fault.takes(None) for fault in accept])

    def hitting(self, request: Request) -> list[Fault]:
        """The faults that hit a request, in the order in which they were switched on. Counts it."""
        if not self._faults:
            return []
        with self._lock:
            of_requests = [fault for fault in self._faults if fault.mode.stage is not Stage.ACCEPT]
            return [fault for fault in of_requests if fault.takes(request)]


def parse(text: str) -> dict[str, str]:
    """`NAME,KEY=VALUE,…` as the fields that FaultTable.add takes. Throws ValueError with a sentence."""
    name, *pairs = text.split(",")
    fields = {"name": name}
    for pair in pairs:
        key, found, value = pair.partition("=")
        if not found:
            raise ValueError(f"fault {name}: {pair!r} is not KEY=VALUE")
        fields[key] = value
    return fields


def first(faults: list[Fault], stage: Stage) -> Fault | None:
    """The first fault of a stage."""
    return next((fault for fault in faults if fault.mode.stage is stage), None)


def apply_reply_faults(faults: list[Fault], request: Request, reply: Reply) -> None:
    """Runs the REPLY modes over a reply."""
    for fault in faults:
        if fault.mode.stage is Stage.REPLY:
            fault.mode.act(fault.values, request, reply)


def _make(modes: Mapping[str, Mode], given: Mapping[str, Any]) -> Fault:
    name = str(given.get("name", ""))
    if name not in modes:
        raise ValueError(f"no fault is named {name!r}; --help lists them")
    fault = Fault(modes[name], dict(modes[name].defaults))
    for key, value in given.items():
        if key == "name":
            continue
        if key in _COMMON:
            setattr(fault, key, _convert(name, key, value, _COMMON[key]))
        elif key in fault.values:
            fault.values[key] = _convert(name, key, value, type(fault.values[key]))
        else:
            raise ValueError(f"fault {name} has no {key!r}; it has {', '.join([*fault.values, *_COMMON])}")
    return fault


def _convert(name: str, key: str, value: Any, kind: type) -> Any:
    try:
        return kind(value)
    except (TypeError, ValueError):
        raise ValueError(f"fault {name}: {key} takes a {kind.__name__}") from None
