"""Forward while the portal, or the way to it, misbehaves: what the caller is told, what is sent how often (law 6)."""

import json
import unittest

from broker import wait_for
from case import CODE_OF, ECHO, ForwardCase
from policies import POLICY
from schema import Refusal

GOOD = {"OK"}
LOST = {"PORTAL_UNREACHABLE", "PORTAL_ERROR"}
UNKNOWN = {"OUTCOME_UNKNOWN"}

# A fault that stays; what a GET may be told, and what a POST. A reply with a status is OK.
FAULTS = (
    ({"name": "drop-before-body"}, LOST, UNKNOWN),
    ({"name": "drop-before-commit"}, LOST, UNKNOWN),
    ({"name": "drop-after-commit"}, LOST, UNKNOWN),
    ({"name": "reset"}, LOST, UNKNOWN),
    ({"name": "reset", "commit": 1}, LOST, UNKNOWN),
    ({"name": "unavailable"}, GOOD, GOOD),
    ({"name": "internal-error"}, GOOD, GOOD),
    ({"name": "rate-limited"}, GOOD, GOOD),
    ({"name": "error-in-200"}, GOOD, GOOD),
    ({"name": "redirect"}, GOOD, GOOD),
    ({"name": "malformed-json"}, GOOD, GOOD),
    ({"name": "wrong-date"}, GOOD, GOOD),
    ({"name": "v1-envelope"}, GOOD, GOOD),
    ({"name": "rate-headers", "limit": "many", "remaining": "-1", "window": "9" * 30}, GOOD, GOOD),
    ({"name": "rate-headers"}, GOOD, GOOD),
    ({"name": "truncated-body"}, LOST, UNKNOWN),
    ({"name": "truncated-body", "keep": 0.0}, LOST, UNKNOWN),
    ({"name": "conflicting-length"}, LOST, UNKNOWN),
    ({"name": "conflicting-length", "chunked": 1}, LOST, UNKNOWN),
    ({"name": "garbage"}, LOST, UNKNOWN),
    ({"name": "garbage", "text": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"}, LOST, UNKNOWN),
    ({"name": "garbage", "text": "HTTP/1.1 2000 OK\r\n\r\n"}, LOST, UNKNOWN),
    ({"name": "garbage", "text": ""}, LOST, UNKNOWN),
    ({"name": "slow-head", "seconds": 0.2}, GOOD, GOOD),
    ({"name": "slow-body", "bytes": 50, "seconds": 0.01}, GOOD, GOOD),
    ({"name": "close-after-reply"}, GOOD, GOOD),
    ({"name": "close-after-reply", "announce": 1}, GOOD, GOOD),
    ({"name": "chunked-body", "size": 1}, GOOD, GOOD),
    ({"name": "two-replies"}, GOOD, GOOD),
    ({"name": "continue-first", "times": 3}, GOOD, GOOD),
    ({"name": "gzip-body"}, GOOD, GOOD),
)


_GRANT = "      - {{ portal: {portal}, credential: writer, methods: [GET, POST, PUT, PATCH, DELETE], paths: [{paths}] }}\n"
_PATHS = '"/**"'


class ForwardFaultTest(ForwardCase):
    # One for each fault, all of them the simulator: a breaker that one fault opened is in no other's way.
    ALIASES = tuple(f"own{number}" for number in range(128))
    POLICY = POLICY.replace(
        _GRANT.format(portal="acme", paths=_PATHS),
        "".join(_GRANT.format(portal=portal, paths=_PATHS) for portal in ("acme", *ALIASES)),
    )

    @classmethod
    def prepare(cls):
        super().prepare()
        cls.left = list(cls.ALIASES)
        cls.key = cls.world.portal.new_token(32)

    def setUp(self):
        super().setUp()
        self.fresh_portal()

    def fresh_portal(self):
        """A portal that knows of no trouble yet, and an endpoint of which no rate limit is known."""
        alias = self.left.pop()
        self.portal = f"portals/{alias}"
        self.path = f"{ECHO}/{alias}"
        self.world.call(
            "operator", "CredentialService/ImportCredential", parent=self.portal, credential_id="writer", type="LMV1",
            access_id=self.key["accessId"], secret=self.key["accessKey"],
        )  # fmt: skip

    def forward(self, method, path="", **fields):
        return self.world.forward("writer", method, path or self.path, **{"portal": self.portal} | fields)

    def outcome_of(self, method, **fields):
        """OK, or the reason of the refusal."""
        try:
            reply = self.forward(method, timeout=20, **fields)
        except Refusal as refusal:
            self.assertEqual(refusal.code, CODE_OF[refusal.reason], refusal)
            return refusal.reason
        self.assertTrue(200 <= reply.status <= 599)
        return "OK"

    def under(self, fault, method, **fields):
        """The outcome of a call under a fault, and how often the portal has seen the call."""
        self.world.portal.control("POST", "/reset")
        self.world.portal.control("POST", "/faults", fault)
        self.fresh_portal()
        outcome = self.outcome_of(method, **fields)
        return outcome, len(self.sent())

    def connections(self):
        return self.world.portal.control("GET", "/connections")["open"]

    def test_a_get_is_told_what_happened(self):
        for fault, wanted, _ in FAULTS:
            with self.subTest(fault=fault):
                outcome, times = self.under(fault, "GET")
                self.assertIn(outcome, wanted)
                self.assertLessEqual(times, 4)

    def test_law6_a_mutation_is_sent_at_most_once(self):
        for fault, _, wanted in FAULTS:
            for method in ("POST", "DELETE"):
                with self.subTest(fault=fault, method=method):
                    outcome, times = self.under(fault, method)
                    self.assertIn(outcome, wanted)
                    self.assertEqual(times, 1)

    def test_a_get_is_repeated_when_its_answer_was_lost(self):
        for name in ("drop-before-commit", "drop-after-commit", "reset"):
            with self.subTest(fault=name):
                self.world.portal.control("POST", "/reset")
                self.world.portal.fault(name, count=1)
                reply = self.forward("GET")
                self.assertEqual((reply.status, reply.attempts), (200, 2))
                self.assertEqual(len(self.sent()), 2)

    def test_a_mutation_is_repeated_only_when_the_caller_allows_it(self):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            with self.subTest(method=method):
                outcome, times = self.under({"name": "drop-after-commit", "count": 1}, method, idempotent=True)
                self.assertEqual((outcome, times), ("OK", 2))

    def test_an_answer_that_got_lost_says_how_to_find_out(self):
        self.world.portal.fault("drop-after-commit")
        refusal = self.forward_refused("OUTCOME_UNKNOWN", "writer", "POST", self.path, portal=self.portal)
        self.assertRegex(refusal.message, r"read|list|look")
        self.assertTrue(self.sent()[0]["committed"])

    def test_what_certainly_never_left_is_no_unknown_outcome(self):
        for method in ("GET", "POST", "DELETE"):
            refusal = self.forward_refused("PORTAL_UNREACHABLE", "writer", method, self.path, portal="portals/down")
            self.assertNotIn("localhost", refusal.message)

    def test_a_connection_that_the_portal_closed_in_between_costs_no_call(self):
        for method in ("GET", "POST", "DELETE"):
            with self.subTest(method=method):
                self.world.portal.control("POST", "/reset")
                self.fresh_portal()
                self.world.portal.fault("close-after-reply", count=1)
                before = self.connections()
                self.forward("GET")
                wait_for("closed connection", lambda: self.connections() <= before)
                self.assertEqual(self.outcome_of(method), "OK")
                self.assertEqual(len(self.sent()), 2)

    def test_a_second_reply_is_never_the_answer_to_another_call(self):
        self.world.portal.fault("two-replies", count=1)
        for _ in range(3):
            reply = self.forward("GET")
            self.assertNotIn(b"smuggled", reply.body)
        self.assertEqual(len(self.sent()), 3)

    def test_a_length_that_is_too_short_taints_no_other_call(self):
        self.world.portal.fault("wrong-length", by=-3, count=1)
        self.under({"name": "wrong-length", "by": -3, "count": 1}, "GET")
        self.world.portal.control("POST", "/reset")
        self.assertEqual(json.loads(self.forward("GET", ECHO + "/b").body)["path"], ECHO + "/b")

    def test_a_compressed_reply_is_handed_on_readable(self):
        self.world.portal.fault("gzip-body")
        reply = self.forward("GET")
        self.assertNotIn("content-encoding", self.headers(reply.headers))
        self.assertEqual(json.loads(reply.body)["path"], self.path)

    def test_a_clock_that_is_off_is_no_reason_to_fail(self):
        for seconds in (-600, 600):
            self.world.portal.control("POST", "/clock", {"offset": seconds})
            self.assertEqual(self.outcome_of("GET"), "OK")

    def test_the_portals_certificate_must_be_of_the_host_and_of_a_trusted_issuer(self):
        for portal in ("misnamed", "forged"):
            with self.subTest(portal=portal):
                refusal = self.forward_refused(
                    "PORTAL_UNREACHABLE", "writer", "POST", self.path, portal=f"portals/{portal}"
                )
                self.assertEqual(refusal.metadata["phase"], "tls")
        self.assertEqual(self.sent(), [])


if __name__ == "__main__":
    unittest.main()
