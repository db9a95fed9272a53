"""Tokens that end by themselves: what a lease is given, what its end does here and at the portal, over faults, restarts
and kills. That a token is deleted after the grace of ten minutes is for the unit tests, whose clock is their own."""

import time
import unittest

from broker import wait_for
from case import BrokerTest
from world import PORTAL

READER = f"{PORTAL}/admins/33"
PATCHES = "/setting/admins/33/apitokens/*"
DISABLED, ENABLED = 1, 2
ACTIVE, EXPIRED, OFF, STUCK = 1, 2, 3, 4
POLICY = """
callers:
  - name: leaser
    identities: ["dns:writer.corp.example"]
    forward:
      - { portal: acme, credential: leased, methods: [GET], paths: ["/device/**"], share: 1h }
    tokens:
      - { portal: acme, admins: [33], types: [LMV1], verbs: [create, list, get, toggle, delete], max_ttl: 2h }
      - { portal: acme, admins: [33], types: [LMV1], verbs: [create], max_ttl: 1h }
      - { portal: acme, admins: [34], verbs: [create] }
  - name: handover
    identities: ["dns:handover.corp.example"]
    tokens:
      - { portal: acme, admins: [33], verbs: [create, get], hand_over: true, max_ttl: 90m }
  - name: operators
    identities: ["dns:ops.corp.example"]
    operator: true
"""


class LeaseTest(BrokerTest):
    POLICY = POLICY

    def setUp(self):
        super().setUp()
        wait_for("ends of the tokens of other tests", lambda: not {EXPIRED, STUCK} & {
            lease.state for lease in self.world.call(
                "operator", "OperatorService/ListLeases", portal=PORTAL, page_size=1000).leases})  # fmt: skip

    def create(self, seconds=None, who="writer", parent=READER, **fields):
        if seconds is not None:
            fields["ttl"] = {"seconds": seconds}
        return self.world.call(who, "TokenService/CreateToken", parent=parent, **fields).token

    def lease(self, name):
        """Its lease, or None."""
        page = self.world.call("operator", "OperatorService/ListLeases", portal=PORTAL, page_size=1000)
        return next((lease for lease in page.leases if lease.token == name), None)

    def stuck(self):
        page = self.world.call("operator", "OperatorService/ListLeases", portal=PORTAL, stuck_only=True)
        return [lease.token for lease in page.leases]

    def revoke(self, name):
        return self.world.call("operator", "OperatorService/RevokeLease", name=name)

    def status(self, name):
        """At the portal; None when it is gone."""
        number = int(name.rpartition("/")[2])
        return next((row["status"] for row in self.world.token_rows() if row["id"] == number), None)

    def ends(self, name, seconds=60):
        """Row 14 of the promises: it is disabled within a minute of its expiry."""
        wait_for("end of the token", lambda: self.status(name) != ENABLED, seconds)

    def lives(self, token):
        return token.expire_time.seconds - token.created_on.seconds

    # --- What is given ------------------------------------------------------------------------------

    def test_a_ttl_is_shown_wherever_the_token_is(self):
        before = time.time()
        token = self.create(3600)
        self.assertAlmostEqual(token.expire_time.seconds, before + 3600, delta=60)
        got = self.world.call("writer", "TokenService/GetToken", name=token.name)
        self.assertEqual(got.expire_time, token.expire_time)
        listed = self.world.call("writer", "TokenService/ListTokens", parent=READER, page_size=1000).tokens
        self.assertIn(token.expire_time, [each.expire_time for each in listed if each.name == token.name])
        lease = self.lease(token.name)
        self.assertEqual((lease.state, lease.attempts, lease.last_error), (ACTIVE, 0, ""))
        self.assertEqual(lease.expire_time, token.expire_time)

    def test_a_grant_with_max_ttl_leases_every_token_for_the_longest_time_of_all_grants(self):
        self.assertAlmostEqual(self.lives(self.create()), 7200, delta=60)
        self.assertAlmostEqual(self.lives(self.create(7200)), 7200, delta=60)
        reply = self.world.call("handover", "TokenService/CreateToken", parent=READER, hand_over=True)
        self.assertAlmostEqual(self.lives(reply.token), 5400, delta=60)

    def test_a_longer_ttl_is_refused_with_the_rule_and_its_limit(self):
        for who, fields, rule, limit in (
            ("writer", {}, "leaser.tokens[0]", "2h"),
            ("handover", {"hand_over": True}, "handover.tokens[0]", "1h30m"),
        ):
            refusal = self.refused(
                "NO_GRANT", who, "TokenService/CreateToken", parent=READER, ttl={"seconds": 7201}, **fields
            )
            self.assertEqual(refusal.metadata["rule"], rule)
            self.assertIn(limit, refusal.message)
        self.assertEqual(self.sent(), [])

    def test_without_a_limit_a_token_is_leased_only_where_it_is_asked_for(self):
        for token in (self.create(parent=f"{PORTAL}/admins/34"), self.create(who="operator")):
            self.assertFalse(token.HasField("expire_time"))
            self.assertIsNone(self.lease(token.name))
            self.refused("UNKNOWN_TOKEN", "operator", "OperatorService/RevokeLease", name=token.name)
        self.assertAlmostEqual(self.lives(self.create(100000, parent=f"{PORTAL}/admins/34")), 100000, delta=60)
        self.assertAlmostEqual(self.lives(self.create(100000, who="operator")), 100000, delta=60)

    def test_a_ttl_has_bounds_that_are_said(self):
        for ttl in ({}, {"seconds": -1}, {"nanos": 999_999_999}, {"seconds": 87600 * 3600 + 1}):
            refusal = self.refused("FIELD_INVALID", "writer", "TokenService/CreateToken", parent=READER, ttl=ttl)
            self.assertEqual(refusal.fields, ["ttl"])
            self.assertIn("1s to 87600h", refusal.message)

    def test_explain_judges_a_ttl_as_a_create_would_be(self):
        def explain(caller, **fields):
            access = {"verb": "create", "parent": READER} | fields
            return self.world.call("operator", "PolicyService/ExplainAccess", caller=caller, token=access)

        self.assertTrue(explain("leaser").allowed)
        self.assertTrue(explain("leaser", ttl={"seconds": 7200}).allowed)
        self.assertEqual(explain("leaser", ttl={"seconds": 3601}).rule, "leaser.tokens[0]")
        refused = explain("leaser", ttl={"seconds": 7201})
        self.assertEqual((refused.allowed, refused.reason, refused.rule), (False, "NO_GRANT", "leaser.tokens[0]"))
        self.assertIn("max_ttl: is 2h", refused.nearest[0].failed)
        self.assertTrue(explain("operators", ttl={"seconds": 7201}).allowed)
        self.refused(
            "FIELD_INVALID", "operator", "PolicyService/ExplainAccess", caller="leaser",
            token={"verb": "create", "parent": READER, "ttl": {}},
        )  # fmt: skip

    # --- What its end does --------------------------------------------------------------------------

    def test_signing_ends_at_the_expiry_even_though_the_portal_does_not_listen(self):
        token = self.create(3, credential_id="leased")
        path = "/device/devices/7"
        self.assertEqual(self.world.forward("writer", "GET", path).status, 200)
        self.world.portal.fault("unavailable", method="PATCH", path=PATCHES)
        self.world.portal.control("DELETE", "/requests")
        left = token.expire_time.seconds + token.expire_time.nanos / 1e9 - time.time()
        wait_for("expiry", lambda: time.time() > token.expire_time.seconds + token.expire_time.nanos / 1e9, left + 10)
        for fresh in (False, True):  # kept replies are for those who may sign
            self.forward_refused("CREDENTIAL_DISABLED", "writer", "GET", path, fresh=fresh)
        self.assertEqual(self.status(token.name), ENABLED)
        self.refused(
            "CREDENTIAL_DISABLED", "writer", "TokenService/ToggleToken", name=token.name, status="ENABLED"
        )
        self.assertEqual([request for request in self.sent() if request["path"].endswith(path)], [])
        self.world.portal.control("POST", "/reset")
        self.ends(token.name)
        self.world.call("writer", "TokenService/DeleteToken", name=token.name)

    def test_expired_token_is_disabled_within_a_minute_under_faults(self):
        faults = ("drop-after-commit", "drop-before-commit", "unavailable", "internal-error", "malformed-json")
        for number, fault in enumerate(faults, start=1):  # behind the last step of the create
            self.world.portal.fault(fault, method="PATCH", path=PATCHES, skip=number, count=1)
        token = self.create(1)
        self.ends(token.name)
        wait_for("its lease to know", lambda: self.lease(token.name).state == OFF)
        lease = self.lease(token.name)
        self.assertEqual((lease.attempts, lease.last_error), (0, ""))
        self.assertAlmostEqual(lease.next_time.seconds, lease.disable_time.seconds + 600, delta=5)
        self.assertEqual(self.world.call("writer", "TokenService/GetToken", name=token.name).status, DISABLED)

    def test_what_is_gone_at_the_portal_is_done(self):
        token = self.create(1)
        self.world.portal.control("DELETE", f"/tokens/{token.name.rpartition('/')[2]}")
        wait_for("end of the lease", lambda: self.lease(token.name) is None)
        self.refused("UNKNOWN_CREDENTIAL", "operator", "CredentialService/GetCredential", name=token.credential)

    def test_stuck_is_listed_not_looped_and_comes_loose_when_it_is_revoked(self):
        token = self.create(1)
        self.world.portal.fault("status", status=403, code=1403, message="No permission", method="PATCH", path=PATCHES)
        wait_for("stuck lease", lambda: token.name in self.stuck())
        lease = self.lease(token.name)
        self.assertEqual((lease.state, lease.attempts), (STUCK, 1))
        self.assertIn("PORTAL_DENIED", lease.last_error)
        self.assertGreater(lease.next_time.seconds, time.time() + 1500)
        tries = len(self.sent_mutations())
        status = self.world.call("operator", "OperatorService/GetStatus").portals
        self.assertEqual([each.stuck_leases for each in status if each.portal == PORTAL], [1])
        self.assertIn('lmbroker_stuck_leases{portal="acme"} 1', self.world.ops("/metrics")[1])
        code, text = self.world.ops("/readyz")
        self.assertEqual(code, 200)
        self.assertIn("1 leases of portals/acme are stuck", text)
        self.refused("PORTAL_DENIED", "operator", "OperatorService/RevokeLease", name=token.name)
        self.assertEqual(len(self.sent_mutations()), tries + 1)
        self.world.portal.control("POST", "/reset")
        self.assertEqual(self.revoke(token.name).state, OFF)
        self.assertEqual(self.stuck(), [])
        self.assertEqual(self.status(token.name), DISABLED)

    def test_leases_survive_ends_of_every_kind(self):
        for end in (self.world.stop, self.world.kill):
            with self.subTest(end=end.__name__):
                token = self.create(4, credential_id=f"kept-{end.__name__}")
                long = self.create(3600)
                end()
                self.world.restart()
                self.assertEqual(self.lease(long.name).expire_time, long.expire_time)
                self.ends(token.name)
                self.assertEqual(self.status(long.name), ENABLED)

    def test_a_kill_in_the_midst_of_a_step_loses_nothing(self):
        token = self.create(1)
        self.world.portal.fault("slow-head", seconds=30, method="PATCH", path=PATCHES)
        self.world.await_request("/apitokens/" + token.name.rpartition("/")[2], method="PATCH")
        wait_for("step under way", lambda: any(
            record.get("method") == "lease/disable" and record.get("resource") == token.name
            for record in self.world.broker.audit()))  # fmt: skip
        self.world.kill()
        self.world.portal.control("POST", "/reset")
        self.world.restart()
        self.ends(token.name)
        wait_for("its lease to know", lambda: self.lease(token.name).state == OFF)

    def test_nothing_is_done_while_sealed_and_all_of_it_afterwards(self):
        token = self.create(2)
        self.world.call("operator", "OperatorService/Seal")
        self.world.portal.control("DELETE", "/requests")
        time.sleep(4)  # nothing is what there is to see
        self.assertEqual(self.sent(), [])
        self.assertEqual(self.lease(token.name).state, EXPIRED)
        self.world.call("operator", "OperatorService/Unseal")
        self.ends(token.name)

    def test_every_step_is_a_pair_in_the_audit(self):
        token = self.create(1)
        self.ends(token.name)
        outcome = self.world.outcome(method="lease/disable", resource=token.name, code="OK")
        pair = self.world.pair(outcome["id"])
        self.assertEqual([record["kind"] for record in pair], ["intent", "outcome"])
        for field, value in (("identity", "lmbroker"), ("rule", "lease"), ("portal", PORTAL), ("http_method", "PATCH")):
            self.assertEqual(pair[0][field], value)
        self.assertEqual((outcome["decision"], outcome["http_status"]), ("allowed", 200))
        self.assertNotIn("caller", pair[0])

    # --- What operators do --------------------------------------------------------------------------

    def test_a_revoked_lease_ends_now(self):
        token = self.create(3600, credential_id="revoked")
        self.refused("NO_GRANT", "writer", "OperatorService/RevokeLease", name=token.name)
        lease = self.revoke(token.name)
        self.assertEqual((lease.token, lease.state), (token.name, OFF))
        self.assertLessEqual(lease.expire_time.seconds, time.time())
        self.assertEqual(self.status(token.name), DISABLED)
        probe = self.world.call("operator", "TokenService/GetToken", name=token.name)
        self.assertEqual(probe.expire_time, lease.expire_time)
        self.assertEqual(self.revoke(token.name), lease)
        self.world.call("writer", "TokenService/DeleteToken", name=token.name)
        self.refused("UNKNOWN_TOKEN", "operator", "OperatorService/RevokeLease", name=token.name)

    def test_a_revocation_that_the_portal_does_not_confirm_goes_on_in_the_background(self):
        token = self.create(3600)
        self.world.portal.fault("internal-error", method="PATCH", path=PATCHES, count=1)
        refusal = self.refused("OUTCOME_UNKNOWN", "operator", "OperatorService/RevokeLease", name=token.name)
        self.assertEqual(refusal.metadata["token"], token.name)
        self.ends(token.name)

    def test_leases_come_in_pages(self):
        made = {self.create(3600).name for _ in range(5)}
        seen, page_token = [], ""
        while True:
            page = self.world.call(
                "operator", "OperatorService/ListLeases", portal=PORTAL, page_size=2, page_token=page_token
            )
            self.assertLessEqual(len(page.leases), 2)
            seen += [lease.token for lease in page.leases]
            page_token = page.next_page_token
            if not page_token:
                break
        self.assertLessEqual(made, set(seen))
        self.assertEqual(len(seen), len(set(seen)))
        for fields in ({"portal": "x"}, {}, {"portal": PORTAL, "page_size": -1}, {"portal": PORTAL, "page_token": "x"}):
            self.refused("FIELD_INVALID", "operator", "OperatorService/ListLeases", **fields)
        self.refused("UNKNOWN_PORTAL", "operator", "OperatorService/ListLeases", portal="portals/nowhere")


class WithoutMasterTest(BrokerTest):
    POLICY = POLICY

    def test_without_a_master_nothing_is_done_and_all_of_it_afterwards(self):
        name = f"{PORTAL}/credentials/acme-root"
        token = self.world.call(
            "writer", "TokenService/CreateToken", parent=READER, ttl={"seconds": 2}
        ).token
        self.world.call("operator", "CredentialService/ToggleCredential", name=name, status="DISABLED")
        self.world.portal.control("DELETE", "/requests")
        wait_for("pause", lambda: "leases_paused" in self.world.broker.log)
        self.assertEqual(self.sent(), [])
        self.refused("CREDENTIAL_DISABLED", "operator", "OperatorService/RevokeLease", name=token.name)
        self.world.call("operator", "CredentialService/ToggleCredential", name=name, status="ENABLED")
        number = int(token.name.rpartition("/")[2])
        wait_for("end of the token", lambda: [
            row["status"] for row in self.world.token_rows(33) if row["id"] == number] == [DISABLED], 60)  # fmt: skip


if __name__ == "__main__":
    unittest.main()
