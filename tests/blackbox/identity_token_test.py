"""Who calls: Kubernetes service account tokens, with the issuer's keys in a file."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

import grpc

from broker import wait_for
from case import BrokerTest
from policies import POLICY
from schema import Refusal
from caller_tokens import AUDIENCE, ISSUER, TokenKey, base64url, claims, jwks

# The same rights as `inventory` and `operators` have by certificate.
TOKEN_POLICY = POLICY.replace(
    'identities: ["spiffe://corp.example/ns/inventory/sa/app"]',
    'identities: ["spiffe://corp.example/ns/inventory/sa/app", "k8s:inventory/app"]',
).replace('identities: ["dns:ops.corp.example"]', 'identities: ["dns:ops.corp.example", "k8s:operations/console"]')


class TokenCase(BrokerTest):
    """A broker that takes tokens whose keys are in a file that the test may change."""

    POLICY = TOKEN_POLICY
    folder: ClassVar[Path]
    first: ClassVar[TokenKey]
    second: ClassVar[TokenKey]  # ES256

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory(prefix="lmbroker-tokens-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.first = TokenKey(cls.folder, "first")
        cls.second = TokenKey(cls.folder, "second", "ES256")
        cls.CONFIG = {"identity": {"kubernetes": cls.kubernetes()}}
        super().setUpClass()

    @classmethod
    def kubernetes(cls) -> dict[str, Any]:
        """The section of the configuration."""
        cls.publish(cls.first)
        return {"issuer": ISSUER, "audience": AUDIENCE, "jwks_file": str(cls.folder / "jwks.json")}

    @classmethod
    def publish(cls, *keys: TokenKey) -> None:
        """Puts these into the file, as a whole."""
        cls.write(jwks(*keys))

    @classmethod
    def write(cls, text: str) -> None:
        """Replaces the file by one that says this."""
        (cls.folder / "next.json").write_text(text, "ascii")
        os.replace(cls.folder / "next.json", cls.folder / "jwks.json")

    @classmethod
    def prepare(cls) -> None:
        cls.world.credential("inventory-reader", 34)

    def call_with(self, who: str, *values: str, path: str = "/device/devices/7") -> Any:
        """A Forward by a caller with these `authorization` values."""
        for value in values:
            self.world.evidence.keep("a token", value.rpartition(".")[2] or "nothing-to-keep")
        return self.world.forward(who, "GET", path, metadata=[("authorization", value) for value in values])

    def good(self, token: str, who: str = "nobody") -> Any:
        """The token counts."""
        reply = self.call_with(who, f"Bearer {token}")
        self.assertEqual(reply.status, 200)
        return reply

    def bad(self, *values: str, who: str = "nobody", reason: str = "BAD_TOKEN") -> Refusal:
        """These do not; nor does the refusal show anything of them."""
        with self.assertRaises(Refusal) as caught:
            self.call_with(who, *values)
        refusal = self.judge(caught.exception, reason)
        for value in values:
            for part in value.replace(" ", ".").split("."):
                if len(part) > 12:
                    self.assertNotIn(part, str(refusal))
        return refusal

    def ready(self) -> dict[str, Any]:
        """What /readyz says."""
        return json.loads(self.world.ops("/readyz")[1])


class TokenTest(TokenCase):
    def setUp(self) -> None:
        super().setUp()
        self.publish(self.first)
        wait_for("the usual key", lambda: self._is_good(self.first.sign(claims())), 2)

    def test_a_token_without_a_certificate_is_its_service_account(self):
        self.good(self.first.sign(claims()))
        outcome = self.world.outcome(caller="inventory", identity="k8s:inventory/app")
        self.assertNotIn("certificate_identity", outcome)

    def test_with_a_certificate_too_the_caller_is_the_tokens_and_both_are_recorded(self):
        self.good(self.first.sign(claims()), who="stranger")
        self.world.outcome(
            caller="inventory", identity="k8s:inventory/app",
            certificate_identity="spiffe://corp.example/ns/stranger/sa/app",
        )  # fmt: skip

    def test_a_token_takes_from_a_certificate_what_it_has_no_grant_for(self):
        with self.assertRaises(Refusal) as caught:
            self.call_with("inventory", f"Bearer {self.first.sign(claims('other'))}")
        self.judge(caught.exception, "NO_GRANT")

    def test_both_must_be_good(self):
        self.bad("Bearer a.b.c", who="inventory")
        self.bad(f"Bearer {self.first.sign(claims())}", who="bare-cn", reason="NO_IDENTITY")
        self.bad(f"Bearer {self.first.sign(claims())}", who="two-uris", reason="NO_IDENTITY")

    def test_a_certificate_alone_is_as_good_as_before(self):
        self.assertEqual(self.world.forward("inventory", "GET", "/device/devices/7").status, 200)

    def test_without_either_there_is_no_identity(self):
        self.forward_refused("NO_IDENTITY", "nobody", "GET", "/device/devices/7")
        self.refused("NO_IDENTITY", "nobody", "OperatorService/GetStatus")

    def test_a_certificate_that_is_none_makes_no_connection_even_with_a_token(self):
        for who in ("other-ca", "expired"):
            with self.subTest(who=who), self.assertRaises(Refusal) as caught:
                self.call_with(who, f"Bearer {self.first.sign(claims())}")
            self.assertEqual(caught.exception.code, "UNAVAILABLE")

    def test_every_method_and_stream_takes_tokens(self):
        operator = f"Bearer {self.first.sign(claims('operations', 'console'))}"
        status = self.world.call("nobody", "OperatorService/GetStatus", metadata=[("authorization", operator)])
        self.assertTrue(status.version)
        inventory = [("authorization", f"Bearer {self.first.sign(claims())}")]
        head, body = self.world.read_stream(
            self.world.stream("nobody", "GET", "/device/devices/7", metadata=inventory)
        )
        self.assertEqual(head.status, 200)
        self.assertTrue(body)

    def test_the_command_line_takes_a_token_file(self):
        file = self.folder / "caller-token"
        file.write_text(self.first.sign(claims("operations", "console")) + "\n", "ascii")
        done = self.world.cli(
            "operator", "status", LMBROKER_TOKEN_FILE=str(file), LMBROKER_CERT="", LMBROKER_KEY="",
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        self.world.outcome(identity="k8s:operations/console", method="/lmbroker.v1.OperatorService/GetStatus")

    def test_what_strangers_send(self):
        good = self.first.sign(claims())
        head, payload, signature = good.split(".")
        now = int(time.time())
        secret = hmac.new(self.first.public_pem, digestmod=hashlib.sha256)
        message = f"{base64url(json.dumps({'alg': 'HS256', 'kid': 'first'}).encode())}.{payload}"
        secret.update(message.encode())
        none = base64url(b'{"alg":"none","kid":"first"}')
        hostile = {
            "empty": "Bearer ",
            "no scheme": good,
            "another scheme": f"Basic {good}",
            "two spaces": f"Bearer  {good}",
            "one part": f"Bearer {head}",
            "two parts": f"Bearer {head}.{payload}",
            "no signature": f"Bearer {head}.{payload}.",
            "cut": f"Bearer {good[:-10]}",
            "padded": f"Bearer {good}==",
            "alg none": f"Bearer {none}.{payload}.",
            "alg none, signed": f"Bearer {none}.{payload}.{signature}",
            "HS256 with the public key": f"Bearer {message}.{base64url(secret.digest())}",
            "RS256 for an unknown key": f"Bearer {self.second.sign(claims(), alg='RS256')}",
            "ES256 for an RSA key": f"Bearer {self.second.sign(claims(), kid='first')}",
            "no key": f"Bearer {self.first.sign(claims(), kid=None)}",
            "unknown key": f"Bearer {self.first.sign(claims(), kid='another')}",
            "critical extension": f"Bearer {self.first.sign(claims(), crit=['x'], x=1)}",
            "expired": f"Bearer {self.first.sign(claims(exp=now - 31, iat=now - 999, nbf=now - 999))}",
            "not yet": f"Bearer {self.first.sign(claims(nbf=now + 120, iat=now + 120))}",
            "no expiry": f"Bearer {self.first.sign(claims(exp=None))}",
            "another audience": f"Bearer {self.first.sign(claims(aud=['https://kubernetes.default.svc']))}",
            "no audience": f"Bearer {self.first.sign(claims(aud=None))}",
            "another issuer": f"Bearer {self.first.sign(claims(iss='https://elsewhere'))}",
            "subject of another namespace": f"Bearer {self.first.sign(claims(sub='system:serviceaccount:ops:app'))}",
            "no account": f"Bearer {self.first.sign(claims(**{'kubernetes.io': None}))}",
            "a person": f"Bearer {self.first.sign({'iss': ISSUER, 'aud': [AUDIENCE], 'sub': 'ops', 'exp': now + 60})}",
            "8 KiB and more": f"Bearer {self.first.sign(claims(more='x' * 9000))}",
            "nested": f"Bearer {self.first.sign(claims(x=json.loads('[' * 50 + ']' * 50)))}",
            "a token in a token": f"Bearer {base64url(good.encode())}.{payload}.{signature}",
        }
        for name, value in hostile.items():
            with self.subTest(name):
                self.bad(value)
        self.bad(f"Bearer {good}", f"Bearer {good}")
        self.good(good)

    def test_skew_within_the_leeway_is_tolerated(self):
        now = int(time.time())
        self.good(self.first.sign(claims(exp=now - 5, iat=now - 999, nbf=now - 999)))
        self.good(self.first.sign(claims(nbf=now + 15, iat=now + 15)))

    def test_keys_are_read_again_when_the_file_changes(self):
        """Two keys stand in the set during a rotation; then the old one ends, and with it what was known of its tokens."""
        old, new = self.first.sign(claims()), self.second.sign(claims())
        self.good(old)
        self.bad(f"Bearer {new}")
        self.publish(self.first, self.second)
        wait_for("taking of the new key", lambda: self._is_good(new), 2)
        self.good(old)
        self.publish(self.second)
        wait_for("end of the old key", lambda: not self._is_good(old), 2)
        self.good(new)

    def test_a_bad_key_file_keeps_the_old_keys_and_is_told(self):
        token = self.first.sign(claims())
        for text in ("", "{}", jwks(self.second)[:100]):
            with self.subTest(text[:10]):
                self.write(text)
                wait_for("word of it", self._problem, 2)
                self.good(token)
        self.assertIn("issuer_keys_refused", self.world.broker.log)
        self.assertIn('lmbroker_reloads_total{result="failed",what="issuer_keys"}', self.world.ops("/metrics")[1])
        self.publish(self.first)
        wait_for("end of the trouble", lambda: not self._problem(), 2)

    def test_no_token_is_shown_anywhere(self):
        self.good(self.first.sign(claims()))
        self.bad(f"Bearer {self.first.sign(claims(), kid='another')}")
        self.world.gather()
        self.assertEqual(list(self.world.evidence.leaks()), [])

    def _is_good(self, token: str) -> bool:
        try:
            return self.call_with("nobody", f"Bearer {token}").status == 200
        except Refusal as refusal:
            self.assertEqual(refusal.reason, "BAD_TOKEN")
            return False

    def _problem(self) -> str:
        return str(self.ready()["checks"]["issuer_keys"].get("detail", ""))


class WithoutTokensTest(BrokerTest):
    """`identity.kubernetes` is not set: tokens mean nothing, and a certificate is required."""

    def test_tokens_are_ignored(self):
        metadata = [("authorization", "Bearer a.b.c"), ("authorization", "Basic x")]
        self.assertTrue(self.world.call("operator", "OperatorService/GetStatus", metadata=metadata).version)
        with self.assertRaises(Refusal) as caught:
            self.world.call("nobody", "OperatorService/GetStatus", metadata=metadata, timeout=20)
        self.assertEqual(caught.exception.code, grpc.StatusCode.UNAVAILABLE.name)
