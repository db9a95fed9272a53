"""The key ring: its file, how a running broker follows it, and how the records follow a promotion."""

from __future__ import annotations

import json
import re
import signal
import stat
import tempfile
import threading
import time
import unittest
from pathlib import Path
from typing import Any

from broker import run_tool, wait_for
from case import ECHO, BrokerTest
from evidence import Evidence
from policies import POLICY
from schema import Refusal
from world import PORTAL

_CREDENTIALS = 30


class ToolTest(unittest.TestCase):
    """`lmbrokerd keyring`."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="lmbroker-ring-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.ring = self.folder / "ring.json"
        self.evidence = Evidence()
        self.run_keyring("init")

    def run_keyring(self, action: str, *arguments: str, code: int = 0) -> str:
        """What the tool printed."""
        done = run_tool("keyring", action, str(self.ring), *arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        self.evidence.add(f"keyring {action}", done.stdout + done.stderr)
        return done.stdout if code == 0 else done.stderr

    def states(self) -> dict[int, str]:
        """Version and state, as `list` shows them."""
        return {int(version): state for version, state in re.findall(r"(\d+)  (\w+) ", self.run_keyring("list"))}

    def keys(self) -> dict[str, Any]:
        ring: dict[str, Any] = json.loads(self.ring.read_text("ascii"))
        for key in ring["keys"]:
            self.evidence.keep(f"version {key['version']}", key["key"])
        self.evidence.keep("the audit key", ring["audit_key"]["seed"])
        return ring

    def test_init_makes_a_file_for_the_owner_and_never_overwrites(self):
        self.assertEqual(stat.S_IMODE(self.ring.stat().st_mode), 0o600)
        before = self.ring.read_bytes()
        self.assertIn("exists already", self.run_keyring("init", code=1))
        self.assertEqual(self.ring.read_bytes(), before)
        self.assertEqual(self.states(), {1: "primary"})

    def test_the_life_of_a_key(self):
        self.run_keyring("add")
        self.assertEqual(self.states(), {1: "primary", 2: "active"})
        self.run_keyring("promote")
        self.assertEqual(self.states(), {1: "active", 2: "primary"})
        self.run_keyring("retire", "1")
        self.assertEqual(self.states(), {1: "retired", 2: "primary"})
        self.run_keyring("purge", "1")
        self.assertEqual(self.states(), {2: "primary"})
        self.run_keyring("add")
        self.assertEqual(self.states(), {2: "primary", 3: "active"})
        self.assertEqual(stat.S_IMODE(self.ring.stat().st_mode), 0o600)
        self.assertEqual([each.name for each in self.folder.iterdir()], ["ring.json"])

    def test_what_the_rules_forbid_is_refused_and_changes_nothing(self):
        self.run_keyring("add")
        before = self.ring.read_bytes()
        for arguments, why in (
            (("retire", "1"), "promote another"),
            (("purge", "1"), "only a retired one"),
            (("purge", "2"), "only a retired one"),
            (("promote", "1"), "primary already"),
            (("promote", "3"), "no version 3"),
            (("retire", "9"), "no version 9"),
        ):
            self.assertIn(why, self.run_keyring(*arguments, code=1))
            self.assertEqual(self.ring.read_bytes(), before, arguments)
        for arguments in (("retire",), ("purge",), ("retire", "x"), ("retire", "0"), ("retire", "-1"), ("add", "1")):
            self.run_keyring(*arguments, code=2)

    def test_a_ring_of_an_early_version_gets_its_audit_key_with_the_next_key(self):
        ring = self.keys()
        del ring["audit_key"], ring["highest_version"]
        self.ring.write_text(json.dumps(ring), "ascii")
        self.assertEqual(self.states(), {1: "primary"})
        self.run_keyring("add")
        self.assertEqual(self.keys()["highest_version"], 2)
        self.assertEqual(len(self.keys()["audit_key"]["seed"]), 44)

    def test_no_key_is_shown(self):
        self.run_keyring("add")
        self.keys()
        self.run_keyring("promote")
        self.run_keyring("list")
        self.ring.write_text(self.ring.read_text("ascii").replace('"format"', '"farmat"'), "ascii")
        self.assertIn("is not a key ring", self.run_keyring("list", code=1))
        self.assertEqual(list(self.evidence.leaks()), [])


class RunningTest(BrokerTest):
    """A running broker and its ring."""

    POLICY = POLICY

    @classmethod
    def prepare(cls) -> None:
        cls.ring = cls.world.folder / "keys/keyring.json"
        for number in range(_CREDENTIALS):
            cls.world.credential(f"many-{number:02}", 33)
        cls.world.credential("writer", 32)

    def keyring(self, *arguments: str) -> None:
        done = run_tool("keyring", arguments[0], str(self.ring), *arguments[1:])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.world.learn_secrets()

    def status(self) -> Any:
        return self.world.call("operator", "OperatorService/GetStatus")

    def wait_rewrapped(self) -> None:
        def is_done() -> bool:
            rewrap = self.status().rewrap
            return rewrap.total > _CREDENTIALS and rewrap.done == rewrap.total and self.primary() == self.loaded()

        wait_for("records wrapped with the primary", is_done)

    def primary(self) -> int:
        keys = json.loads(self.ring.read_text("ascii"))["keys"]
        return next(key["version"] for key in keys if key["state"] == "primary")

    def loaded(self) -> int:
        """The primary that the broker has, as its log says."""
        return int((re.findall(r'"keys_loaded".*?"primary":(\d+)', self.world.broker.log) or ["1"])[-1])

    def works(self) -> None:
        self.assertEqual(self.world.forward("writer", "GET", ECHO + "/a").status, 200)

    def test_a_rotation_from_add_to_purge_breaks_no_call(self):
        old, failures, stop = self.primary(), [], threading.Event()

        def call_on() -> None:
            while not stop.is_set():
                try:
                    self.works()
                except (AssertionError, Refusal) as error:
                    failures.append(error)

        caller = threading.Thread(target=call_on)
        caller.start()
        self.addCleanup(caller.join)
        self.addCleanup(stop.set)
        self.keyring("add")
        self.keyring("promote")
        began = time.monotonic()
        wait_for("reload", lambda: self.loaded() == self.primary())
        self.assertLess(time.monotonic() - began, 2.5)
        self.wait_rewrapped()
        self.keyring("retire", str(old))
        self.keyring("purge", str(old))
        time_of_reload = self.world.broker.log.count('"keys_loaded"')
        wait_for("reload", lambda: self.world.broker.log.count('"keys_loaded"') > time_of_reload)
        self.assertEqual(self.status().rewrap.error, "")
        stop.set()
        caller.join()
        self.assertEqual(failures, [])
        self.world.stop()
        self.world.restart()
        self.works()

    def test_a_ring_that_lacks_a_needed_key_is_not_taken_and_everything_says_so(self):
        self.wait_rewrapped()
        good = self.ring.read_bytes()
        self.addCleanup(self.replace, good)
        self.replace(json.dumps(json.loads(good) | {"keys": [], "highest_version": 9}).encode())
        wait_for("error", lambda: "0 keys are primary" in self.status().rewrap.error)
        new = self.world.folder / "keys/other.json"
        run_tool("keyring", "init", str(new))
        self.replace(new.read_bytes())
        new.unlink()
        wait_for("error", lambda: "cannot be opened" in self.status().rewrap.error)
        self.assertIn("keys_refused", self.world.broker.log)
        ready, text = self.world.broker.ops("/readyz")
        self.assertEqual(ready, 200)
        self.assertIn("cannot be opened", text)
        self.assertIn('lmbroker_keyring_loads_total{result="failed"}', self.world.broker.ops("/metrics")[1])
        self.works()
        self.world.credential("while-old", 33)
        # At a start there is no older ring: nothing is served, and the reason is told.
        self.world.stop()
        self.world.broker.spawn()
        self.assertEqual(self.world.broker.process.wait(60), 1)
        self.assertIn("cannot be opened", self.world.broker.log)
        self.replace(good)
        self.world.restart()
        self.works()

    def replace(self, content: bytes) -> None:
        draft = self.ring.with_suffix(".new")
        draft.write_bytes(content)
        draft.chmod(0o600)
        draft.replace(self.ring)

    def test_rewrap_goes_on_after_a_kill(self):
        for pause in (0.0, 0.05, 0.1, 0.2, 0.4, 0.8):
            self.keyring("add")
            self.keyring("promote")
            wait_for("reload", lambda: self.loaded() == self.primary())
            time.sleep(pause)
            self.world.kill()
            self.world.restart()
            self.works()
            self.assertEqual(
                self.world.call("operator", "CredentialService/ListCredentials", parent=PORTAL, page_size=1000)
                .credentials[0].name, f"{PORTAL}/credentials/acme-root")  # fmt: skip
        wait_for("all wrapped", lambda: (r := self.status().rewrap).done == r.total)
        self.works()

    def test_sighup_reads_the_ring_again(self):
        before = self.world.broker.log.count('"keys_loaded"')
        self.world.broker.signal(signal.SIGHUP)
        wait_for("reload", lambda: self.world.broker.log.count('"keys_loaded"') > before)


if __name__ == "__main__":
    unittest.main()
