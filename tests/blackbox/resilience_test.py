"""What the broker does about a portal that is in trouble, a key that it refuses, and a clock that is off."""

import json
import unittest
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from broker import wait_for
from case import ECHO, BrokerTest, ForwardCase
from schema import Refusal


def _policy(aliases: tuple[str, ...]) -> str:
    grants = "".join(
        f'\n      - {{ portal: {alias}, credential: writer, methods: [GET, POST], paths: ["/**"] }}' for alias in aliases
    )
    return (
        'callers:\n  - { name: operators, identities: ["dns:ops.corp.example"], operator: true }\n'
        '  - name: writer\n    identities: ["dns:writer.corp.example"]\n    forward:' + grants + "\n"
    )


class OwnPortalsTest(BrokerTest):
    """Each test has a portal entry of its own, all of them the simulator; so nothing that one learned holds another."""

    ALIASES = tuple(f"own{number}" for number in range(12))
    POLICY = _policy(ALIASES)
    MASTER = False

    @classmethod
    def prepare(cls) -> None:
        cls.left = list(cls.ALIASES)
        cls.tokens = {}
        for alias in cls.ALIASES:
            cls.tokens[alias] = cls.world.credential("writer", 32, portal=f"portals/{alias}")

    def setUp(self) -> None:
        super().setUp()
        self.alias = self.left.pop()
        self.portal = f"portals/{self.alias}"
        self.credential = f"{self.portal}/credentials/writer"

    def outcome_of(self, method: str = "GET", **fields: Any) -> Any:
        """The reply's status, or the reason of the refusal."""
        try:
            return self.world.forward("writer", method, f"{ECHO}/x", portal=self.portal, **fields).status
        except Refusal as refusal:
            return self.judge(refusal, refusal.reason).reason

    def status(self) -> Any:
        """What an operator is told of the portal."""
        every = self.world.call("operator", "OperatorService/GetStatus").portals
        return next(portal for portal in every if portal.portal == self.portal)

    def state(self) -> int:
        return self.world.call("operator", "CredentialService/GetCredential", name=self.credential).state


class RepeatTest(OwnPortalsTest):
    def test_a_get_outlives_a_short_trouble(self) -> None:
        self.world.portal.fault("unavailable", count=2)
        reply = self.world.forward("writer", "GET", f"{ECHO}/x", portal=self.portal)
        self.assertEqual((reply.status, reply.attempts), (200, 3))
        self.assertEqual([request["verdict"] for request in self.sent()], ["good"] * 3)
        pair = self.world.pair(reply.request_id)
        self.assertEqual([record["kind"] for record in pair], ["intent", "outcome"])
        self.assertEqual(pair[1]["attempts"], 3)

    def test_a_get_waits_out_a_429_that_ends_in_time(self) -> None:
        self.world.portal.fault("rate-limited", retry_after=1, count=1)
        reply = self.world.forward("writer", "GET", f"{ECHO}/x", portal=self.portal)
        self.assertEqual((reply.status, reply.attempts), (200, 2))

    def test_law6_a_mutation_that_was_answered_is_not_repeated(self) -> None:
        self.world.portal.fault("unavailable", count=1)
        self.assertEqual(self.outcome_of("POST"), 503)
        self.assertEqual(len(self.sent()), 1)

    def test_repeats_are_a_small_part_of_the_load(self) -> None:
        self.world.portal.fault("status", status=504, count=1000)
        outcomes = [self.outcome_of() for _ in range(40)]
        self.assertIn("BREAKER_OPEN", outcomes)
        self.assertLess(len(self.sent()), 40 + 20)


class BreakerTest(OwnPortalsTest):
    def test_it_opens_is_told_and_closes_again(self) -> None:
        self.assertEqual(self.outcome_of("POST"), 200)
        self.world.portal.fault("internal-error")
        outcomes = [self.outcome_of("POST") for _ in range(50)]
        self.assertEqual(set(outcomes), {500, "BREAKER_OPEN"})
        seen = len(self.sent())
        self.assertLessEqual(seen, 25)
        refusal = self.forward_refused("BREAKER_OPEN", "writer", "POST", f"{ECHO}/x", portal=self.portal)
        self.assertGreater(refusal.retry_after, 0)
        self.assertIn(self.status().breaker, (2, 3))
        self.world.portal.control("POST", "/reset")
        wait_for("closed breaker", lambda: self.outcome_of("POST") == 200)
        self.assertEqual(self.status().breaker, 1)

    def test_a_probe_of_an_operator_goes_through(self) -> None:
        self.world.portal.fault("internal-error")
        while self.outcome_of("POST") != "BREAKER_OPEN":
            pass
        self.world.portal.control("POST", "/reset")
        reply = self.world.call("operator", "CredentialService/ProbeCredential", name=self.credential)
        self.assertEqual(len(self.sent()), 1)
        self.assertNotEqual(reply.result, 4)
        self.assertEqual(self.outcome_of("POST"), 200)


class GuardTest(OwnPortalsTest):
    def test_a_storm_with_a_refused_key_sends_three_and_an_operator_heals(self) -> None:
        self.world.portal.fault("status", status=401, code=1401, message="Authentication failed")
        with ThreadPoolExecutor(32) as pool:
            outcomes = list(pool.map(lambda _: self.outcome_of("POST"), range(64)))
        self.assertEqual(len(self.sent()), 3)
        self.assertEqual(outcomes.count(401), 3)
        self.assertEqual(outcomes.count("CREDENTIAL_QUARANTINED"), 61)
        self.assertEqual(self.state(), 2)
        refusal = self.forward_refused("CREDENTIAL_QUARANTINED", "writer", "POST", f"{ECHO}/x", portal=self.portal)
        self.assertGreater(refusal.retry_after, 0)
        self.world.portal.control("POST", "/reset")
        self.world.call("operator", "CredentialService/ToggleCredential", name=self.credential, status="ENABLED")
        self.assertEqual(self.outcome_of("POST"), 200)
        self.assertEqual(self.state(), 1)

    def test_a_canary_heals(self) -> None:
        self.world.portal.fault("status", status=401, code=1401, message="Authentication failed", count=3)
        for _ in range(3):
            self.assertEqual(self.outcome_of("POST"), 401)
        self.assertEqual(self.outcome_of("POST"), "CREDENTIAL_QUARANTINED")
        wait_for("canary", lambda: self.outcome_of("POST") == 200)
        self.assertEqual(len(self.sent()), 4)

    def test_a_probe_heals(self) -> None:
        self.world.portal.fault("status", status=401, code=1401, message="Authentication failed", count=3)
        for _ in range(3):
            self.outcome_of("POST")
        self.assertEqual(self.state(), 2)
        self.world.call("operator", "CredentialService/ProbeCredential", name=self.credential)
        self.assertEqual(self.state(), 1)


class SkewTest(ForwardCase):
    """A portal whose clock is an hour ahead, and which takes signatures of ten minutes at most."""

    PORTAL = ("--knob", "clock_offset=3600", "--knob", "clock_window=600")

    def test_skew_is_found_out_compensated_and_told(self) -> None:
        self.assertEqual(self.world.forward("writer", "GET", f"{ECHO}/a").status, 200)
        self.assertEqual(self.world.forward("writer", "POST", f"{ECHO}/b").status, 200)
        every = self.world.call("operator", "OperatorService/GetStatus").portals
        skew = next(portal for portal in every if portal.portal == "portals/acme").clock_skew
        self.assertAlmostEqual(skew.seconds, 3600, delta=5)
        wait_for("alarm", lambda: any(json.loads(line).get("event") == "clock_skew" for line in self.lines()))

    def lines(self) -> list[str]:
        return [line for line in self.world.broker.log.splitlines() if line.startswith("{")]


if __name__ == "__main__":
    unittest.main()
