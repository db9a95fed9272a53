"""Law 5, no live orphan: creates that lose their answer, their portal or their broker on the way."""

import unittest

from broker import wait_for
from case import BrokerTest
from world import PORTAL

READER = f"{PORTAL}/admins/33"
TOKENS = "/setting/admins/33/apitokens"


class TokenCrashTest(BrokerTest):
    def setUp(self):
        super().setUp()
        self.clear()

    def clear(self):
        """The user has no tokens, and the portal no faults."""
        self.world.portal.control("POST", "/reset")
        for row in self.world.token_rows(33):
            self.world.portal.control("DELETE", f"/tokens/{row['id']}")

    def begin(self, **fields):
        return self.world.begin("manager", "TokenService/CreateToken", parent=READER, timeout=30, **fields)

    def enabled(self):
        return [row for row in self.world.token_rows(33) if row["status"] == 2]

    def assert_no_live_orphan(self):
        """Every enabled token is one whose secret the broker has: it signs with it."""
        for row in self.enabled():
            token = self.world.call("operator", "TokenService/GetToken", name=f"{READER}/tokens/{row['id']}")
            self.assertTrue(token.credential, f"token {row['id']} is enabled and its secret is in no store")
            probe = self.world.call("operator", "CredentialService/ProbeCredential", name=token.credential)
            self.assertEqual(probe.result, 1)

    def test_a_token_whose_creation_was_not_answered_is_removed_again(self):
        for fault in ("drop-after-commit", "truncated-body", "garbage", "malformed-json"):
            with self.subTest(fault=fault):
                self.clear()
                commit = {"commit": 1} if fault == "malformed-json" else {}
                self.world.portal.fault(fault, method="POST", path=TOKENS, count=1, **commit)
                self.refused("PORTAL_ERROR", "manager", "TokenService/CreateToken", parent=READER)
                self.assertEqual(self.world.token_rows(33), [])
                self.assertEqual([each["method"] for each in self.sent_mutations()], ["POST", "DELETE"])

    def test_a_5xx_to_a_creation_that_happened_is_found_out_too(self):
        self.world.portal.fault("internal-error", method="POST", path=TOKENS, count=1, commit=1)
        self.refused("PORTAL_ERROR", "manager", "TokenService/CreateToken", parent=READER)
        self.assertEqual(self.world.token_rows(33), [])

    def test_a_creation_that_never_arrived_is_not_sent_twice(self):
        self.world.portal.fault("drop-before-commit", method="POST", path=TOKENS)
        self.refused("OUTCOME_UNKNOWN", "manager", "TokenService/CreateToken", parent=READER)
        self.assertEqual([each["method"] for each in self.sent_mutations()], ["POST"])
        self.assertEqual(self.world.token_rows(33), [])

    def test_what_cannot_be_removed_at_once_is_removed_in_the_background(self):
        self.world.portal.fault("drop-after-commit", method="POST", path=TOKENS, count=1)
        self.world.portal.fault("internal-error", method="GET", path="/setting/admins/*", count=1)
        self.refused("OUTCOME_UNKNOWN", "manager", "TokenService/CreateToken", parent=READER)
        self.assertEqual(self.enabled(), [])
        wait_for("removal of the orphan", lambda: not self.world.token_rows(33), 30)

    def test_a_failing_last_step_is_finished_in_the_background(self):
        self.world.portal.fault("internal-error", method="PATCH", path=TOKENS + "/*", count=1)
        refusal = self.refused(
            "OUTCOME_UNKNOWN", "manager", "TokenService/CreateToken", parent=READER, token={"note": "wanted"}
        )
        wait_for("note and status", lambda: [row["note"] for row in self.enabled()] == ["wanted"], 30)
        self.assertEqual(refusal.metadata["token"], f"{READER}/tokens/{self.enabled()[0]['id']}")
        self.assert_no_live_orphan()

    def test_a_secret_that_could_not_be_handed_over_belongs_to_no_live_token(self):
        self.world.portal.fault("unavailable", method="PATCH", path=TOKENS + "/*")
        with self.assertRaises(Exception) as caught:
            self.world.call("handover", "TokenService/CreateToken", parent=READER, hand_over=True)
        self.assertIn(caught.exception.reason, ("PORTAL_ERROR", "OUTCOME_UNKNOWN"))
        wait_for("removal of the token", lambda: not self.world.token_rows(33), 30)

    def test_law5_a_broker_killed_while_the_portal_creates_leaves_a_disabled_marked_token(self):
        for fault in ({"name": "slow-head", "seconds": 60}, {"name": "slow-body", "bytes": 1, "seconds": 1}):
            with self.subTest(fault=fault["name"]):
                self.clear()
                self.world.portal.control("POST", "/faults", fault | {"method": "POST", "path": TOKENS})
                future = self.begin(token={"note": "wanted"})
                self.world.await_request(TOKENS, method="POST", committed=True)
                self.world.kill()
                self.world.restart()
                future.cancel()
                rows = self.world.token_rows(33)
                self.assertEqual([row["status"] for row in rows], [1])
                self.assertIn("lmbroker", rows[0]["note"])
                self.assertNotIn("wanted", rows[0]["note"])

    def test_law5_a_broker_killed_during_the_last_step_has_the_secret(self):
        self.world.portal.fault("slow-head", method="PATCH", path=TOKENS + "/*", seconds=60)
        future = self.begin()
        self.world.await_request("", method="PATCH", committed=True)
        self.world.kill()
        self.world.restart()
        future.cancel()
        self.world.portal.control("DELETE", "/faults")
        self.assertEqual(len(self.enabled()), 1)
        self.assert_no_live_orphan()

    def test_a_deadline_during_the_creation_leaves_no_live_orphan(self):
        self.world.portal.fault("slow-head", method="POST", path=TOKENS, seconds=2)
        with self.assertRaises(Exception):
            self.world.call("manager", "TokenService/CreateToken", parent=READER, timeout=1)
        wait_for("end of the create", lambda: not self.enabled() and not self.world.token_rows(33), 30)


if __name__ == "__main__":
    unittest.main()
