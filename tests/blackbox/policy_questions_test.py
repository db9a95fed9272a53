"""What may be asked about the policy: ExplainSignature, DiffPolicy, ListGrants, and `lmbroker policy diff`."""

import base64
import hashlib
import hmac
import unittest

from case import ForwardCase
from policies import POLICY
from world import PORTAL

CALL = {"portal": PORTAL, "method": "GET", "path": "/device/devices"}


class SignatureTest(ForwardCase):
    def explain(self, who, **fields):
        return self.world.call(who, "PolicyService/ExplainSignature", **fields)

    def test_the_message_is_that_of_a_real_call_with_the_body_as_its_digest(self):
        body = b'{"name":"a"}'
        call = {"portal": PORTAL, "method": "POST", "path": "/device/devices/7/instances/a b"}
        query = [{"name": "filter", "value": "x y"}]
        said = self.explain("writer", forward=call, query=query, body=body)
        digest = hashlib.sha256(body).hexdigest()
        self.assertRegex(said.string_to_sign, rf"^POST\d{{13}}{digest}/device/devices/7/instances/a b$")
        self.assertEqual(said.signed_path, call["path"])
        self.assertEqual(said.wire_target, "/santaba/rest/device/devices/7/instances/a%20b?filter=x%20y")
        # What the portal sees of the real call, whose signature it checked by itself.
        self.world.forward("writer", "POST", call["path"], query=query, body=body)
        self.assertEqual(self.sent()[-1]["path"], "/santaba/rest" + call["path"])
        self.assertEqual(self.explain("writer", forward=CALL | {"method": "GET"}).clock_skew.seconds, 0)

    def test_no_signature_is_given(self):
        key = self.keys["writer"]
        said = self.explain("writer", forward=CALL | {"method": "POST"}, body=b"x")
        text = str(said)
        self.assertNotIn("LMv1", text)
        epoch = said.string_to_sign[4:17]
        for message in (f"POST{epoch}x/device/devices", said.string_to_sign):
            mac = hmac.new(key.encode(), message.encode(), hashlib.sha256)
            for form in (mac.hexdigest(), base64.b64encode(mac.digest()).decode(),
                         base64.b64encode(mac.hexdigest().encode()).decode()):  # fmt: skip
                self.assertNotIn(form, text)

    def test_a_bearer_token_signs_nothing(self):
        self.assertEqual(self.explain("bearer", forward=CALL).string_to_sign, "")

    def test_it_is_refused_as_the_call_would_be(self):
        for reason, who, change in (
            ("NO_GRANT", "stranger", {}),
            ("NO_GRANT", "inventory", {"method": "DELETE"}),
            ("NO_GRANT", "inventory", {"portal": "portals/nowhere"}),
            ("NO_GRANT", "inventory", {"credential": f"{PORTAL}/credentials/no-such"}),
            ("SECRET_ENDPOINT", "operator", {"path": "/setting/admins/apitokens"}),
            ("ACCOUNT_ENDPOINT", "writer", {"method": "PATCH", "path": "/setting/admins/33"}),
            ("PATH_NOT_PLAIN", "operator", {"path": "/a/../b"}),
            ("FIELD_INVALID", "operator", {"method": "get"}),
            ("FIELD_INVALID", "both", {}),
            ("UNKNOWN_PORTAL", "operator", {"portal": "portals/nowhere"}),
            ("UNKNOWN_CREDENTIAL", "operator", {"credential": f"{PORTAL}/credentials/no-such"}),
        ):
            with self.subTest(reason=reason, who=who, **change):
                self.refused(reason, who, "PolicyService/ExplainSignature", forward=CALL | change)
        self.refused("FIELD_INVALID", "operator", "PolicyService/ExplainSignature")
        self.assertEqual(self.sent(), [])

    def test_an_operator_asks_without_a_grant(self):
        said = self.explain("operator", forward=CALL | {"credential": f"{PORTAL}/credentials/bearer"})
        self.assertEqual((said.string_to_sign, said.signed_path), ("", "/device/devices"))
        self.assertTrue(self.explain("operator", forward=CALL).string_to_sign.startswith("GET"))
        self.assertEqual(self.sent(), [])

    def test_it_is_audited_as_a_call_is_described(self):
        self.explain("writer", forward=CALL | {"path": "/device/only/here"})
        outcome = self.world.outcome(path="/device/only/here")
        self.assertEqual((outcome["rule"], outcome["method"]),
                         ("writer.forward[0]", "/lmbroker.v1.PolicyService/ExplainSignature"))  # fmt: skip


class DiffTest(ForwardCase):
    WIDER = POLICY.replace('paths: ["/device/devices", "/device/devices/**"]', 'paths: ["/device/**"]')

    def diff(self, text):
        return self.world.call("operator", "PolicyService/DiffPolicy", policy_yaml=text)

    def test_the_policy_in_force_differs_in_nothing(self):
        said = self.diff(POLICY)
        self.assertEqual((list(said.newly_allowed), list(said.newly_refused), said.omitted), ([], [], 0))

    def test_each_difference_has_a_sample_that_is_decided_so(self):
        said = self.diff(self.WIDER)
        self.assertEqual([(each.caller, each.grant) for each in said.newly_allowed],
                         [("inventory", "inventory.forward[0]")])  # fmt: skip
        sample = said.newly_allowed[0].sample.forward
        self.assertEqual((sample.method, sample.portal), ("GET", PORTAL))
        self.forward_refused("NO_GRANT", "inventory", "GET", sample.path)
        said = self.diff("")
        self.assertEqual(list(said.newly_allowed), [])
        self.assertIn("inventory.forward[0]", {each.grant for each in said.newly_refused})
        marks = [each for each in said.newly_refused if each.sample.rpc]
        self.assertEqual([each.grant for each in marks], ["operators.operator"])
        for each in said.newly_refused:
            if each.sample.HasField("forward"):
                explained = self.world.call("operator", "PolicyService/ExplainAccess", caller=each.caller,
                                            forward=each.sample.forward)  # fmt: skip
                self.assertEqual((explained.allowed, explained.rule), (True, each.grant))

    def test_nothing_is_put_into_force(self):
        before = self.world.call("operator", "OperatorService/GetStatus").policy
        self.diff("")
        self.assertEqual(self.world.call("operator", "OperatorService/GetStatus").policy, before)

    def test_a_policy_that_would_not_load_is_refused_with_its_problems(self):
        refusal = self.refused("FIELD_INVALID", "operator", "PolicyService/DiffPolicy", policy_yaml="callers: [{nam: x}]")
        self.assertEqual(refusal.fields, ["policy_yaml"])
        self.assertIn("unknown key", refusal.metadata["problems"])
        many = "callers:\n" + "  - {nam: x}\n" * 5000
        refusal = self.refused("FIELD_INVALID", "operator", "PolicyService/DiffPolicy", policy_yaml=many)
        self.assertLess(len(refusal.metadata["problems"]), 2500)

    def test_only_operators_may(self):
        for who in ("stranger", "inventory"):
            self.refused("NO_GRANT", who, "PolicyService/DiffPolicy", policy_yaml="")

    def test_the_command_line_shows_it(self):
        file = self.world.folder / "wider.yaml"
        file.write_text(self.WIDER, "utf-8")
        done = self.world.cli("operator", "policy", "diff", str(file))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"(?m)^inventory\.forward\[0\] +acme GET /device/any ")
        file.write_text("callers: [", "utf-8")
        done = self.world.cli("operator", "policy", "diff", str(file))
        self.assertEqual(done.returncode, 1)
        self.assertIn("FIELD_INVALID", done.stderr)


class GrantsTest(ForwardCase):
    def grants(self, who, caller):
        return self.world.call(who, "PolicyService/ListGrants", caller=caller).grants

    def test_a_caller_sees_its_own(self):
        for caller in ("inventory", "spiffe://corp.example/ns/inventory/sa/app"):
            forward, tokens = self.grants("inventory", caller)
            self.assertEqual((forward.caller, forward.rule), ("inventory", "inventory.forward[0]"))
            self.assertEqual((forward.portal, forward.credential), ("acme", "inventory-reader"))
            self.assertEqual((list(forward.methods), list(forward.paths)),
                             (["GET"], ["/device/devices", "/device/devices/**"]))  # fmt: skip
            self.assertEqual((forward.api, forward.account_writes), ("management", False))
            self.assertEqual((tokens.rule, list(tokens.admins), list(tokens.types), list(tokens.verbs)),
                             ("inventory.tokens[0]", ["34"], ["LMV1"], ["list", "get"]))  # fmt: skip

    def test_operators_see_everyones_and_others_nobodys(self):
        self.assertEqual(self.grants("operator", "lister")[0].admins, ["any"])
        self.assertEqual(list(self.grants("operator", "nobody-knows")), [])
        self.assertEqual(list(self.grants("stranger", "spiffe://corp.example/ns/stranger/sa/app")), [])
        for caller in ("writer", "nobody-knows"):
            self.refused("NO_GRANT", "inventory", "PolicyService/ListGrants", caller=caller)
        self.refused("FIELD_INVALID", "operator", "PolicyService/ListGrants")


if __name__ == "__main__":
    unittest.main()
