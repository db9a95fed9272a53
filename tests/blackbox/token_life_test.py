"""The life of a token from outside: create, look, note, switch, use, delete; who keeps its secret."""

import unittest

from case import BrokerTest
from world import PORTAL

READER = f"{PORTAL}/admins/33"
DISABLED, ENABLED = 1, 2
LMV1, BEARER = 1, 2
BROKER, HANDED_OVER, FOREIGN = 1, 2, 3


class TokenLifeTest(BrokerTest):
    def create(self, who="manager", /, **fields):
        return self.world.call(who, "TokenService/CreateToken", **{"parent": READER} | fields).token

    def row(self, name):
        """The token as the portal has it, or None."""
        number = int(name.rpartition("/")[2])
        return next((row for row in self.world.token_rows() if row["id"] == number), None)

    def test_an_empty_create_makes_an_enabled_lmv1_token_in_the_brokers_custody(self):
        token = self.create()
        row = self.row(token.name)
        self.assertRegex(token.name, rf"^{READER}/tokens/\d+$")
        self.assertEqual((token.type, token.status, token.note), (LMV1, ENABLED, ""))
        self.assertEqual((row["type"], row["status"], row["note"]), ("LMV1", 2, ""))
        self.assertEqual(token.custody, BROKER)
        self.assertRegex(token.credential, rf"^{PORTAL}/credentials/[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?$")
        self.assertEqual(token.access_id, row["accessId"])
        self.assertEqual(token.admin_name, "svc-reader")
        self.assertEqual(list(token.roles), ["readonly"])
        self.assertEqual(token.created_by, "svc-broker")
        self.assertEqual(token.created_on.seconds, row["createdOn"])
        self.assertFalse(token.HasField("last_used_on"))
        self.assertFalse(token.HasField("expire_time"))

    def test_a_reply_to_a_create_has_no_secret_without_hand_over(self):
        for kind in ("LMV1", "BEARER"):
            reply = self.world.call("manager", "TokenService/CreateToken", parent=READER, token={"type": kind})
            self.assertFalse(reply.HasField("handed_over_secret"))
            self.assertIn(reply.token.masked_secret.rstrip("*"), ("", "lma_", "lmb_"))

    def test_type_note_and_status_of_a_create_are_honoured(self):
        for kind, number in (("LMV1", LMV1), ("BEARER", BEARER)):
            for status, state in (("DISABLED", DISABLED), ("ENABLED", ENABLED)):
                with self.subTest(type=kind, status=status):
                    note = "Notiz – 備考 ✓ \"'<&%"
                    token = self.create(token={"type": kind, "status": status, "note": note})
                    row = self.row(token.name)
                    self.assertEqual((token.type, token.status, token.note), (number, state, note))
                    self.assertEqual((row["type"], row["status"], row["note"]), (kind, state, note))

    def test_a_create_is_disabled_and_marked_until_its_secret_is_kept(self):
        self.create(token={"note": "wanted"})
        post, patch = [request for request in self.sent_mutations() if "/apitokens" in request["path"]]
        self.assertEqual((post["method"], patch["method"]), ("POST", "PATCH"))
        self.assertIn('"status":1', post["body"].replace(" ", ""))
        self.assertNotIn("wanted", post["body"])
        self.assertIn("wanted", patch["body"])

    def test_a_credential_id_names_the_handle_and_calls_are_signed_with_it(self):
        for kind in ("LMV1", "BEARER"):
            with self.subTest(type=kind):
                handle = "reader-" + kind.lower()
                token = self.create(token={"type": kind}, credential_id=handle)
                self.assertEqual(token.credential, f"{PORTAL}/credentials/{handle}")
                probe = self.world.call("operator", "CredentialService/ProbeCredential", name=token.credential)
                self.assertEqual(probe.result, 1)  # WORKS
                signed = self.sent()[-1]
                self.assertEqual(signed["verdict"], "good")
                self.assertEqual(signed["accessId"], token.access_id)

    def test_a_handle_in_use_is_refused_and_nothing_is_created(self):
        self.create(credential_id="taken")
        before = len(self.world.token_rows())
        self.refused("CREDENTIAL_EXISTS", "manager", "TokenService/CreateToken", parent=READER, credential_id="taken")
        self.assertEqual(len(self.world.token_rows()), before)

    def test_an_unknown_user_is_said_so(self):
        self.refused("UNKNOWN_ADMIN", "operator", "TokenService/CreateToken", parent=f"{PORTAL}/admins/9999")

    def test_a_user_who_may_own_none_is_the_portals_refusal(self):
        refusal = self.refused("PORTAL_DENIED", "operator", "TokenService/CreateToken", parent=f"{PORTAL}/admins/1")
        self.assertEqual(refusal.metadata["http_status"], "403")
        self.assertEqual(refusal.metadata["error_code"], "1403")
        self.assertIn("Administrator", refusal.metadata["error_message"])

    def test_what_this_version_cannot_honour_is_refused_not_ignored(self):
        refusal = self.refused(
            "FIELD_INVALID", "manager", "TokenService/CreateToken", parent=READER,
            request_id="7b0d1c5e-6f5c-4f0e-9d0b-0a3a3f1f9a11",
        )  # fmt: skip
        self.assertEqual(refusal.fields, ["request_id"])
        self.assertEqual(self.sent(), [])

    def test_get_shows_the_token_and_when_it_was_used(self):
        name = self.create(credential_id="used").name
        self.world.call("operator", "CredentialService/ProbeCredential", name=f"{PORTAL}/credentials/used")
        token = self.world.call("manager", "TokenService/GetToken", name=name)
        self.assertEqual(token.name, name)
        self.assertEqual(token.custody, BROKER)
        self.assertEqual(token.credential, f"{PORTAL}/credentials/used")
        self.assertGreater(token.last_used_on.seconds, 0)
        self.assertEqual(token.last_auth_ip, "127.0.0.1")

    def test_a_token_made_elsewhere_is_foreign(self):
        for kind in ("LMV1", "BEARER"):
            made = self.world.portal.new_token(33, kind, note="made by a person")
            token = self.world.call("manager", "TokenService/GetToken", name=f"{READER}/tokens/{made['id']}")
            self.assertEqual((token.custody, token.credential), (FOREIGN, ""))
            self.assertEqual(token.note, "made by a person")
            self.assertIn(token.masked_secret.rstrip("*"), ("", "lma_", "lmb_"))

    def test_a_token_that_does_not_exist_is_unknown(self):
        for method in ("GetToken", "ToggleToken", "UpdateToken"):
            fields = {"name": f"{READER}/tokens/999999"}
            if method == "UpdateToken":
                fields = {"token": fields}
            if method == "ToggleToken":
                fields["status"] = "ENABLED"
            self.refused("UNKNOWN_TOKEN", "manager", f"TokenService/{method}", **fields)

    def test_a_token_is_not_found_under_another_user(self):
        name = self.create().name.replace("/admins/33/", "/admins/34/")
        self.refused("UNKNOWN_TOKEN", "manager", "TokenService/GetToken", name=name)
        self.world.call("manager", "TokenService/DeleteToken", name=name)  # gone already, as far as 34 goes
        self.assertIsNotNone(self.row(name))

    def test_a_note_alone_leaves_a_disabled_token_disabled(self):
        name = self.create(token={"status": "DISABLED", "note": "old"}).name
        token = self.world.call("manager", "TokenService/UpdateToken", token={"name": name, "note": "new"})
        self.assertEqual((token.note, token.status), ("new", DISABLED))
        self.assertEqual((self.row(name)["note"], self.row(name)["status"]), ("new", 1))
        cleared = self.world.call(
            "manager", "TokenService/UpdateToken", token={"name": name}, update_mask={"paths": ["note"]}
        )
        self.assertEqual((cleared.note, self.row(name)["note"]), ("", ""))
        self.assertEqual({request["method"] for request in self.sent_mutations()[-2:]}, {"PATCH"})

    def test_other_fields_are_immutable(self):
        name = self.create().name
        for path in ("status", "type", "access_id", "name", "*", "nonsense", "note,status"):
            with self.subTest(path=path):
                refusal = self.refused(
                    "FIELD_IMMUTABLE", "manager", "TokenService/UpdateToken",
                    token={"name": name, "status": "DISABLED"}, update_mask={"paths": ["note", path]},
                )  # fmt: skip
                self.assertEqual(refusal.fields, ["update_mask"])
        self.assertEqual(self.row(name)["status"], 2)

    def test_toggle_brings_a_token_to_the_wanted_status_however_often(self):
        name = self.create(credential_id="toggled").name
        for status, number in (("DISABLED", 1), ("DISABLED", 1), ("ENABLED", 2), ("ENABLED", 2)):
            token = self.world.call("manager", "TokenService/ToggleToken", name=name, status=status)
            self.assertEqual((token.status, self.row(name)["status"]), (number, number))
        self.refused("FIELD_INVALID", "manager", "TokenService/ToggleToken", name=name)

    def test_a_disabled_token_is_not_signed_with(self):
        name = self.create("operator", parent=f"{PORTAL}/admins/34", credential_id="inventory-reader").name
        self.assertEqual(self.world.forward("inventory", "GET", "/device/devices/7").status, 200)
        self.world.call("operator", "TokenService/ToggleToken", name=name, status="DISABLED")
        calls = len(self.sent())
        self.forward_refused("CREDENTIAL_DISABLED", "inventory", "GET", "/device/devices/7")
        self.assertEqual(len(self.sent()), calls)
        self.world.call("operator", "TokenService/ToggleToken", name=name, status="ENABLED")
        self.assertEqual(self.world.forward("inventory", "GET", "/device/devices/7").status, 200)
        self.world.call("operator", "TokenService/DeleteToken", name=name)
        self.forward_refused("UNKNOWN_CREDENTIAL", "inventory", "GET", "/device/devices/7")

    def test_delete_takes_the_token_and_its_secret_and_may_be_repeated(self):
        name = self.create(credential_id="short-lived").name
        for _ in range(2):
            self.world.call("manager", "TokenService/DeleteToken", name=name)
            self.assertIsNone(self.row(name))
        self.refused("UNKNOWN_TOKEN", "manager", "TokenService/GetToken", name=name)
        credential = f"{PORTAL}/credentials/short-lived"
        self.refused("UNKNOWN_CREDENTIAL", "operator", "CredentialService/GetCredential", name=credential)

    def test_delete_of_a_token_that_somebody_removed_at_the_portal_is_done(self):
        name = self.create().name
        self.world.portal.control("DELETE", "/tokens/" + name.rpartition("/")[2])
        self.world.call("manager", "TokenService/DeleteToken", name=name)

    def test_hand_over_gives_the_secret_once_and_keeps_none(self):
        for kind, field in (("LMV1", "access_key"), ("BEARER", "bearer")):
            with self.subTest(type=kind):
                reply = self.world.call(
                    "handover", "TokenService/CreateToken", parent=READER, token={"type": kind}, hand_over=True
                )
                row = self.row(reply.token.name)
                self.assertEqual(reply.handed_over_secret.WhichOneof("secret"), field)
                self.assertTrue(getattr(reply.handed_over_secret, field) == row["accessKey"], "another key than LM's")
                self.assertEqual(reply.handed_over_secret.access_id, row["accessId"])
                self.assertEqual((reply.token.custody, reply.token.credential), (HANDED_OVER, ""))
                self.assertEqual((reply.token.status, row["status"]), (ENABLED, 2))
                later = self.world.call("handover", "TokenService/GetToken", name=reply.token.name)
                self.assertEqual((later.custody, later.credential), (HANDED_OVER, ""))

    def test_hand_over_needs_a_grant_that_says_so(self):
        for who in ("manager", "operator"):
            self.refused("HAND_OVER_NOT_GRANTED", who, "TokenService/CreateToken", parent=READER, hand_over=True)
        self.refused("NO_GRANT", "stranger", "TokenService/CreateToken", parent=READER, hand_over=True)
        self.assertEqual(self.sent(), [])

    def test_a_handle_for_a_secret_that_is_handed_over_makes_no_sense(self):
        refusal = self.refused(
            "FIELD_INVALID", "handover", "TokenService/CreateToken", parent=READER, hand_over=True, credential_id="x"
        )
        self.assertEqual(refusal.fields, ["credential_id"])

    def test_a_portal_without_master_manages_no_tokens(self):
        for method, fields in (
            ("CreateToken", {"parent": "portals/down/admins/33"}),
            ("ListTokens", {"parent": "portals/down"}),
            ("DeleteToken", {"name": "portals/down/admins/33/tokens/7"}),
        ):
            self.refused("NO_MASTER", "operator", f"TokenService/{method}", **fields)

    def test_the_portals_refusal_of_our_master_key_is_said_so(self):
        self.world.portal.fault("status", status=401, path="/setting/admins/*")
        self.refused("MASTER_REFUSED", "manager", "TokenService/CreateToken", parent=READER)

    def test_the_portals_failures_are_mapped(self):
        for fault, reason in (
            ({"name": "rate-limited", "retry_after": 1}, "BUDGET_EXHAUSTED"),
            ({"name": "unavailable"}, "PORTAL_ERROR"),
            ({"name": "internal-error"}, "PORTAL_ERROR"),
            ({"name": "error-in-200", "code": 1403}, "PORTAL_DENIED"),
            ({"name": "status", "status": 409}, "PORTAL_CONFLICT"),
            ({"name": "status", "status": 413}, "PORTAL_REJECTED"),
            ({"name": "malformed-json"}, "PORTAL_ERROR"),
            ({"name": "redirect"}, "PORTAL_ERROR"),
        ):
            with self.subTest(fault=fault):
                self.world.portal.control("POST", "/reset")
                self.world.portal.control("POST", "/faults", fault)
                refusal = self.refused(reason, "manager", "TokenService/ListTokens", parent=READER)
                if reason == "BUDGET_EXHAUSTED":
                    self.assertIsNotNone(refusal.retry_after)


if __name__ == "__main__":
    unittest.main()
