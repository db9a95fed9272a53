"""Calls that do not end by themselves: deadlines, callers who leave, crowds, a broker that is told to stop."""

import signal
import time
import unittest

import grpc

from broker import wait_for
from case import ECHO, ForwardCase
from schema import Refusal
from world import PORTAL, World

SLOW = 30  # seconds; no test waits so long


class DeadlineTest(ForwardCase):
    def begin(self, method="GET", rest="/a", timeout=60.0, who="writer", **fields):
        return self.world.begin(who, "ForwardService/Forward", portal=PORTAL, method=method, path=ECHO + rest,
                                timeout=timeout, **fields)  # fmt: skip

    def aborted(self):
        """The request that the broker gave up, once the portal has noticed."""
        return wait_for("aborted request", lambda: next((each for each in self.sent() if each["aborted"]), None))

    def test_a_deadline_ends_the_transfer_and_is_audited(self):
        for method, reasons in (("GET", {"DEADLINE"}), ("POST", {"DEADLINE", "OUTCOME_UNKNOWN"})):
            with self.subTest(method=method):
                self.world.portal.control("POST", "/reset")
                self.world.portal.fault("slow-head", seconds=SLOW)
                rest = f"/deadline/{method}"
                with self.assertRaises(Refusal) as caught:
                    self.world.finish(self.begin(method, rest, timeout=1.0))
                self.assertIn(caught.exception.code, ("DEADLINE_EXCEEDED", "UNKNOWN"))
                self.assertEqual(self.aborted()["path"], f"/santaba/rest{ECHO}{rest}")
                record = self.world.outcome(path=ECHO + rest)
                self.assertIn(record["code"], ("DEADLINE_EXCEEDED", "UNKNOWN", "CANCELLED"))
                self.assertIn(record.get("reason", ""), reasons | {""})

    def test_a_caller_who_leaves_ends_the_transfer_and_is_audited(self):
        for method in ("GET", "POST"):
            with self.subTest(method=method):
                self.world.portal.control("POST", "/reset")
                self.world.portal.fault("slow-head", seconds=SLOW)
                rest = f"/cancelled/{method}"
                future = self.begin(method, rest)
                self.world.await_request(rest)
                future.cancel()
                self.assertTrue(self.aborted())
                self.assertEqual(self.world.outcome(path=ECHO + rest)["code"], "CANCELLED")

    def test_a_body_that_dribbles_in_ends_at_the_deadline(self):
        self.world.portal.fault("slow-body", bytes=1, seconds=1)
        with self.assertRaises(Refusal) as caught:
            self.world.finish(self.begin(rest="/dribble", timeout=1.0))
        self.assertEqual(caught.exception.code, "DEADLINE_EXCEEDED")
        self.aborted()

    def test_a_caller_who_leaves_does_not_hurt_the_others(self):
        self.world.portal.fault("slow-head", path=ECHO + "/slow", seconds=1)
        kept, left = self.begin(rest="/slow"), self.begin(rest="/slow")
        wait_for("both calls", lambda: len(self.sent()) == 2)
        left.cancel()
        self.assertEqual(self.world.finish(kept).status, 200)
        self.assertEqual(self.echo("GET")["path"], ECHO + "/a")

    def test_typed_calls_end_at_their_deadline_too(self):
        self.world.portal.fault("slow-head", seconds=SLOW, path="/setting/*")
        with self.assertRaises(Refusal) as caught:
            self.world.call("operator", "TokenService/ListTokens", parent=PORTAL, timeout=1.0)
        self.assertEqual(caught.exception.code, "DEADLINE_EXCEEDED")
        self.aborted()


    def test_law7_a_silent_portal_keeps_no_operator_waiting(self):
        """What needs no portal is answered while many calls wait for one."""
        self.world.portal.fault("slow-head", seconds=SLOW, path="/setting/*")
        waiting = [self.world.begin("manager", "TokenService/ListTokens", parent=f"{PORTAL}/admins/33")
                   for _ in range(40)]  # fmt: skip
        self.world.await_request("/apitokens")
        question = {"caller": "inventory", "token": {"verb": "list", "parent": PORTAL}}
        try:
            self.world.call("operator", "OperatorService/GetStatus", timeout=10)
            self.world.call("operator", "PolicyService/ExplainAccess", timeout=10, **question)
            self.world.call("operator", "CredentialService/ListCredentials", timeout=10, parent=PORTAL)
        finally:
            for future in waiting:
                future.cancel()


class CrowdTest(ForwardCase):
    """Law 7: too many calls at once are refused at once."""

    CONFIG = {"listen": {"limits": {"in_flight": 3, "in_flight_per_caller": 2}}}

    def hold(self, who, rest):
        future = self.world.begin(who, "ForwardService/Forward", portal=PORTAL, method="GET", path=ECHO + rest)
        self.world.await_request(rest)
        return future

    def test_law7_one_caller_has_a_share_and_all_have_a_bound(self):
        self.world.portal.fault("slow-head", seconds=SLOW)
        held = [self.hold("writer", "/1"), self.hold("writer", "/2")]
        start = time.monotonic()
        refusal = self.forward_refused("CALLER_LIMIT", "writer", "GET", ECHO + "/3")
        self.assertIsNotNone(refusal.retry_after)
        held.append(self.hold("bearer", "/4"))
        refusal = self.forward_refused("QUEUE_FULL", "inventory", "GET", "/device/devices")
        self.assertIsNotNone(refusal.retry_after)
        self.assertLess(time.monotonic() - start, SLOW / 2)
        self.assertEqual(len(self.sent()), 3)
        for future in held:
            future.cancel()
        wait_for("free places", lambda: len([each for each in self.sent() if each["aborted"]]) == 3)
        self.world.portal.control("DELETE", "/faults")
        self.assertEqual(self.echo("GET")["path"], ECHO + "/a")


class DrainTest(unittest.TestCase):
    """SIGTERM."""

    def world(self, drain):
        world = World(config={"listen": {"drain": drain}})
        self.addCleanup(world.close)
        world.start()
        world.credential("writer", 32)
        return world

    def test_calls_in_flight_end_well_and_new_ones_are_not_taken(self):
        world = self.world("30s")
        world.portal.fault("slow-head", seconds=2, path=ECHO + "/slow")
        future = world.begin("writer", "ForwardService/Forward", portal=PORTAL, method="POST", path=ECHO + "/slow")
        world.await_request("/slow")
        world.broker.signal(signal.SIGTERM)
        self.assertEqual(world.finish(future).status, 200)
        with self.assertRaises(Refusal) as caught:
            world.forward("writer", "GET", ECHO + "/late", timeout=5)
        self.assertEqual(caught.exception.code, "UNAVAILABLE")
        self.assertEqual(world.broker.process.wait(60), 0)
        self.assertEqual(len(world.portal.requests()), 1)
        outcomes = [record for record in world.broker.audit() if record.get("path") == ECHO + "/slow"]
        self.assertEqual([record["kind"] for record in outcomes], ["intent", "outcome"])

    def test_what_does_not_end_within_the_grace_is_cut(self):
        world = self.world("1s")
        world.portal.fault("slow-head", seconds=SLOW)
        future = world.begin("writer", "ForwardService/Forward", portal=PORTAL, method="GET", path=ECHO + "/slow")
        world.await_request("/slow")
        start = time.monotonic()
        self.assertEqual(world.broker.end(signal.SIGTERM), 0)
        self.assertLess(time.monotonic() - start, SLOW / 2)
        with self.assertRaises(grpc.RpcError):
            future.result()
        outcomes = [record["kind"] for record in world.broker.audit() if record.get("path") == ECHO + "/slow"]
        self.assertEqual(outcomes, ["intent", "outcome"])


if __name__ == "__main__":
    unittest.main()
