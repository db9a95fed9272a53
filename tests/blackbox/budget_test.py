"""The portal's rate limits as callers meet them: fair shares, no 429 of ours, and refusals whose delay is right."""

from __future__ import annotations

import time
import unittest
from collections import Counter
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

from case import BrokerTest
from schema import Refusal
from world import PORTAL

_CALLERS = 20
_WEIGHTS = {f"caller{number}": 1 + number % 4 for number in range(_CALLERS)}  # 50 in all


def _policy(callers: dict[str, str]) -> str:
    lines = ["callers:"]
    for name, budget in callers.items():
        lines += [
            f"  - name: {name}",
            f'    identities: ["dns:{name}.corp.example"]',
            "    forward:",
            '      - { portal: acme, credential: reader, methods: [GET], paths: ["/device/**", "/setting/**"] }',
            f"    budget: {budget}",
        ]
    lines += ["  - name: operators", '    identities: ["dns:ops.corp.example"]', "    operator: true"]
    return "\n".join(lines) + "\n"


class FairnessTest(BrokerTest):
    """100 calls a second, and callers who would send ten times as many."""

    POLICY = _policy({name: f"{{ weight: {weight} }}" for name, weight in _WEIGHTS.items()})
    PORTAL = ("--rate-limit", "GET /device/devices/{id}=100", "--knob", "rate_window=1")

    _OUTSTANDING = 25  # of each caller, always: all of them are five seconds' worth of calls
    _WARM_UP = 500
    _COUNTED = 3000

    @classmethod
    def prepare(cls) -> None:
        cls.world.credential("reader", 34)

    def test_each_caller_gets_its_share_and_the_portal_never_says_429(self) -> None:
        done: SimpleQueue[tuple[str, Any]] = SimpleQueue()

        def begin(who: str) -> None:
            call: Future[Any] = self.world.begin(
                who, "ForwardService/Forward", portal=PORTAL, method="GET", path="/device/devices/7"
            )
            call.add_done_callback(lambda ended: done.put((who, ended)))

        for _ in range(self._OUTSTANDING):
            for who in _WEIGHTS:
                begin(who)
        served: Counter[str] = Counter()
        statuses: Counter[int] = Counter()
        while statuses.total() < self._WARM_UP + self._COUNTED:
            who, call = done.get(timeout=60)
            begin(who)
            try:
                status = self.world.finish(call).status
            except Refusal as refusal:
                self.judge(refusal, "AUDIT_UNAVAILABLE")  # the disk of a busy machine
                continue
            statuses[status] += 1
            if statuses.total() > self._WARM_UP:
                served[who] += 1
        waiting = [
            budget.waiting
            for portal in self.world.call("operator", "OperatorService/GetStatus").portals
            for budget in portal.budgets
            if budget.pattern.endswith("/device/devices/{id}")
        ]
        self.assertGreater(waiting[0], _CALLERS)
        self.world.disconnect()  # ends those that wait
        self.assertEqual(set(statuses), {200})
        for who, weight in _WEIGHTS.items():
            share = self._COUNTED * weight / sum(_WEIGHTS.values())
            self.assertAlmostEqual(served[who], share, delta=0.05 * share, msg=f"{who} of weight {weight}")


class LimitTest(BrokerTest):
    """Three calls in six seconds, or five when tokens are changed."""

    POLICY = _policy({"reader": "{ weight: 1 }", "limited": "{ max_per_minute: 3 }"})
    PORTAL = (
        *("--rate-limit", "GET /device/devices/{id}=3", "--rate-limit", "GET /setting/roles/{id}=3"),
        *("--rate-limit", "PATCH /setting/admins/{id}/apitokens/{id}=5"),
        *("--knob", "rate_window=6"),
    )
    CONFIG = {  # noqa: RUF012 (a constant)
        "portals": {
            "acme": {"budgets": [{"method": "GET", "pattern": "/device/devices/{id}", "limit": 3, "window": "6s"}]}
        }
    }

    @classmethod
    def prepare(cls) -> None:
        cls.world.credential("reader", 34)

    def _get(self, **fields: Any) -> Any:
        return self.world.forward("reader", "GET", "/device/devices/7", **fields)

    def test_wait_beyond_the_deadline_is_refused_at_once_and_the_delay_is_right(self) -> None:
        for _ in range(3):
            self.world.forward("reader", "GET", "/setting/roles/1")
        start = time.monotonic()
        with self.assertRaises(Refusal) as caught:
            self.world.forward("reader", "GET", "/setting/roles/1", timeout=1.0)
        self.assertLess(time.monotonic() - start, 0.9)
        refusal = self.judge(caught.exception, "DEADLINE_TOO_SHORT")
        self.assertIsNotNone(refusal.retry_after)
        self.assertLessEqual(refusal.retry_after, 6.1)
        self.assertEqual(refusal.metadata["limit"], "3")
        self.assertEqual(len(self.sent()), 3)
        time.sleep(refusal.retry_after or 0)
        self.assertNotEqual(self.world.forward("reader", "GET", "/setting/roles/1", timeout=1.0).status, 429)

    def test_longer_deadline_waits_and_cancelled_calls_free_their_place(self) -> None:
        for _ in range(3):
            self._get()
        calls = [
            self.world.begin("reader", "ForwardService/Forward", portal=PORTAL, method="GET", path="/device/devices/8")
            for _ in range(5)
        ]
        for call in calls[:3]:
            call.cancel()
        start = time.monotonic()
        for call in calls[3:]:
            self.assertEqual(self.world.finish(call).status, 200)
        self.assertLess(time.monotonic() - start, 9.0)  # the next window, not the one after
        self.assertNotIn(429, [request["status"] for request in self.sent()])

    def test_caller_has_its_own_limit(self) -> None:
        for number in range(3):
            self.assertEqual(self.world.forward("limited", "GET", f"/device/devices/7/instances/{number}x").status, 200)
        refusal = self.forward_refused("CALLER_LIMIT", "limited", "GET", "/device/devices")
        self.assertIsNotNone(refusal.retry_after)
        self.assertLessEqual(refusal.retry_after, 60.0)
        self.assertEqual(self.world.forward("reader", "GET", "/device/devices").status, 200)

    def test_switching_off_has_room_when_the_budget_is_used_up(self) -> None:
        token = self.world.portal.new_token(34)
        name = f"{PORTAL}/admins/34/tokens/{token['id']}"
        self.world.call("operator", "TokenService/ToggleToken", name=name, status="ENABLED")  # the limit is known now
        for number in range(3):
            self.world.call("operator", "TokenService/UpdateToken", token={"name": name, "note": f"note {number}"})
        start = time.monotonic()
        self.world.call("operator", "TokenService/ToggleToken", name=name, status="DISABLED", timeout=1.5)
        self.assertLess(time.monotonic() - start, 1.5)


if __name__ == "__main__":
    unittest.main()
