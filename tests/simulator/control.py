"""The control API below `/_control/`: what tests ask of the simulator past the portal's own API.

It needs no key: the simulator listens on the loopback address alone, and no path of the portal's APIs leads here.
README.md lists the calls.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import shift
import tokens
from body import parse_object
from faults import FaultTable
from message import ApiError, Reply, Request, json_reply
from portal import Portal
from recorder import Recorder
from state import Row

Handler = Callable[[Request, list[int]], Any]


class Control:
    """Answers control calls. `connections` is set by the server. Thread-safe."""

    def __init__(self, portal: Portal, faults: FaultTable, recorder: Recorder) -> None:
        self._portal = portal
        self._state = portal.state
        self._faults = faults
        self._recorder = recorder
        self.connections: Callable[[], dict[str, int]] = dict
        self._first_knobs = portal.knobs.to_json()
        self._first_limits = dict(portal.limits.limits)
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = [
            (method, re.compile(path), handler)
            for method, path, handler in (
                ("GET", "/requests", self._requests),
                ("DELETE", "/requests", self._clear_requests),
                ("GET", "/faults", lambda request, ids: {"faults": self._faults.to_json()}),
                ("POST", "/faults", lambda request, ids: self._faults.add(parse_object(request)).to_json()),
                ("DELETE", "/faults", self._remove_faults),
                ("DELETE", r"/faults/(\d+)", self._remove_faults),
                ("GET", "/knobs", lambda request, ids: self._portal.knobs.to_json()),
                ("PATCH", "/knobs", self._set_knobs),
                ("GET", "/rate-limits", lambda request, ids: self._portal.limits.limits),
                ("PATCH", "/rate-limits", self._set_limits),
                ("POST", "/clock", self._set_clock),
                ("POST", "/reset", self._reset),
                ("POST", "/tokens", self._add_tokens),
                ("PATCH", r"/tokens/(\d+)", lambda request, ids: self._edit("tokens", request, ids[0])),
                ("DELETE", r"/tokens/(\d+)", self._remove_token),
                ("PATCH", r"/users/(\d+)", lambda request, ids: self._edit("users", request, ids[0])),
                ("POST", "/shift", self._shift),
                ("GET", "/connections", lambda request, ids: self.connections()),
            )
        ]

    def answer(self, request: Request) -> Reply:
        """The reply. What is wrong with a call is said in its `error`."""
        try:
            for method, pattern, handler in self._routes:
                match = pattern.fullmatch(request.resource)
                if match and method == request.method:
                    with self._state.lock:
                        return json_reply(200, handler(request, [int(text) for text in match.groups()]))
            raise ApiError(404, "no such control call; see README.md")
        except ApiError as error:
            return json_reply(error.status, {"error": error.message})
        except (ValueError, TypeError) as error:
            return json_reply(400, {"error": str(error)})

    def _requests(self, request: Request, ids: list[int]) -> Any:
        return self._recorder.to_json(int(request.query.get("since", "0")))

    def _clear_requests(self, request: Request, ids: list[int]) -> Any:
        self._recorder.clear()
        return {}

    def _remove_faults(self, request: Request, ids: list[int]) -> Any:
        self._faults.remove(ids[0] if ids else None)
        return {}

    def _set_knobs(self, request: Request, ids: list[int]) -> Any:
        for name, value in parse_object(request).items():
            self._portal.knobs.assign(name, value)
        return self._portal.knobs.to_json()

    def _set_limits(self, request: Request, ids: list[int]) -> Any:
        for name, value in parse_object(request).items():
            self._portal.limits.limits[name] = int(value)
        return self._portal.limits.limits

    def _set_clock(self, request: Request, ids: list[int]) -> Any:
        given = parse_object(request)
        knobs = self._portal.knobs
        offset = knobs.clock_offset if "offset" not in given else float(given["offset"])
        knobs.clock_offset = offset + float(given.get("advance", 0.0))
        return {"offset": knobs.clock_offset, "now": self._portal.now()}

    def _reset(self, request: Request, ids: list[int]) -> Any:
        self._faults.remove()
        self._recorder.clear()
        self._portal.clear()
        for name, value in self._first_knobs.items():
            self._portal.knobs.assign(name, value)
        self._portal.limits.limits = dict(self._first_limits)
        return {}

    def _add_tokens(self, request: Request, ids: list[int]) -> Any:
        given = {"admin": self._state.master["adminId"]} | parse_object(request)
        owner = self._row("users", given["admin"])
        kind = str(given.get("type", tokens.LMV1))
        if kind not in (tokens.LMV1, tokens.BEARER):
            raise ApiError(400, "type is LMV1 or BEARER")
        note, status, now = str(given.get("note", "")), int(given.get("status", tokens.ENABLED)), self._portal.now()
        made = [
            shift.add_token(self._state, owner, kind, note.replace("{n}", str(number)), status, now)
            for number in range(1, int(given.get("count", 1)) + 1)
        ]
        self._state.save()
        return {"tokens": [{name: token[name] for name in ("id", "accessId", "accessKey")} for token in made]}

    def _remove_token(self, request: Request, ids: list[int]) -> Any:
        self._state.remove("tokens", self._row("tokens", ids[0])["id"])
        self._state.save()
        return {}

    def _edit(self, table: str, request: Request, number: int) -> Any:
        allowed = {"tokens": ("note", "status", "lastUsedOn"), "users": ("status", "note", "roles")}[table]
        row, given = self._row(table, number), parse_object(request)
        if not set(given) <= set(allowed):
            raise ApiError(400, f"only {', '.join(allowed)} can be changed here")
        row.update(given)
        self._state.save()
        return row

    def _shift(self, request: Request, ids: list[int]) -> Any:
        given = {"pages": 1} | parse_object(request)
        self._portal.shift = shift.Shift(**given)
        return given

    def _row(self, table: str, number: int) -> Row:
        row = self._state.table(table).get(number)
        if row is None:
            raise ApiError(404, f"{table} has no {number}")
        return row
