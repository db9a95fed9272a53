"""The audit trail: one intent and one outcome for every call, whatever became of it; nothing happens unaudited."""

import re
import time
import unittest

from broker import wait_for
from case import ECHO, BrokerTest, ForwardCase
from schema import Refusal
from world import PORTAL

READER = f"{PORTAL}/admins/33"
DIGEST = re.compile(r"[0-9a-f]{64}")


class AuditTest(ForwardCase):
    def assert_pair(self, records):
        """One intent, then one outcome; the intent's fields are the outcome's, too."""
        self.assertEqual([record["kind"] for record in records], ["intent", "outcome"])
        intent, outcome = records
        for name in set(intent) - {"seq", "time", "kind", "prev", "hash"}:
            self.assertEqual(outcome.get(name), intent[name], name)
        self.assertLess(intent["seq"], outcome["seq"])
        self.assertRegex(outcome["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d)$")
        self.assertGreater(outcome["duration_us"], 0)
        self.assertRegex(outcome["peer"], r"^ipv4:127\.0\.0\.1:\d+$")
        return outcome

    def test_an_allowed_forward_is_told_in_full(self):
        reply = self.world.forward(
            "writer", "POST", ECHO + "/audited", query=[{"name": "q", "value": "private"}], body=b'{"a":"private"}'
        )
        outcome = self.assert_pair(self.world.pair(reply.request_id))
        for name, value in {
            "caller": "writer", "identity": "dns:writer.corp.example", "method": "/lmbroker.v1.ForwardService/Forward",
            "portal": PORTAL, "rule": "writer.forward[0]", "credential": f"{PORTAL}/credentials/writer",
            "http_method": "POST", "path": ECHO + "/audited", "decision": "allowed", "code": "OK", "http_status": 200,
            "attempts": 1,
        }.items():  # fmt: skip
            self.assertEqual(outcome[name], value, name)
        self.assertRegex(outcome["query_digest"], DIGEST)
        self.assertRegex(outcome["body_digest"], DIGEST)
        self.assertRegex(outcome["access_id"], r"^[A-Za-z0-9]{20}$")
        self.assertNotIn("private", str(outcome))

    def test_a_refused_and_an_invalid_forward_are_pairs_too(self):
        for reason, who, method, path in (
            ("NO_GRANT", "stranger", "GET", "/device/devices"),
            ("PATH_NOT_PLAIN", "writer", "GET", "/device/.."),
            ("SECRET_ENDPOINT", "writer", "GET", "/setting/admins/apitokens"),
            ("ACCOUNT_ENDPOINT", "writer", "DELETE", "/setting/roles/3"),
            ("NO_IDENTITY", "two-uris", "GET", "/device/devices"),
        ):
            with self.subTest(reason=reason):
                refusal = self.forward_refused(reason, who, method, path)
                outcome = self.assert_pair(self.world.pair(refusal.request_id))
                self.assertEqual((outcome["decision"], outcome["reason"]), ("refused", reason))
                self.assertEqual(outcome["code"], refusal.code)

    def test_a_failed_call_says_how_it_failed(self):
        self.world.portal.fault("drop-after-commit")
        refusal = self.forward_refused("OUTCOME_UNKNOWN", "writer", "POST", ECHO + "/a")
        outcome = self.assert_pair(self.world.pair(refusal.request_id))
        self.assertEqual((outcome["decision"], outcome["reason"]), ("allowed", "OUTCOME_UNKNOWN"))
        self.assertEqual((outcome["attempts"], outcome.get("http_status")), (1, None))

    def test_a_call_that_timed_out_or_was_given_up_is_a_pair(self):
        self.world.portal.fault("slow-head", seconds=30)
        with self.assertRaises(Refusal):
            self.world.forward("writer", "GET", ECHO + "/late", timeout=1)
        future = self.world.begin("writer", "ForwardService/Forward", portal=PORTAL, method="GET", path=ECHO + "/gone")
        self.world.await_request("/gone")
        future.cancel()
        for rest, codes in (("/late", ("DEADLINE_EXCEEDED", "CANCELLED")), ("/gone", ("CANCELLED",))):
            outcome = self.world.outcome(path=ECHO + rest)
            self.assertIn(outcome["code"], codes)
            self.assert_pair(self.world.pair(outcome["id"]))

    def test_every_typed_call_is_a_pair_with_its_resource(self):
        name = self.world.call("operator", "TokenService/CreateToken", parent=READER).token.name
        calls = (
            ("TokenService/GetToken", {"name": name}, name),
            ("TokenService/UpdateToken", {"token": {"name": name, "note": "a"}}, name),
            ("TokenService/ToggleToken", {"name": name, "status": "DISABLED"}, name),
            ("TokenService/ListTokens", {"parent": READER}, READER),
            ("TokenService/DeleteToken", {"name": name}, name),
            ("CredentialService/ListCredentials", {"parent": PORTAL}, PORTAL),
            ("CredentialService/ProbeCredential", {"name": f"{PORTAL}/credentials/writer"},
             f"{PORTAL}/credentials/writer"),
            ("PolicyService/ExplainAccess", {"caller": "inventory", "token": {"verb": "list", "parent": PORTAL}}, None),
            ("PolicyService/ExplainSignature",
             {"forward": {"portal": PORTAL, "method": "GET", "path": "/device/devices"}}, None),
            ("PolicyService/DiffPolicy", {"policy_yaml": ""}, None),
            ("PolicyService/ListGrants", {"caller": "inventory"}, None),
            ("OperatorService/GetStatus", {}, None),
        )  # fmt: skip
        for method, fields, resource in calls:
            with self.subTest(method=method):
                before = self.world.broker.audit()[-1]["seq"]
                self.world.call("operator", method, **fields)
                full = "/lmbroker.v1." + method
                outcome = wait_for("outcome", lambda: next((
                    record for record in self.world.broker.audit()
                    if record["seq"] > before and record["kind"] == "outcome" and record["method"] == full), None))
                self.assert_pair(self.world.pair(outcome["id"]))
                self.assertEqual((outcome["code"], outcome["decision"]), ("OK", "allowed"))
                if resource:
                    self.assertEqual(outcome["resource"], resource)

    def test_a_create_names_the_token_that_came_of_it(self):
        name = self.world.call("operator", "TokenService/CreateToken", parent=READER).token.name
        self.world.outcome(method="/lmbroker.v1.TokenService/CreateToken", resource=name, code="OK")

    def test_numbers_rise_by_one_and_ids_are_unique(self):
        self.world.forward("writer", "GET", ECHO + "/a")
        records = self.world.broker.audit()
        numbers = [record["seq"] for record in records]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
        outcomes = [record["id"] for record in records if record["kind"] == "outcome"]
        self.assertEqual(len(outcomes), len(set(outcomes)))


class RefusalCountTest(BrokerTest):
    """A stranger cannot fill the disk."""

    MASTER = False

    def test_law7_refusals_beyond_twenty_a_second_are_counted_not_listed(self):
        calls = 150
        start = time.monotonic()
        for _ in range(calls):
            self.refused("NO_GRANT", "stranger", "OperatorService/GetStatus")
        seconds = time.monotonic() - start
        stranger = "spiffe://corp.example/ns/stranger/sa/app"

        def told():
            mine = [record for record in self.world.broker.audit() if record.get("identity") == stranger]
            listed = sum(record["kind"] == "outcome" for record in mine)
            counted = sum(record["count"] for record in mine if record["kind"] == "refusals")
            return (listed, counted) if listed + counted == calls else None

        listed, counted = wait_for("all refusals", told)
        self.assertLessEqual(listed, 20 * (int(seconds) + 2))
        if seconds < 3:
            self.assertGreater(counted, 0)

    def test_others_are_not_counted_with_it(self):
        for _ in range(40):
            self.refused("NO_GRANT", "stranger", "OperatorService/GetStatus")
        refusal = self.refused("NO_GRANT", "inventory", "OperatorService/GetStatus")
        self.assertEqual(len(self.world.pair(refusal.request_id)), 2)


class FloodTest(BrokerTest):
    """The same with all that a stranger can send."""

    MASTER = False

    def flood(self, seconds: float) -> None:
        path = "/" + "p" * 2000  # long, so that what may be written at once is soon used up
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            calls = [
                self.world.begin("stranger", "ForwardService/Forward", portal=PORTAL, method="GET", path=path)
                for _ in range(32)
            ]
            self.assertTrue(all(call.exception() is not None for call in calls))

    def test_law7_a_stranger_at_full_speed_adds_less_than_a_mebibyte_a_minute(self):
        file, broker = self.world.folder / "audit/audit.jsonl", self.world.broker
        self.flood(3)
        before, logged, start = file.stat().st_size, len(broker.log), time.monotonic()
        self.flood(5)
        minutes = (time.monotonic() - start) / 60
        self.assertLess((file.stat().st_size - before) / minutes, 1 << 20)
        self.assertLess((len(broker.log) - logged) / minutes, 1 << 20)
        self.assertTrue(any(record["kind"] == "refusals" for record in self.world.broker.audit()))


class UnwritableAuditTest(ForwardCase):
    """Law 4: what cannot be audited does not happen."""

    def setUp(self):
        super().setUp()
        # The folder is gone and its name is taken: nothing can be opened there, by root neither.
        self.folder = self.world.folder / "audit"
        self.away = self.world.folder / "audit-away"
        self.folder.rename(self.away)
        self.folder.write_text("in the way")

    def tearDown(self):
        if self.away.exists():
            self.folder.unlink()
            self.away.rename(self.folder)
            wait_for("working audit", self.works)

    def works(self):
        try:
            return self.world.forward("writer", "POST", ECHO + "/works").status == 200
        except Refusal:
            return False

    def test_law4_a_mutation_that_cannot_be_audited_is_refused_and_nothing_is_sent(self):
        start = time.monotonic()
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            self.forward_refused("AUDIT_UNAVAILABLE", "writer", method, ECHO + "/a")
        tokens = len(self.world.token_rows())
        self.refused("AUDIT_UNAVAILABLE", "manager", "TokenService/CreateToken", parent=READER)
        self.refused(
            "AUDIT_UNAVAILABLE", "operator", "CredentialService/ToggleCredential",
            name=f"{PORTAL}/credentials/writer", status="DISABLED",
        )  # fmt: skip
        self.assertEqual(self.sent(), [])
        self.assertEqual(len(self.world.token_rows()), tokens)
        self.assertLess(time.monotonic() - start, 30)

    def test_a_refusal_needs_no_writable_audit(self):
        self.forward_refused("NO_GRANT", "stranger", "POST", "/device/devices")
        self.forward_refused("PATH_NOT_PLAIN", "writer", "POST", "/device/..")

    def test_it_is_told_and_it_ends_when_the_audit_works_again(self):
        self.forward_refused("AUDIT_UNAVAILABLE", "writer", "POST", ECHO + "/a")
        self.folder.unlink()
        self.away.rename(self.folder)
        wait_for("working audit", self.works)
        status = self.world.call("operator", "OperatorService/GetStatus")
        self.assertEqual(status.audit.error, "")
        records = self.world.broker.audit()
        numbers = [record["seq"] for record in records]
        self.assertEqual(numbers, sorted(set(numbers)))


if __name__ == "__main__":
    unittest.main()
