"""What the tests of this folder have in common: one world for all tests of a class, and how a refusal is judged."""

from __future__ import annotations

import json
import unittest
from typing import Any, ClassVar

from policies import POLICY
from schema import Refusal
from world import World

# An endpoint of the simulator that says what arrived.
ECHO = "/device/devices/7/instances"

# The contract's table: which gRPC status a reason belongs to.
CODES = {
    "UNAUTHENTICATED": "NO_IDENTITY BAD_TOKEN",
    "PERMISSION_DENIED": "NO_GRANT SECRET_ENDPOINT ACCOUNT_ENDPOINT HAND_OVER_NOT_GRANTED FROZEN PORTAL_DENIED",
    "INVALID_ARGUMENT": "FIELD_INVALID PATH_NOT_PLAIN HEADER_NOT_ALLOWED FIELD_IMMUTABLE PORTAL_REJECTED",
    "NOT_FOUND": "UNKNOWN_PORTAL UNKNOWN_CREDENTIAL UNKNOWN_TOKEN UNKNOWN_ADMIN",
    "ALREADY_EXISTS": "CREDENTIAL_EXISTS REQUEST_ID_REUSED PORTAL_CONFLICT",
    "FAILED_PRECONDITION": "CREDENTIAL_DISABLED CREDENTIAL_QUARANTINED NO_MASTER MASTER_REFUSED NOT_IN_CUSTODY "
    "SECRET_ALREADY_HANDED_OVER SEALED",
    "RESOURCE_EXHAUSTED": "BUDGET_EXHAUSTED CALLER_LIMIT QUEUE_FULL BODY_TOO_LARGE REPLY_TOO_LARGE TOO_MANY_TOKENS",
    "DEADLINE_EXCEEDED": "DEADLINE DEADLINE_TOO_SHORT",
    "UNAVAILABLE": "PORTAL_UNREACHABLE BREAKER_OPEN PORTAL_ERROR AUDIT_UNAVAILABLE STORE_UNAVAILABLE DRAINING",
    "UNKNOWN": "OUTCOME_UNKNOWN",
    "INTERNAL": "INTERNAL",
}
CODE_OF = {reason: code for code, reasons in CODES.items() for reason in reasons.split()}
_MOST_MESSAGE_CHARACTERS = 600


class BrokerTest(unittest.TestCase):
    """Tests that share a world. A class may set POLICY, CONFIG and PORTAL, and prepare the world in `prepare`."""

    POLICY: ClassVar[str] = POLICY
    CONFIG: ClassVar[dict[str, Any]] = {}
    ALIASES: ClassVar[tuple[str, ...]] = ()  # more portals, all of them the simulator
    PORTAL: ClassVar[tuple[str, ...]] = ()  # more arguments for the simulator
    MASTER: ClassVar[bool] = True  # whether the broker is given its master key
    world: ClassVar[World]

    @classmethod
    def setUpClass(cls) -> None:
        cls.world = cls.make_world()
        cls.addClassCleanup(cls.close_world)
        cls.world.start(master=cls.MASTER)
        cls.prepare()

    @classmethod
    def make_world(cls) -> World:
        """The world, not started."""
        return World(cls.POLICY, cls.CONFIG, cls.ALIASES, cls.PORTAL)

    @classmethod
    def prepare(cls) -> None:
        """What a class needs beside the master key."""

    @classmethod
    def close_world(cls) -> None:
        """Ends the world; the broker must end well, for a sanitizer speaks up at the end at the latest."""
        process = cls.world.broker.process
        running = process is not None and process.poll() is None
        code = cls.world.close()
        assert not running or code == 0, f"lmbrokerd ended with {code}:\n{cls.world.last_log[-4000:]}"

    def setUp(self) -> None:
        self.world.portal.control("POST", "/reset")

    def refused(self, reason: str, who: str, method: str, /, **fields: Any) -> Refusal:
        """Calls, and checks that it is refused for this reason, in the form that the contract gives refusals."""
        with self.assertRaises(Refusal) as caught:
            self.world.call(who, method, **fields)
        return self.judge(caught.exception, reason)

    def forward_refused(self, reason: str, who: str, method: str, path: str, /, **fields: Any) -> Refusal:
        """The same for a Forward."""
        with self.assertRaises(Refusal) as caught:
            self.world.forward(who, method, path, **fields)
        return self.judge(caught.exception, reason)

    def judge(self, refusal: Refusal, reason: str) -> Refusal:
        """Law 9: reason and code fit, and the message is one bounded, printable sentence."""
        self.assertEqual(refusal.reason, reason, refusal)
        self.assertEqual(refusal.code, CODE_OF[reason], refusal)
        self.assertEqual(refusal.domain, "lmbroker", refusal)
        self.assertTrue(refusal.request_id, refusal)
        self.assertTrue(refusal.message.isprintable(), refusal)
        self.assertRegex(refusal.message, r"(?s)^.{10,}[.]$")
        self.assertLessEqual(len(refusal.message), _MOST_MESSAGE_CHARACTERS)
        return refusal

    def sent(self) -> list[dict[str, Any]]:
        """What the portal has been sent in this test."""
        return self.world.portal.requests()

    def sent_mutations(self) -> list[dict[str, Any]]:
        """Those that could have changed something."""
        return [request for request in self.sent() if request["method"] != "GET"]


class ForwardCase(BrokerTest):
    """A world with a credential for each forward grant of the policy. `keys` are those of two of them."""

    keys: ClassVar[dict[str, str]]

    @classmethod
    def prepare(cls) -> None:
        cls.world.credential("inventory-reader", 34)
        cls.keys = {
            "writer": cls.world.credential("writer", 32)["accessKey"],
            "bearer": cls.world.credential("bearer", 37, "BEARER")["accessKey"],
        }
        cls.world.credential("ingest", 36, "BEARER")
        for portal in ("down", "misnamed", "forged"):
            cls.world.credential("writer", 32, portal=f"portals/{portal}")

    def echo(self, method: str = "POST", rest: str = "/a", who: str = "writer", **fields: Any) -> Any:
        """What the portal says that it received."""
        reply = self.world.forward(who, method, ECHO + rest, **fields)
        self.assertEqual(reply.status, 200)
        return json.loads(reply.body)

    @staticmethod
    def headers(pairs: Any) -> dict[str, str]:
        """Headers of a reply, with lower-case names."""
        return {header.name.lower(): header.value for header in pairs}
