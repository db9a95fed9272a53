"""The portal: takes a request, gives LogicMonitor's reply. Knows nothing of connections, nor of faults."""

from __future__ import annotations

import itertools
import time
import traceback
from collections import deque
from email.utils import formatdate
from typing import Any

import ingest
from call import Call
from gate import GOOD, Caller, Gate
from knobs import Knobs
from message import INGEST, MANAGEMENT, ApiError, Headers, Reply, Request, json_reply
from rate import Budget, RateLimits
from routes import Route, management_routes
from shift import Shift
from state import Row, State

_AUDIT_LINES = 10000

# What API v1 calls the errors of v2 and v3, in its envelope under HTTP 200.
_V1_STATUS = {1401: 403, 1403: 1041, 1404: 1069, 1409: 600, 1500: 1001}


class Portal:
    """One LogicMonitor account. Thread-safe: each call holds the state's lock from beginning to end."""

    def __init__(self, state: State, knobs: Knobs, limits: RateLimits) -> None:
        self.state = state
        self.knobs = knobs
        self.limits = limits
        self.gate = Gate(state, knobs)
        self.shift = Shift()
        self._log: deque[Row] = deque(maxlen=_AUDIT_LINES)
        self._log_ids = itertools.count(1)
        self._request_ids = itertools.count(1)
        self._date = (0, "")
        self._routes = management_routes(lambda: list(self._log))

    def now(self) -> float:
        """The portal's clock, Unix seconds."""
        return time.time() + self.knobs.clock_offset

    def date(self) -> str:
        """The Date header of a reply that is sent now."""
        second = int(self.now())
        if second != self._date[0]:
            self._date = (second, formatdate(second, usegmt=True))
        return self._date[1]

    def judge(self, request: Request) -> Caller:
        """Who sends the request; for callers that want to know without having it answered."""
        with self.state.lock:
            return self.gate.judge(request, self.now())

    def answer(self, request: Request) -> tuple[Reply, Caller]:
        """The reply, and who was found to call. Never throws ApiError."""
        with self.state.lock:
            now = self.now()
            caller = self.gate.judge(request, now)
            route, ids, pattern = self._route(request)
            budget = self.limits.peek(request.method, pattern, now)
            try:
                self._admit(request, caller, now)
                allowed, budget = self.limits.take(request.method, pattern, now)
                if not allowed:
                    self._note_call("Throttled", request, caller)
                    raise ApiError(429, "Too many requests")
                self._mark_use(caller, request, now)
                reply = self._run(request, caller, route, ids, now)
            except ApiError as error:
                reply = self._refusal(request, error, now)
            except Exception:  # a defect of the simulator: said aloud, and answered as a portal would
                traceback.print_exc()
                reply = self._refusal(request, ApiError(500, "Internal server error"), now)
            reply.headers += self._common_headers(budget)
            return reply, caller

    def add_common_headers(self, request: Request, reply: Reply) -> None:
        """What every reply of the portal has, for one that was not made here. Its own headers stay."""
        with self.state.lock:
            _, _, pattern = self._route(request)
            budget = self.limits.peek(request.method, pattern, self.now())
        own = {name.lower() for name, _ in reply.headers}
        reply.headers += [pair for pair in self._common_headers(budget) if pair[0].lower() not in own]

    def _admit(self, request: Request, caller: Caller, now: float) -> None:
        if request.base not in (MANAGEMENT, INGEST):
            raise ApiError(404, "HTTP 404 Not Found", 1400)
        locks = self.gate.count(caller, now)
        if caller.verdict != GOOD:
            self._note_call("Failed", request, caller)
            if locks:
                self.audit(caller.access_id, f"API token {caller.access_id} is locked due to too many failed attempts")
            raise ApiError(401, "Authentication failed")

    def _route(self, request: Request) -> tuple[Route | None, tuple[str, ...], str]:
        """The route, what its placeholders stand for, and the pattern under which its rate is limited."""
        path = request.decoded_resource
        if request.base == INGEST:
            return None, (), path
        for route in self._routes if request.base == MANAGEMENT else ():
            match = route.regex.fullmatch(path)
            if match:
                return route, match.groups(), route.pattern
        return None, (), "other"

    def _common_headers(self, budget: Budget) -> Headers:
        return [
            *budget.headers(),
            ("x-server-version", self.state.portal["serverVersion"]),
            ("x-request-id", f"sim-{next(self._request_ids)}"),
        ]

    def _run(self, request: Request, caller: Caller, route: Route | None, found: tuple[str, ...], now: float) -> Reply:
        if request.base == INGEST:
            return ingest.answer(request)
        handler = route.handlers.get(request.method) if route else None
        if route is None:
            raise ApiError(404, "HTTP 404 Not Found", 1400)
        if handler is None:
            raise ApiError(405, "HTTP 405 Method Not Allowed")
        numbers = [text for text in found if text.isdecimal()]
        assert caller.user is not None
        call = Call(
            state=self.state,
            knobs=self.knobs,
            request=request,
            now=now,
            user=caller.user,
            access_id=caller.access_id,
            ids=[int(text) for text in numbers],
            rest=found[-1] if found else "",
            query=request.query if request.query_text else {},
            audit=self.audit,
            listed_tokens=lambda: self.shift.after_page(self.state, caller.access_id, now),
        )
        right = call.right(route.right) if route.right else "write"
        if right is None or (right == "read" and request.method != "GET"):
            raise ApiError(403, "Permission denied")
        return self._shaped(request, handler(call))

    def _shaped(self, request: Request, value: Any) -> Reply:
        if request.version in (None, 1):
            value = {"status": 200, "errmsg": "OK", "data": value}
        return json_reply(200, value)

    def _refusal(self, request: Request, error: ApiError, now: float) -> Reply:
        if request.base == INGEST:
            reply = ingest.error_reply(error, now)
        elif request.version in (None, 1) and request.base == MANAGEMENT and error.status not in (429, 500):
            reply = json_reply(200, v1_refusal(error.code, error.message))
        else:
            detail = {"errorMessage": error.message, "errorCode": error.code, "errorDetail": None}
            reply = json_reply(error.status, detail)
        if error.status == 429 and (request.base == INGEST or self.knobs.retry_after):
            reply.set("Retry-After", str(self.knobs.retry_after or round(self.knobs.rate_window)))
        return reply

    def _mark_use(self, caller: Caller, request: Request, now: float) -> None:
        assert caller.token is not None
        caller.token["lastUsedOn"] = int(now)
        caller.token["lastAuthIp"] = request.peer

    def _note_call(self, what: str, request: Request, caller: Caller) -> None:
        name = caller.access_id or "unknown"
        path = f"{request.base}{request.resource}"
        attempt = f"attempted to access path '{path}' with Method: {request.method}"
        self.audit(name, f"{what} API request: API token {name} {attempt}")

    def audit(self, username: str, text: str) -> None:
        """Appends a line to the access log, in the portal's own phrases."""
        now = self.now()
        local = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
        line = {"id": str(next(self._log_ids)), "username": username, "ip": "127.0.0.1", "description": text}
        self._log.append(line | {"happenedOn": int(now), "happenedOnLocal": local})

    def clear(self) -> None:
        """Forgets counted calls, failures, locks and pending shifts. Rows and the access log stay."""
        with self.state.lock:
            self.limits.clear()
            self.gate.clear()
            self.shift.clear()


def v1_refusal(code: int, message: str) -> Row:
    """An error in API v1's envelope."""
    return {"status": _V1_STATUS.get(code, code), "errmsg": message, "data": None}
