"""Rate limits: one rolling window for each endpoint pattern and method, shared by the whole account."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from knobs import Knobs

DEFAULT_LIMITS = {"GET": 500, "POST": 200, "PUT": 200, "PATCH": 250, "DELETE": 300}


class Budget(NamedTuple):
    """What the three X-Rate-Limit headers say."""

    limit: int
    remaining: int
    window: int

    def headers(self) -> list[tuple[str, str]]:
        """The three headers."""
        return [
            ("X-Rate-Limit-Limit", str(self.limit)),
            ("X-Rate-Limit-Remaining", str(self.remaining)),
            ("X-Rate-Limit-Window", str(self.window)),
        ]


class RateLimits:
    """Counts accepted calls. Not thread-safe; the portal's lock covers it.

    `limits` has a number for each method (`GET`) and, where wanted, for one pattern (`GET /device/devices/{id}`).
    """

    def __init__(self, knobs: Knobs, limits: dict[str, int] | None = None) -> None:
        self._knobs = knobs
        self.limits = DEFAULT_LIMITS | (limits or {})
        self._calls: dict[str, deque[float]] = {}

    def peek(self, method: str, pattern: str, now: float) -> Budget:
        """The budget of an endpoint, without using it."""
        key = f"{method} {pattern}"
        limit = self.limits.get(key, self.limits.get(method, DEFAULT_LIMITS["GET"]))
        calls = self._calls.setdefault(key, deque())
        while calls and calls[0] <= now - self._knobs.rate_window:
            calls.popleft()
        return Budget(limit, max(0, limit - len(calls)), max(1, round(self._knobs.rate_window)))

    def take(self, method: str, pattern: str, now: float) -> tuple[bool, Budget]:
        """Uses the budget once, if there is any left; whether there was, and what is left now."""
        before = self.peek(method, pattern, now)
        if before.remaining == 0:
            return False, before
        self._calls[f"{method} {pattern}"].append(now)
        return True, before._replace(remaining=before.remaining - 1)

    def clear(self) -> None:
        """Forgets all calls."""
        self._calls.clear()


def parse_limit(text: str) -> tuple[str, int]:
    """`GET=500` or `GET /device/devices/{id}=5`. Throws ValueError with a sentence."""
    key, _, number = text.rpartition("=")
    if key.split(" ")[0] not in DEFAULT_LIMITS or not number.isascii() or not number.isdigit():
        raise ValueError(f"{text!r} is not METHOD=N or 'METHOD /pattern=N'")
    return key, int(number)
