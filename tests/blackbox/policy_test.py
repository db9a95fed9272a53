"""What the policy decides: grants, the order of judgement, and ExplainAccess."""

import unittest

from case import BrokerTest, ForwardCase
from schema import Refusal
from world import PORTAL

READER = f"{PORTAL}/admins/33"


class GrantTest(ForwardCase):
    def test_a_grant_covers_its_methods_and_paths_and_nothing_beside(self):
        for method, path, reason in (
            ("GET", "/device/devices", ""),
            ("GET", "/device/devices/7", ""),
            ("GET", "/device/devices/7/instances/a/b", ""),
            ("POST", "/device/devices", "NO_GRANT"),
            ("DELETE", "/device/devices/7", "NO_GRANT"),
            ("GET", "/device", "NO_GRANT"),
            ("GET", "/device/Devices", "NO_GRANT"),
            ("GET", "/device/devicesx", "NO_GRANT"),
            ("GET", "/setting/admins", "NO_GRANT"),
            ("GET", "/alert/stat", "NO_GRANT"),
        ):
            with self.subTest(method=method, path=path):
                if reason:
                    self.forward_refused(reason, "inventory", method, path)
                else:
                    self.assertEqual(self.world.forward("inventory", method, path).status, 200)

    def test_two_stars_match_what_is_below_and_not_the_path_itself(self):
        self.assertEqual(self.world.forward("bearer", "GET", "/device/devices").status, 200)
        self.forward_refused("NO_GRANT", "bearer", "GET", "/device")

    def test_a_management_grant_does_not_cover_ingest(self):
        self.forward_refused("NO_GRANT", "bearer", "POST", "/device/devices", api="INGEST")
        self.forward_refused("NO_GRANT", "writer", "GET", "/log/ingest", api="INGEST")

    def test_two_credentials_for_one_call_must_be_told_apart(self):
        refusal = self.forward_refused("FIELD_INVALID", "both", "GET", "/device/devices")
        self.assertEqual(refusal.fields, ["credential"])
        for name in ("writer", "bearer"):
            credential = f"{PORTAL}/credentials/{name}"
            self.assertIn(credential, refusal.message)
            reply = self.world.forward("both", "GET", "/device/devices", credential=credential)
            self.assertEqual((reply.status, reply.credential), (200, credential))
        reply = self.world.forward("both", "GET", "/device/devices/7")
        self.assertEqual(reply.credential, f"{PORTAL}/credentials/writer")

    def test_a_credential_that_no_grant_binds_is_not_used(self):
        for name in ("writer", "acme-root", "bearer", "no-such-thing"):
            self.forward_refused(
                "NO_GRANT", "inventory", "GET", "/device/devices", credential=f"{PORTAL}/credentials/{name}"
            )
        self.assertEqual(self.sent(), [])

    def test_what_does_not_exist_and_what_is_forbidden_look_alike(self):
        """Nobody learns by asking which portals and credentials there are."""
        answers = set()
        for fields in (
            {"portal": "portals/nowhere"},
            {"portal": "portals/down"},
            {"credential": f"{PORTAL}/credentials/acme-root"},
            {"credential": f"{PORTAL}/credentials/no-such"},
        ):
            refusal = self.forward_refused("NO_GRANT", "inventory", "GET", "/device/devices", **fields)
            answers.add((refusal.message, tuple(refusal.metadata.items())))
        self.assertEqual(len(answers), 1, answers)

    def test_user_and_role_writes_need_account_writes(self):
        self.forward_refused("ACCOUNT_ENDPOINT", "writer", "PATCH", "/setting/admins/33", body=b'{"note":"x"}')
        self.forward_refused("ACCOUNT_ENDPOINT", "writer", "DELETE", "/setting/roles/12")
        self.assertEqual(self.sent(), [])
        reply = self.world.forward("accounts", "PATCH", "/setting/admins/33", body=b'{"note":"by grant"}')
        self.assertEqual(reply.status, 200)
        self.assertEqual(self.world.forward("writer", "GET", "/setting/admins/33").status, 200)

    def test_a_refusal_names_the_rule_that_decided(self):
        refusal = self.forward_refused("ACCOUNT_ENDPOINT", "writer", "DELETE", "/setting/roles/12")
        self.assertEqual(refusal.metadata.get("rule"), "writer.forward[0]")

    def test_judgement_comes_in_order(self):
        """Form, secret-bearing endpoint, policy, existence: each hides the ones after it."""
        self.forward_refused("PATH_NOT_PLAIN", "stranger", "GET", "/setting/../apitokens")
        self.forward_refused("SECRET_ENDPOINT", "stranger", "GET", "/x/apitokens", portal="portals/nowhere")
        self.forward_refused("NO_GRANT", "stranger", "DELETE", "/setting/admins/33", portal="portals/nowhere")
        self.refused("FIELD_INVALID", "stranger", "TokenService/CreateToken", parent=READER, ttl={"seconds": -1})
        self.refused("NO_GRANT", "stranger", "TokenService/GetToken", name="portals/nowhere/admins/1/tokens/1")
        self.refused("NO_GRANT", "manager", "TokenService/GetToken", name=f"{PORTAL}/admins/35/tokens/1")
        self.refused("UNKNOWN_TOKEN", "manager", "TokenService/GetToken", name=f"{READER}/tokens/77777")
        self.refused("UNKNOWN_PORTAL", "operator", "TokenService/GetToken", name="portals/nowhere/admins/1/tokens/1")
        self.refused("UNKNOWN_PORTAL", "operator", "CredentialService/ListCredentials", parent="portals/nowhere")

    def test_a_credential_that_is_switched_off_signs_nothing(self):
        name = f"{PORTAL}/credentials/bearer"
        for status, reason in (("DISABLED", "CREDENTIAL_DISABLED"), ("ENABLED", "")):
            toggled = self.world.call("operator", "CredentialService/ToggleCredential", name=name, status=status)
            self.assertEqual(toggled.name, name)
            if reason:
                self.forward_refused(reason, "bearer", "GET", "/device/devices")
                self.assertEqual(self.sent(), [])
            else:
                self.assertEqual(self.world.forward("bearer", "GET", "/device/devices").status, 200)

    def test_token_verbs_types_and_users_are_held_to(self):
        name = self.world.call("manager", "TokenService/CreateToken", parent=READER).token.name
        bearer = self.world.call("manager", "TokenService/CreateToken", parent=f"{PORTAL}/admins/34",
                                 token={"type": "BEARER"}).token.name  # fmt: skip
        for who, method, fields in (
            ("lister", "GetToken", {"name": name}),
            ("handover", "ListTokens", {"parent": READER}),
            ("handover", "UpdateToken", {"token": {"name": name, "note": "x"}}),
            ("handover", "ToggleToken", {"name": name, "status": "DISABLED"}),
            ("inventory", "DeleteToken", {"name": name}),
            ("inventory", "GetToken", {"name": bearer}),
            ("manager", "CreateToken", {"parent": f"{PORTAL}/admins/35"}),
            ("lister", "CreateToken", {"parent": READER, "token": {"type": "BEARER"}}),
        ):
            with self.subTest(who=who, method=method):
                self.refused("NO_GRANT", who, f"TokenService/{method}", **fields)


class ExplainTest(ForwardCase):
    FORWARDS = (
        ("GET", "/device/devices", {}),
        ("POST", "/device/devices", {}),
        ("GET", "/device", {}),
        ("GET", "/setting/admins/33", {}),
        ("PATCH", "/setting/admins/33", {}),
        ("GET", "/setting/admins/apitokens", {}),
        ("POST", "/log/ingest", {"api": "INGEST"}),
        ("GET", "/device/devices", {"credential": f"{PORTAL}/credentials/bearer"}),
        ("GET", "/device/devices", {"portal": "portals/nowhere"}),
    )
    CALLERS = {
        "inventory": "spiffe://corp.example/ns/inventory/sa/app",
        "stranger": "spiffe://corp.example/ns/stranger/sa/app",
        "writer": "dns:writer.corp.example",
        "bearer": "bearer",
        "both": "dns:both.corp.example",
        "accounts": "accounts",
        "operator": "operators",
    }

    def explain(self, caller, who="operator", **fields):
        return self.world.call(who, "PolicyService/ExplainAccess", caller=caller, **fields)

    def test_forward_is_decided_as_it_is_explained(self):
        for who, caller in self.CALLERS.items():
            for method, path, more in self.FORWARDS:
                with self.subTest(who=who, method=method, path=path, **more):
                    call = {"portal": PORTAL, "method": method, "path": path} | more
                    said = self.explain(caller, forward=call)
                    try:
                        self.world.call(who, "ForwardService/Forward", body=b"" if method == "GET" else b"{}", **call)
                        happened = ""
                    except Refusal as refusal:
                        happened = refusal.reason
                    self.assertEqual((said.allowed, said.reason), (happened == "", happened))
                    self.assertEqual(bool(said.rule), said.allowed or said.reason == "ACCOUNT_ENDPOINT")

    def test_token_calls_are_decided_as_they_are_explained(self):
        verbs = {
            "create": ("CreateToken", lambda name: {"parent": READER}),
            "get": ("GetToken", lambda name: {"name": name}),
            "list": ("ListTokens", lambda name: {"parent": READER}),
            "update": ("UpdateToken", lambda name: {"token": {"name": name, "note": "n"}}),
            "toggle": ("ToggleToken", lambda name: {"name": name, "status": "ENABLED"}),
            "delete": ("DeleteToken", lambda name: {"name": name}),
        }
        callers = {"manager": "manager", "handover": "handover", "inventory": "inventory", "operator": "operators"}
        for who, caller in callers.items():
            name = self.world.call("operator", "TokenService/CreateToken", parent=READER).token.name
            for verb, (method, fields) in verbs.items():
                with self.subTest(who=who, verb=verb):
                    said = self.explain(caller, token={"verb": verb, "parent": READER})
                    try:
                        self.world.call(who, f"TokenService/{method}", **fields(name))
                        happened = ""
                    except Refusal as refusal:
                        happened = refusal.reason
                    self.assertEqual((said.allowed, said.reason), (happened == "", happened))

    def test_hand_over_is_explained(self):
        for caller, reason in (("handover", ""), ("manager", "HAND_OVER_NOT_GRANTED"), ("inventory", "NO_GRANT")):
            said = self.explain(caller, token={"verb": "create", "parent": READER, "hand_over": True})
            self.assertEqual((said.allowed, said.reason), (not reason, reason))

    def test_what_almost_matched_is_named(self):
        said = self.explain("inventory", forward={"portal": PORTAL, "method": "DELETE", "path": "/device/devices/7"})
        self.assertEqual((said.allowed, said.rule, said.reason), (False, "", "NO_GRANT"))
        self.assertEqual(said.nearest[0].rule, "inventory.forward[0]")
        self.assertIn("DELETE", said.nearest[0].failed)

    def test_callers_may_ask_about_themselves_alone(self):
        call = {"portal": PORTAL, "method": "GET", "path": "/device/devices"}
        for caller in ("inventory", self.CALLERS["inventory"]):
            self.assertTrue(self.explain(caller, who="inventory", forward=call).allowed)
        for caller in ("writer", "operators", "nobody-knows", self.CALLERS["stranger"]):
            self.refused("NO_GRANT", "inventory", "PolicyService/ExplainAccess", caller=caller, forward=call)
        said = self.explain(self.CALLERS["stranger"], who="stranger", forward=call)
        self.assertEqual((said.allowed, said.reason), (False, "NO_GRANT"))
        self.assertFalse(self.explain("nobody-knows", forward=call).allowed)

    def test_explaining_sends_nothing(self):
        self.explain("inventory", forward={"portal": PORTAL, "method": "GET", "path": "/device/devices"})
        self.assertEqual(self.sent(), [])


class EmptyPolicyTest(BrokerTest):
    """Law 2: an empty policy is valid and refuses everyone."""

    POLICY = ""
    MASTER = False

    def test_law2_everyone_is_refused(self):
        for who in ("operator", "inventory", "writer", "stranger"):
            self.refused("NO_GRANT", who, "OperatorService/GetStatus")
            self.refused("NO_GRANT", who, "TokenService/ListTokens", parent=PORTAL)
            self.forward_refused("NO_GRANT", who, "GET", "/device/devices")


if __name__ == "__main__":
    unittest.main()
