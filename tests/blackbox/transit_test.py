"""The key of a Transit engine in place of a key ring file."""

from __future__ import annotations

import json
import unittest
from typing import Any, ClassVar

from broker import run_tool, wait_for
from case import ECHO, BrokerTest
from evidence import forms_of
from pki import pki
from transit import TOKEN, Transit
from world import PORTAL, World


class TransitTest(BrokerTest):
    transit: ClassVar[Transit]

    @classmethod
    def setUpClass(cls) -> None:
        cls.transit = Transit(pki().folder / "server.crt", pki().folder / "server.key")
        cls.addClassCleanup(cls.transit.close)
        transit = {"address": cls.transit.address, "key": "lmbroker", "token_file": "keys/token", "cache": "1h"}
        transit["ca"] = str(pki().ca)
        cls.world = World(cls.POLICY, {"keyring": {"file": None, "transit": transit}})
        cls.addClassCleanup(cls.close_world)
        cls.token_file = cls.world.folder / "keys/token"
        cls.write_token(TOKEN)
        cls.world.evidence.keep("the Transit token", TOKEN)
        cls.world.start()
        cls.world.credential("writer", 32)

    @classmethod
    def write_token(cls, token: str) -> None:
        cls.token_file.write_text(token + "\n", "ascii")
        cls.token_file.chmod(0o600)

    def setUp(self) -> None:
        super().setUp()
        self.transit.sealed, self.transit.reply, self.transit.redirect = False, None, None
        self.transit.token = TOKEN
        self.write_token(TOKEN)
        self.transit.go_on.set()
        if self.world.broker.process is None or self.world.broker.process.poll() is not None:
            self.world.restart()

    def works(self) -> None:
        self.assertEqual(self.world.forward("writer", "GET", ECHO + "/a").status, 200)

    def import_refused(self, reason: str) -> None:
        self.refused(reason, "operator", "CredentialService/ImportCredential", parent=PORTAL, credential_id="refused",
                     type="BEARER", secret="lmb_not-a-key-of-anyone")  # fmt: skip

    def start_fails(self, why: str, code: int = 1) -> None:
        self.world.stop()
        self.world.broker.spawn()
        self.assertEqual(self.world.broker.process.wait(120), code)
        self.assertIn(why, self.world.broker.log)

    def test_records_open_again_after_a_restart(self):
        self.works()
        self.world.stop()
        self.world.restart()
        self.works()
        self.assertTrue(all(path.startswith("/v1/transit/") for path in self.transit.asked))

    def test_no_secret_goes_to_the_server(self):
        self.world.credential("kept-here", 33)
        said = b"".join(self.transit.said)
        self.assertIn(b"plaintext", said)
        for row in self.world.token_rows():
            for form in forms_of(row["accessKey"].encode()).values():
                self.assertNotIn(form, said)

    def test_the_data_path_needs_no_server(self):
        asked = len(self.transit.asked)
        self.transit.sealed = True
        self.works()
        self.assertEqual(len(self.transit.asked), asked)

    def test_a_server_that_fails_refuses_imports_and_nothing_else(self):
        for break_it in (
            lambda: setattr(self.transit, "sealed", True),
            lambda: setattr(self.transit, "token", "another"),
            lambda: setattr(self.transit, "reply", b"<html>not Transit</html>"),
            lambda: setattr(self.transit, "reply", b'{"data":{"ciphertext":"vault:v1:\\"}}'),
            lambda: setattr(self.transit, "reply", b'{"data":{"ciphertext":"' + b"x" * 100_000 + b'"}}'),
            lambda: setattr(self.transit, "redirect", f"{self.transit.address}/v1/elsewhere"),
            lambda: self.transit.go_on.clear(),
        ):
            self.setUp()
            break_it()
            self.import_refused("STORE_UNAVAILABLE")
            self.transit.go_on.set()
        self.setUp()
        self.world.credential("after-all", 33)
        self.assertNotIn("/v1/elsewhere", self.transit.asked)

    def test_a_server_that_fails_lets_no_broker_start(self):
        self.transit.sealed = True
        self.start_fails("it is sealed")
        self.transit.sealed = False
        self.transit.token = "another"
        self.start_fails("403")
        self.transit.token = TOKEN
        self.token_file.chmod(0o644)
        self.start_fails("keys/token", code=2)

    def test_a_record_that_the_server_does_not_open_lets_no_broker_start(self):
        versions = list(self.transit.versions)
        self.transit.versions = [bytes(32) for _ in versions]
        self.start_fails("cannot be opened")
        self.transit.versions[:] = versions

    def test_a_new_token_file_is_used_at_once(self):
        self.transit.token = "hvs.the-next-token"
        self.import_refused("STORE_UNAVAILABLE")
        self.write_token("hvs.the-next-token")
        self.world.credential("with-the-next-token", 33)

    def test_after_a_rotation_at_the_server_the_records_follow(self):
        self.transit.rotate()
        self.world.credential("rotated", 33)  # tells the broker of the new version

        def is_done() -> bool:
            rewrap = self.world.call("operator", "OperatorService/GetStatus").rewrap
            return bool(rewrap.done == rewrap.total)

        wait_for("records wrapped with the new version", is_done)
        self.transit.versions[:-1] = [bytes(32) for _ in self.transit.versions[:-1]]
        self.world.stop()
        self.world.restart()
        self.works()

    def test_sealed_it_needs_the_server_to_open(self):
        self.world.call("operator", "OperatorService/Seal")
        self.forward_refused("SEALED", "writer", "GET", ECHO)
        self.transit.sealed = True
        self.refused("STORE_UNAVAILABLE", "operator", "OperatorService/Unseal")
        self.forward_refused("SEALED", "writer", "GET", ECHO)
        self.transit.sealed = False
        self.world.call("operator", "OperatorService/Unseal")
        self.works()

    def test_check_finds_what_is_wrong_with_the_section(self):
        config = json.loads(self.world.broker.config_file.read_text("utf-8"))
        good = config["keyring"]["transit"]
        for key, value in (("address", "http://localhost"), ("address", "https://h/path"), ("key", "a/b"), ("key", ""),
                           ("mount", "../sys"), ("token_file", "keys/none"), ("cache", "2h"), ("ca", "none.pem")):  # fmt: skip
            config["keyring"]["transit"] = good | {key: value}
            self.check_fails(config, f"keyring.transit.{key}")

    def check_fails(self, config: Any, key: str) -> None:
        file = self.world.folder / "check.yaml"
        file.write_text(json.dumps(config), "utf-8")
        done = run_tool("--config", str(file), "--check")
        self.assertEqual(done.returncode, 2)
        self.assertIn(key, done.stderr)


if __name__ == "__main__":
    unittest.main()
