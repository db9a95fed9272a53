"""The key ring: its file, how a running broker follows it, and how the records follow a promotion."""

from __future__ import annotations

import json
import re
import stat
import tempfile
import unittest
from pathlib import Path
from typing import Any

from broker import run_tool
from evidence import Evidence


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


if __name__ == "__main__":
    unittest.main()
