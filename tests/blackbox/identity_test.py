"""Who calls: client certificates of every kind, and what nobody may do."""

import unittest

import grpc

from case import BrokerTest
from pki import pki
from schema import Refusal, schema
from world import PORTAL

READER = f"{PORTAL}/admins/33"
TOKEN = f"{READER}/tokens/1000"
CREDENTIAL = f"{PORTAL}/credentials/acme-root"

# A call of every RPC that has the right form, so that nothing but who calls can be wrong with it.
CALLS = {
    "lmbroker.v1.ForwardService/Forward": {"portal": PORTAL, "method": "GET", "path": "/device/devices"},
    "lmbroker.v1.TokenService/CreateToken": {"parent": READER},
    "lmbroker.v1.TokenService/GetToken": {"name": TOKEN},
    "lmbroker.v1.TokenService/ListTokens": {"parent": PORTAL},
    "lmbroker.v1.TokenService/UpdateToken": {"token": {"name": TOKEN, "note": "taken over"}},
    "lmbroker.v1.TokenService/ToggleToken": {"name": TOKEN, "status": "DISABLED"},
    "lmbroker.v1.TokenService/RotateToken": {"name": TOKEN},
    "lmbroker.v1.TokenService/DeleteToken": {"name": TOKEN},
    "lmbroker.v1.CredentialService/ImportCredential": {
        "parent": PORTAL, "credential_id": "mine", "type": "BEARER", "secret": "not-a-key-of-anyone",
    },
    "lmbroker.v1.CredentialService/GetCredential": {"name": CREDENTIAL},
    "lmbroker.v1.CredentialService/ListCredentials": {"parent": PORTAL},
    "lmbroker.v1.CredentialService/ToggleCredential": {"name": CREDENTIAL, "status": "DISABLED"},
    "lmbroker.v1.CredentialService/RotateCredential": {"name": CREDENTIAL},
    "lmbroker.v1.CredentialService/DeleteCredential": {"name": CREDENTIAL},
    "lmbroker.v1.CredentialService/ProbeCredential": {"name": CREDENTIAL},
    "lmbroker.v1.PolicyService/ExplainAccess": {
        "caller": "operators", "token": {"verb": "delete", "parent": READER},
    },
    "lmbroker.v1.PolicyService/ExplainSignature": {
        "forward": {"portal": PORTAL, "method": "GET", "path": "/device/devices"},
    },
    "lmbroker.v1.PolicyService/DiffPolicy": {"policy_yaml": "callers: []"},
    "lmbroker.v1.PolicyService/ListGrants": {"caller": "operators"},
    "lmbroker.v1.OperatorService/GetStatus": {},
    "lmbroker.v1.OperatorService/Seal": {},
    "lmbroker.v1.OperatorService/Unseal": {},
    "lmbroker.v1.OperatorService/ListLeases": {"portal": PORTAL},
    "lmbroker.v1.OperatorService/RevokeLease": {"name": TOKEN},
}  # fmt: skip
HEALTH = {"grpc.health.v1.Health/Check", "grpc.health.v1.Health/Watch"}
STREAMS = {"lmbroker.v1.ForwardService/ForwardStream"}  # stream_test.py asks it the same
OPERATORS_ONLY = [name for name in CALLS if "Credential" in name or "OperatorService" in name]


class IdentityTest(BrokerTest):
    @classmethod
    def prepare(cls):
        cls.world.credential("inventory-reader", 34)

    def tearDown(self):
        mutations = [request for request in self.sent_mutations() if "apitokens" in request["path"]]
        self.assertEqual(mutations, [])

    def test_every_rpc_is_in_the_table(self):
        self.assertEqual(set(schema().methods()) - HEALTH - STREAMS, set(CALLS))

    def test_law2_nothing_is_allowed_to_a_stranger(self):
        for method, fields in CALLS.items():
            with self.subTest(method=method):
                self.refused("NO_GRANT", "stranger", method, **fields)
        self.assertEqual(self.sent(), [])

    def test_law2_nothing_is_allowed_to_a_certificate_that_names_nobody(self):
        """A common name is no identity, nor are two SPIFFE URIs, names of two callers, a wildcard, a mail address."""
        for who in ("bare-cn", "two-uris", "two-callers", "wildcard", "email"):
            for method, fields in CALLS.items():
                with self.subTest(who=who, method=method):
                    self.refused("NO_IDENTITY", who, method, **fields)
        self.assertEqual(self.sent(), [])

    def test_law2_without_a_good_certificate_there_is_no_connection(self):
        """None, one of another authority that claims to be an operator, one that has expired."""
        for who in ("nobody", "other-ca", "expired"):
            for method, fields in CALLS.items() if who == "nobody" else list(CALLS.items())[:2]:
                with self.subTest(who=who, method=method), self.assertRaises(Refusal) as caught:
                    self.world.call(who, method, timeout=20, **fields)
                self.assertEqual(caught.exception.code, "UNAVAILABLE")
        self.assertEqual(self.sent(), [])

    def test_plain_text_is_not_served(self):
        with grpc.insecure_channel(self.world.broker.address) as channel:
            with self.assertRaises(grpc.RpcError):
                channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=10)

    def test_a_spiffe_uri_is_the_identity_whatever_the_dns_names_say(self):
        self.assertEqual(self.world.forward("uri-and-dns", "GET", "/device/devices/7").status, 200)
        self.refused("NO_GRANT", "uri-and-dns", "OperatorService/GetStatus")

    def test_names_in_metadata_mean_nothing(self):
        path, request, _ = schema().method("OperatorService/GetStatus")
        stub = self.world.channel("stranger").unary_unary(path)
        for key, value in (
            ("authorization", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJvcHMifQ."),
            ("x-forwarded-client-cert", "URI=spiffe://corp.example/ns/inventory/sa/app;DNS=ops.corp.example"),
            ("x-spiffe-id", "spiffe://corp.example/ns/inventory/sa/app"),
            ("x-user", "operators"),
        ):
            with self.assertRaises(grpc.RpcError) as caught:
                stub(request().SerializeToString(), timeout=20, metadata=((key, value),))
            self.assertEqual(caught.exception.code(), grpc.StatusCode.PERMISSION_DENIED)

    def test_a_certificate_for_servers_is_none_for_callers(self):
        pair = [(pki().folder / f"server.{kind}").read_bytes() for kind in ("key", "crt")]
        credentials = grpc.ssl_channel_credentials(pki().ca.read_bytes(), *pair)
        with grpc.secure_channel(self.world.broker.address, credentials) as channel:
            with self.assertRaises(grpc.RpcError):
                channel.unary_unary("/lmbroker.v1.OperatorService/GetStatus")(b"", timeout=10)

    def test_operator_methods_are_for_operators(self):
        for who in ("inventory", "writer", "manager", "handover", "lister"):
            for method in OPERATORS_ONLY:
                with self.subTest(who=who, method=method):
                    self.refused("NO_GRANT", who, method, **CALLS[method])

    def test_forward_needs_a_grant_of_its_own_of_operators_too(self):
        self.forward_refused("NO_GRANT", "operator", "GET", "/device/devices")

    def test_an_unknown_method_does_not_exist(self):
        channel = self.world.channel("operator")
        for path in ("/lmbroker.v1.TokenService/RevealToken", "/lmbroker.v1.OperatorService/Freeze", "/x.Y/Z", "/"):
            with self.subTest(path=path), self.assertRaises(grpc.RpcError) as caught:
                channel.unary_unary(path)(b"", timeout=20)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    def test_health_needs_a_connection_and_no_identity(self):
        for who in ("bare-cn", "stranger", "operator"):
            for service in ("", "lmbroker.v1.TokenService", "lmbroker.v1.ForwardService"):
                reply = self.world.call(who, "grpc.health.v1.Health/Check", service=service)
                self.assertEqual(reply.status, 1)  # SERVING
        with self.assertRaises(Refusal) as caught:
            self.world.call("operator", "grpc.health.v1.Health/Check", service="no.such.Service")
        self.assertEqual(caught.exception.code, "NOT_FOUND")


if __name__ == "__main__":
    unittest.main()
