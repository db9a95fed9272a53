"""The gate: who sends a request, by its Authorization header alone."""

from __future__ import annotations

from dataclasses import dataclass

import body
import signature
from knobs import Knobs
from message import INGEST, ApiError, Request
from state import Row, State

GOOD = "good"


@dataclass(frozen=True, slots=True)
class Caller:
    """What the gate found. `verdict` is GOOD, or says what is wrong; the reply says the same for every cause."""

    verdict: str
    access_id: str = ""  # as claimed, also by a caller that is refused
    token: Row | None = None
    user: Row | None = None


class Gate:
    """Checks signatures and Bearer values, and counts failures for the lockout. Called under the state's lock.

    Verdicts: good, no-authorization, repeated-authorization, malformed, unknown-id, bad-signature, stale, disabled,
    suspended, bad-version, locked. A signature that was seen before is as good as the first time.
    """

    def __init__(self, state: State, knobs: Knobs) -> None:
        self._state = state
        self._knobs = knobs
        self._failures: dict[str, int] = {}
        self._locked_until: dict[str, float] = {}

    def judge(self, request: Request, now: float) -> Caller:
        """Who calls. Never throws; counts nothing yet."""
        value = request.header("authorization")
        if not value:
            return Caller("no-authorization")
        if request.count("authorization") > 1:
            return Caller("repeated-authorization")
        if value.startswith("Bearer "):
            return self._bearer(request, value[len("Bearer ") :], now)
        given = signature.parse_lmv1(value)
        return self._lmv1(request, given, now) if given else Caller("malformed")

    def count(self, caller: Caller, now: float) -> bool:
        """Counts a success or failure of an access id; True when this failure locks it."""
        if not self._knobs.lockout_failures or not caller.access_id or caller.verdict == "locked":
            return False
        if caller.verdict == GOOD:
            self._failures.pop(caller.access_id, None)
            return False
        failures = self._failures[caller.access_id] = self._failures.get(caller.access_id, 0) + 1
        if failures < self._knobs.lockout_failures:
            return False
        del self._failures[caller.access_id]
        self._locked_until[caller.access_id] = now + self._knobs.lockout_seconds
        return True

    def clear(self) -> None:
        """Forgets failures and locks."""
        self._failures.clear()
        self._locked_until.clear()

    def _lmv1(self, request: Request, given: signature.Lmv1, now: float) -> Caller:
        token = self._state.lmv1_token(given.access_id)
        if token is None:
            return Caller("unknown-id", given.access_id)
        request.secret = token["accessKey"]
        try:
            content = body.signed(request)
        except ApiError:
            return Caller("bad-signature", given.access_id)
        if not signature.verify(given, token["accessKey"], request.method, content, self._paths(request)):
            return Caller("bad-signature", given.access_id)
        if abs(now * 1000 - int(given.epoch)) > self._knobs.clock_window * 1000:
            return Caller("stale", given.access_id)
        return self._state_of(token, now)

    def _bearer(self, request: Request, value: str, now: float) -> Caller:
        token = self._state.bearer_token(value)
        if token is None:
            return Caller("unknown-id")
        request.secret = value
        if request.base != INGEST and request.version not in (3, 4) and not self._knobs.bearer_any_version:
            return Caller("bad-version", token["accessId"])
        return self._state_of(token, now)

    def _paths(self, request: Request) -> list[bytes]:
        raw = request.resource.encode("latin-1")
        decoded = request.decoded_resource.encode("utf-8", "surrogateescape")
        form = self._knobs.path_form
        if form == "raw" or raw == decoded:
            return [raw]
        return [decoded] if form == "decoded" else [decoded, raw]

    def _state_of(self, token: Row, now: float) -> Caller:
        access_id = token["accessId"]
        if self._locked_until.get(access_id, 0.0) > now:
            return Caller("locked", access_id)
        user = self._state.table("users")[token["adminId"]]
        if token["status"] != 2:
            return Caller("disabled", access_id)
        if user["status"] != "active":
            return Caller("suspended", access_id)
        return Caller(GOOD, access_id, token, user)
