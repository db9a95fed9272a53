"""Who calls: service account tokens whose keys come from the cluster, and those about which the cluster is asked."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from broker import wait_for
from identity_token_test import TokenCase
from kubernetes import DOCUMENT, KEYS, KubernetesApi
from pki import pki
from schema import Refusal
from caller_tokens import AUDIENCE, ISSUER, TokenKey, claims

_BETWEEN_FETCHES = 5.0  # seconds: what the broker leaves between two fetches for unknown keys


class ClusterCase(TokenCase):
    """A broker beside a Kubernetes API that the test may change."""

    api: ClassVar[KubernetesApi]

    @classmethod
    def open_api(cls) -> dict[str, Any]:
        """Starts the API; how the broker reaches it."""
        cls.api = KubernetesApi(pki().folder / "server.crt", pki().folder / "server.key")
        cls.addClassCleanup(cls.api.close)
        cls.api.keys = [cls.first]
        cls.write_own_token()
        return {"address": cls.api.address, "ca": str(pki().ca), "token_file": str(cls.folder / "own-token")}

    @classmethod
    def write_own_token(cls) -> None:
        """Gives the broker the token with which it may ask."""
        (cls.folder / "own-token").write_text(cls.api.broker_token + "\n", "ascii")

    def setUp(self) -> None:
        super().setUp()
        self.api.keys = [self.first]
        self.api.broken = False
        self.api.gone_pods.clear()

    def is_good(self, token: str) -> bool:
        """Whether the token counts now."""
        try:
            return self.call_with("nobody", f"Bearer {token}").status == 200
        except Refusal as refusal:
            self.assertEqual(refusal.reason, "BAD_TOKEN")
            return False


class DiscoveryTest(ClusterCase):
    @classmethod
    def kubernetes(cls) -> dict[str, Any]:
        return {"issuer": ISSUER, "audience": AUDIENCE, "discovery": cls.open_api()}

    def fetched(self) -> int:
        """How often the key set was asked for."""
        return self.api.asked.count(KEYS)

    def test_keys_come_from_the_cluster(self):
        self.good(self.first.sign(claims()))
        self.assertEqual(self.api.asked[:2], [DOCUMENT, KEYS])
        self.assertNotIn(self.api.broker_token, self.world.broker.log)

    def test_a_key_that_was_rotated_in_is_fetched_by_its_first_token(self):
        new = TokenKey(self.folder, "rotated-in", "ES256")
        self.api.keys = [self.first, new]
        token = new.sign(claims())
        wait_for("taking of the new key", lambda: self.is_good(token), _BETWEEN_FETCHES + 5)
        self.good(self.first.sign(claims()))

    def test_unknown_keys_of_strangers_drive_no_fetches(self):
        before, start = self.fetched(), time.monotonic()
        for number in range(100):
            self.bad(f"Bearer {self.second.sign(claims(), kid=f'unknown-{number}')}")
        allowed = 1 + (time.monotonic() - start) / _BETWEEN_FETCHES
        self.assertLessEqual(self.fetched() - before, allowed)
        self.good(self.first.sign(claims()))

    def test_the_brokers_own_token_is_read_again(self):
        self.api.broker_token = "another-token-of-the-broker"
        new = TokenKey(self.folder, "after-own-rotation")
        self.api.keys = [self.first, new]
        token = new.sign(claims())
        self.assertFalse(self.is_good(token))
        self.write_own_token()
        wait_for("fetch with the new token", lambda: self.is_good(token), 2 * _BETWEEN_FETCHES + 5)

    def test_what_the_cluster_cannot_give_keeps_the_old_keys(self):
        new = TokenKey(self.folder, "never-published")
        token = new.sign(claims())
        for trouble in ("broken", "empty", "another issuer"):
            with self.subTest(trouble):
                self.api.broken = trouble == "broken"
                self.api.keys = [] if trouble == "empty" else [self.first]
                self.api.issuer = "https://elsewhere" if trouble == "another issuer" else ISSUER
                wait_for("word of it", lambda: self.is_good(token) or self._problem(), 2 * _BETWEEN_FETCHES + 5)
                self.good(self.first.sign(claims()))
                self.api.broken, self.api.keys, self.api.issuer = False, [self.first], ISSUER
                wait_for("end of it", lambda: self.is_good(token) or not self._problem(), 2 * _BETWEEN_FETCHES + 5)

    def test_no_other_host_is_asked_for_keys(self):
        """A key set that the document places elsewhere is asked for at the API itself."""
        other = KubernetesApi(pki().folder / "server.crt", pki().folder / "server.key")
        self.addCleanup(other.close)
        self.api.jwks_uri = f"{other.address}{KEYS}"
        self.addCleanup(setattr, self.api, "jwks_uri", None)
        new = TokenKey(self.folder, "placed-elsewhere")
        self.api.keys = [self.first, new]
        token = new.sign(claims())
        wait_for("taking of the new key", lambda: self.is_good(token), _BETWEEN_FETCHES + 5)
        self.assertEqual(other.asked, [])

    def _problem(self) -> str:
        return str(self.ready()["checks"]["issuer_keys"].get("detail", ""))


class ForgedApiTest(ClusterCase):
    """The API's certificate is of an authority that the broker does not trust there."""

    @classmethod
    def kubernetes(cls) -> dict[str, Any]:
        reached = cls.open_api() | {"ca": str(pki().folder / "portal-ca.crt")}
        return {"issuer": ISSUER, "audience": AUDIENCE, "discovery": reached}

    def test_it_is_sent_no_token_and_believed_nothing(self):
        refusal = self.bad(f"Bearer {self.first.sign(claims())}")
        self.assertGreater(refusal.retry_after or 0, 0)
        self.assertEqual(self.api.asked, [])
        self.assertEqual(self.world.forward("inventory", "GET", "/device/devices/7").status, 200)
        self.assertTrue(self.ready()["ready"])
        self.assertIn("did not answer", self.ready()["checks"]["issuer_keys"]["detail"])


class TokenReviewTest(ClusterCase):
    @classmethod
    def kubernetes(cls) -> dict[str, Any]:
        return super().kubernetes() | {"token_review": cls.open_api()}

    def setUp(self) -> None:
        super().setUp()
        wait_for("answer of the API", lambda: self.is_good(self.token(f"before {self.id()} {time.monotonic()}")), 10)
        self.api.reviewed.clear()
        self.api.asked.clear()

    def token(self, jti: str) -> str:
        """One that has not been seen before."""
        return self.first.sign(claims(jti=jti))

    def test_the_cluster_is_asked_once_in_a_while(self):
        token = self.token("asked")
        start = time.monotonic()
        for _ in range(20):
            self.good(token)
        self.assertLessEqual(self.api.reviewed.count(token), 1 + (time.monotonic() - start) / 10)

    def test_a_token_that_is_replayed_after_the_deletion_of_its_pod_is_refused(self):
        token = self.token("replayed")
        self.good(token)
        self.api.gone_pods.add("uid-of-app-0")
        gone = time.monotonic()
        self.bad(f"Bearer {self.token('never seen before')}")
        wait_for("end of the token", lambda: not self.is_good(token), 12)
        self.assertLess(time.monotonic() - gone, 12)

    def test_calls_with_one_token_share_one_question(self):
        metadata = [("authorization", f"Bearer {self.token('shared')}")]
        self.api.hang.clear()
        fields = {"portal": "portals/acme", "method": "GET", "path": "/device/devices/7"}
        calls = [self.world.begin("nobody", "ForwardService/Forward", metadata=metadata, **fields) for _ in range(50)]
        wait_for("question", lambda: self.api.asked, 10)
        self.api.hang.set()
        self.assertEqual({self.world.finish(call).status for call in calls}, {200})
        self.assertEqual(len(self.api.reviewed), 1)

    def test_a_silent_api_refuses_tokens_and_keeps_nobody_else_waiting(self):
        self.api.hang.clear()
        self.addCleanup(self.api.hang.set)
        fields = {"portal": "portals/acme", "method": "GET", "path": "/device/devices/7"}
        waiting = [
            self.world.begin(
                "nobody", "ForwardService/Forward", metadata=[("authorization", f"Bearer {self.token(f'n{n}')}")], **fields
            )
            for n in range(40)
        ]
        start = time.monotonic()
        self.assertEqual(self.world.forward("inventory", "GET", "/device/devices/7").status, 200)
        self.assertTrue(self.world.call("operator", "OperatorService/GetStatus").version)
        self.assertLess(time.monotonic() - start, 3)
        for call in waiting:
            with self.assertRaises(Refusal) as caught:
                self.world.finish(call)
            self.judge(caught.exception, "BAD_TOKEN")
            self.assertGreater(caught.exception.retry_after or 0, 0)
        self.assertLess(time.monotonic() - start, 15)  # not one wait behind the other
        self.api.hang.set()
        wait_for("answer again", lambda: self.is_good(self.token("after")), 10)

    def test_an_api_that_fails_vouches_for_nobody(self):
        self.api.broken = True
        self.bad(f"Bearer {self.token('broken')}")
        self.assertIn("token_review_failed", self.world.broker.log)

    def test_a_caller_that_leaves_while_it_waits_leaves_nothing_behind(self):
        self.api.hang.clear()
        self.addCleanup(self.api.hang.set)
        fields = {"portal": "portals/acme", "method": "GET", "path": "/device/devices/7"}
        call = self.world.begin(
            "nobody", "ForwardService/Forward", metadata=[("authorization", f"Bearer {self.token('left')}")], **fields
        )
        wait_for("question", lambda: self.api.asked, 10)
        call.cancel()
        self.api.hang.set()
        self.world.outcome(code="CANCELLED", method="/lmbroker.v1.ForwardService/Forward")
