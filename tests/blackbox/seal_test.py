"""Sealing: what a sealed broker refuses, what it forgets, and how it opens again."""

from __future__ import annotations

import unittest
from typing import Any

import memory
from broker import run_tool, wait_for
from case import ECHO, ForwardCase
from schema import Refusal, schema
from world import PORTAL, World

PASSPHRASE = "correct horse battery staple"

# What needs no key and changes nothing. Everything else that the broker serves is refused.
_OPEN_WHILE_SEALED = {
    "CredentialService/GetCredential", "CredentialService/ListCredentials",
    "PolicyService/ExplainAccess", "PolicyService/ExplainSignature", "PolicyService/DiffPolicy",
    "PolicyService/ListGrants", "OperatorService/GetStatus", "OperatorService/Seal", "OperatorService/Unseal",
    "OperatorService/ListLeases",
}  # fmt: skip
_TOKEN = f"{PORTAL}/admins/33/tokens/1"
_READER = f"{PORTAL}/credentials/inventory-reader"
_REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "ForwardService/Forward": ("writer", {"portal": PORTAL, "method": "GET", "path": ECHO}),
    "ForwardService/ForwardStream": ("writer", {"portal": PORTAL, "method": "GET", "path": ECHO}),
    "TokenService/CreateToken": ("operator", {"parent": f"{PORTAL}/admins/33"}),
    "TokenService/GetToken": ("operator", {"name": _TOKEN}),
    "TokenService/ListTokens": ("operator", {"parent": PORTAL}),
    "TokenService/UpdateToken": ("operator", {"token": {"name": _TOKEN, "note": "n"}}),
    "TokenService/ToggleToken": ("operator", {"name": _TOKEN, "status": "DISABLED"}),
    "TokenService/RotateToken": ("operator", {"name": _TOKEN}),
    "TokenService/DeleteToken": ("operator", {"name": _TOKEN}),
    "CredentialService/ImportCredential": (
        "operator",
        {"parent": PORTAL, "credential_id": "new", "type": "BEARER", "secret": "lmb_not-a-key-of-anyone"},
    ),
    "CredentialService/ToggleCredential": ("operator", {"name": _READER, "status": "ENABLED"}),
    "CredentialService/RotateCredential": ("operator", {"name": _READER}),
    "CredentialService/DeleteCredential": ("operator", {"name": _READER}),
    "CredentialService/ProbeCredential": ("operator", {"name": _READER}),
    "OperatorService/RevokeLease": ("operator", {"name": _TOKEN}),
}


class SealTest(ForwardCase):
    """Each test begins and ends with an open broker."""

    def seal(self) -> None:
        self.world.call("operator", "OperatorService/Seal")

    def unseal(self, **fields: Any) -> None:
        self.world.call("operator", "OperatorService/Unseal", **fields)

    def tearDown(self) -> None:
        if self.world.broker.process.poll() is not None:
            self.world.restart()
        self.unseal()

    def works(self) -> None:
        self.assertEqual(self.world.forward("writer", "GET", ECHO + "/a").status, 200)

    def sealed(self) -> bool:
        return bool(self.world.call("operator", "OperatorService/GetStatus").sealed)

    def test_whatever_needs_a_key_is_refused_and_nothing_is_sent(self):
        self.seal()
        for name in schema().methods():
            if not name.startswith("lmbroker.v1."):
                continue  # health
            method = name.removeprefix("lmbroker.v1.")
            if method in _OPEN_WHILE_SEALED or method not in _REQUESTS:
                self.assertIn(method, _OPEN_WHILE_SEALED, "say whether this method needs a key")
                continue
            who, fields = _REQUESTS[method]
            with self.subTest(method), self.assertRaises(Refusal) as caught:
                if method.endswith("ForwardStream"):
                    self.world.read_stream(self.world.stream(who, fields["method"], fields["path"]))
                else:
                    self.world.call(who, method, **fields)
            self.judge(caught.exception, "SEALED")
        self.assertEqual(self.sent(), [])

    def test_strangers_learn_nothing_of_the_seal(self):
        self.seal()
        self.forward_refused("NO_GRANT", "stranger", "GET", ECHO)
        self.refused("NO_GRANT", "writer", "OperatorService/Unseal")
        self.refused("NO_GRANT", "writer", "OperatorService/Seal")
        self.assertTrue(self.sealed())

    def test_descriptions_status_and_questions_are_answered(self):
        before = self.world.call("operator", "CredentialService/GetCredential", name=_READER)
        self.seal()
        self.assertEqual(self.world.call("operator", "CredentialService/GetCredential", name=_READER), before)
        self.assertEqual(
            len(self.world.call("operator", "CredentialService/ListCredentials", parent=PORTAL).credentials), 5
        )
        forward = {"portal": PORTAL, "method": "GET", "path": "/device/devices/7"}
        answer = self.world.call("operator", "PolicyService/ExplainAccess", caller="inventory", forward=forward)
        self.assertTrue(answer.allowed)
        self.assertTrue(self.sealed())
        status, text = self.world.broker.ops("/readyz")
        self.assertEqual(status, 503)
        self.assertIn("sealed", text)
        self.assertEqual(self.world.broker.ops("/livez")[0], 200)
        self.assertIn("lmbroker_sealed 1", self.world.broker.ops("/metrics")[1])
        self.unseal()
        self.assertEqual(self.world.broker.ops("/readyz")[0], 200)

    def test_the_seal_outlives_ends_of_every_kind(self):
        self.seal()
        for end in (self.world.stop, self.world.kill):
            end()
            self.world.restart()
            self.assertTrue(self.sealed())
            self.forward_refused("SEALED", "writer", "GET", ECHO)
        self.unseal()
        self.works()
        self.world.stop()
        self.world.restart()
        self.assertFalse(self.sealed())
        self.works()

    def test_both_may_be_repeated_and_are_audited(self):
        for method in ("Seal", "Seal", "Unseal", "Unseal"):
            self.world.call("operator", f"OperatorService/{method}")
            outcome = self.world.outcome(method=f"/lmbroker.v1.OperatorService/{method}", code="OK")
            self.assertEqual(len(self.world.pair(outcome["id"])), 2)
        self.works()

    def test_a_call_in_flight_ends_or_is_cut(self):
        self.world.portal.fault("slow-head", seconds=1)
        quick = self.world.begin("writer", "ForwardService/Forward", portal=PORTAL, method="GET", path=ECHO + "/quick")
        self.world.await_request(ECHO + "/quick")
        self.seal()
        self.assertEqual(self.world.finish(quick).status, 200)
        self.unseal()
        self.world.portal.control("DELETE", "/faults")
        self.world.portal.fault("slow-head", seconds=60)
        slow = self.world.begin("writer", "ForwardService/Forward", portal=PORTAL, method="GET", path=ECHO + "/slow")
        self.world.await_request(ECHO + "/slow")
        self.world.call("operator", "OperatorService/Seal", timeout=9)
        with self.assertRaises(Refusal) as caught:
            self.world.finish(slow)
        self.assertEqual(caught.exception.code, "CANCELLED")
        self.assertTrue(self.sealed())

    def test_the_cli_seals_and_unseals(self):
        self.assertEqual(self.world.cli("operator", "seal").returncode, 0)
        self.assertTrue(self.sealed())
        refused = self.world.cli("writer", "forward", "acme", "GET", ECHO)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("unseal", refused.stderr)
        done = self.world.cli("operator", "unseal")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.works()


class PassphraseTest(ForwardCase):
    """A ring that a passphrase protects."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.world = World(cls.POLICY)
        cls.addClassCleanup(cls.close_world)
        ring = cls.world.folder / "keys/keyring.json"
        ring.unlink()
        made = run_tool("keyring", "init", "--passphrase", str(ring), input=PASSPHRASE + "\n")
        assert made.returncode == 0, made.stderr
        cls.world.evidence.keep("the passphrase", PASSPHRASE)
        cls.world.start(master=False)
        cls.world.call("operator", "OperatorService/Unseal", passphrase=PASSPHRASE)
        cls.world.import_master()
        cls.prepare()

    def test_the_broker_starts_sealed_and_opens_with_the_passphrase_alone(self):
        self.world.stop()
        self.world.restart()
        self.forward_refused("SEALED", "writer", "GET", ECHO)
        for wrong in ("", "incorrect horse battery staple", "x" * 5000):
            refusal = self.refused("FIELD_INVALID", "operator", "OperatorService/Unseal", passphrase=wrong)
            self.assertEqual(refusal.metadata["field"], "passphrase")
        self.assertTrue(self.world.call("operator", "OperatorService/GetStatus").sealed)
        done = self.world.cli("operator", "unseal", secret=PASSPHRASE + "\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.world.forward("writer", "GET", ECHO + "/a").status, 200)

    def test_the_tools_ask_for_it(self):
        ring, file = str(self.world.folder / "keys/keyring.json"), self.world.folder / "keys/passphrase"
        file.write_text(PASSPHRASE + "\n", "ascii")
        file.chmod(0o600)
        self.addCleanup(file.unlink)
        before = (self.world.folder / "keys/keyring.json").read_bytes()
        for options in ({"input": ""}, {"input": "wrong\n"}):
            self.assertEqual(run_tool("keyring", "add", ring, **options).returncode, 1)
        self.assertEqual((self.world.folder / "keys/keyring.json").read_bytes(), before)
        self.assertEqual(run_tool("keyring", "add", ring, input=PASSPHRASE).returncode, 0)
        listed = run_tool("keyring", "list", ring, "--passphrase-file", str(file))
        self.assertIn("active", listed.stdout)
        self.assertEqual(run_tool("keyring", "promote", ring, "--passphrase-file", str(file)).returncode, 0)

        # The broker follows: it has the key that scrypt made of the passphrase.
        def is_done() -> bool:
            rewrap = self.world.call("operator", "OperatorService/GetStatus").rewrap
            return '"keys_loaded"' in self.world.broker.log and bool(rewrap.done == rewrap.total) and not rewrap.error

        wait_for("records wrapped with the new key", is_done)
        file.chmod(0o644)
        self.assertEqual(run_tool("keyring", "list", ring, "--passphrase-file", str(file)).returncode, 1)

    def test_a_passphrase_that_is_too_short_is_refused(self):
        ring = self.world.folder / "keys/short.json"
        made = run_tool("keyring", "init", "--passphrase", str(ring), input="short\n")
        self.assertEqual(made.returncode, 1)
        self.assertIn("12 to 1024", made.stderr)
        self.assertFalse(ring.exists())


class MemoryTest(ForwardCase):
    """What the memory of the process holds, as root sees it. Under AddressSanitizer, which keeps freed memory as it was
    for a while, it shows each copy that was not wiped."""

    def setUp(self) -> None:
        super().setUp()
        try:
            with open(f"/proc/{self.world.broker.pid}/mem", "rb") as file:
                file.seek(next(memory.mappings(self.world.broker.pid))[0])
                file.read(1)
        except OSError as error:
            self.skipTest(f"the memory of the broker may not be read here: {error}")

    def secrets(self) -> list[str]:
        """Of each key what LM never shows again: its later replies have the first 20 characters of a Bearer token."""
        return [row["accessKey"][20 if row["type"] == "BEARER" else 0 :] for row in self.world.token_rows()]

    def tearDown(self) -> None:
        self.world.call("operator", "OperatorService/Unseal")

    def use_all(self) -> None:
        """Every way in which a key comes into the process and is used."""
        for who, path in (("writer", ECHO + "/a"), ("bearer", ECHO + "/b")):
            self.world.forward(who, "POST", path)
        created = self.world.call("operator", "TokenService/CreateToken", parent=f"{PORTAL}/admins/33",
                                  token={"type": "BEARER"})  # fmt: skip
        self.world.call("operator", "CredentialService/ProbeCredential", name=created.token.credential)
        self.world.call("operator", "CredentialService/RotateCredential", name=created.token.credential)

    def test_after_seal_no_key_is_left(self):
        self.use_all()
        self.world.call("operator", "OperatorService/Seal")
        self.assertEqual([where for where, _ in memory.find(self.world.broker.pid, self.secrets())], [])

    def test_while_open_keys_lie_in_the_locked_heap_alone(self):
        self.use_all()
        pid = self.world.broker.pid
        found = memory.find(pid, self.secrets())
        self.assertNotEqual(found, [], "the search finds what is there")
        self.assertEqual([where for where, begin in found if not memory.is_locked(pid, begin)], [])


if __name__ == "__main__":
    unittest.main()
