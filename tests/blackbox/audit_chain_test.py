"""The audit as evidence: what the chain, its checkpoints and the head file prove, and what a start does without them."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import unittest
from pathlib import Path

from broker import run_tool, wait_for
from case import ECHO, BrokerTest, ForwardCase

_SMALL = "6KiB"
_LAST_LINE = re.compile(rb"[^\n]+\n\Z")


class ChainTest(ForwardCase):
    """A broker whose small audit files rotate often, with a head file; killed and started as it comes."""

    CONFIG = {
        "audit": {
            "sinks": [{"file": {"path": "audit/audit.jsonl", "rotate": {"size": _SMALL}}}],
            "head": "data/head.json",
        }
    }

    @property
    def file(self) -> Path:
        return self.world.folder / "audit/audit.jsonl"

    @property
    def head(self) -> Path:
        return self.world.folder / "data/head.json"

    def files(self) -> list[Path]:
        """All audit files, the oldest first."""
        rotated = sorted(self.file.parent.glob("audit.jsonl.*"), key=lambda path: int(path.suffix[1:]))
        return [*rotated, self.file]

    def key(self) -> Path:
        """The public key with which checkpoints are checked."""
        printed = run_tool("audit", "key", str(self.world.folder / "keys/keyring.json"))
        self.assertEqual(printed.returncode, 0, printed.stderr)
        path = self.world.folder / "audit-key.pem"
        path.write_text(printed.stdout, "ascii")
        return path

    def verify(self, *files: Path, head: bool = True) -> subprocess.CompletedProcess[str]:
        heads = ["--head", str(self.head)] if head else []
        return run_tool("audit", "verify", *heads, "--key", str(self.key()), *map(str, files or self.files()))

    def some_calls(self) -> None:
        for number in range(8):
            self.world.forward("writer", "POST", f"{ECHO}/{number}")

    def test_runs_restarts_kills_and_rotated_files_are_one_intact_chain(self) -> None:
        for end in (self.world.stop, self.world.kill, self.world.stop):
            self.some_calls()
            end()
            done = self.verify()
            self.assertEqual(done.returncode, 0, done.stdout)
            self.world.restart()
        self.assertGreater(len(self.files()), 2)
        self.assertRegex(self.verify().stdout, r"intact: \d+ records, 1 to \d+, \d+ checkpoints")
        for file in self.files()[:-1]:
            last = json.loads(_LAST_LINE.findall(file.read_bytes())[0])
            self.assertEqual(last["kind"], "checkpoint")

    def test_what_somebody_changed_is_named(self) -> None:
        self.some_calls()
        self.world.stop()
        self.addCleanup(self.world.restart)
        file = self.files()[0]
        before = file.read_bytes()
        self.addCleanup(file.write_bytes, before)
        lines = before.splitlines(keepends=True)
        for what, changed in (
            ("flipped", before.replace(b"writer", b"reader", 1)),
            ("dropped", b"".join(lines[:3] + lines[4:])),
            ("doubled", b"".join(lines[:4] + lines[3:])),
            ("swapped", b"".join(lines[:2] + [lines[3], lines[2]] + lines[4:])),
            ("cut", before[:-10]),
        ):
            with self.subTest(what=what):
                file.write_bytes(changed)
                done = self.verify()
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertRegex(done.stdout, r"DAMAGED .*audit\.jsonl(\.\d+)?(:\d+)?: ")

    def test_a_cut_tail_is_missed_and_the_broker_does_not_start(self) -> None:
        self.some_calls()
        self.world.stop()
        self.addCleanup(self.world.restart)
        before = self.file.read_bytes()
        self.addCleanup(self.file.write_bytes, before)
        self.file.write_bytes(before[: before.rindex(b"\n", 0, -1) + 1])
        self.assertEqual(self.verify(head=False).returncode, 0)
        done = self.verify()
        self.assertEqual(done.returncode, 1)
        self.assertIn("the head knows record", done.stdout)
        with self.assertRaisesRegex(AssertionError, "its head knows record"):
            self.world.broker.start()

    def test_another_key_did_not_sign_it(self) -> None:
        other = self.world.folder / f"keys/other-{self.id()}.json"
        run_tool("keyring", "init", str(other))
        key = self.world.folder / "other.pem"
        key.write_text(run_tool("audit", "key", str(other)).stdout, "ascii")
        done = run_tool("audit", "verify", "--key", str(key), *map(str, self.files()))
        self.assertEqual(done.returncode, 1)
        self.assertIn("is not signed with the given key", done.stdout)

    def test_what_cannot_be_read_is_neither(self) -> None:
        for arguments in (
            [str(self.world.folder / "audit/nothing")],
            ["--head", str(self.world.folder / "nothing"), str(self.file)],
            ["--head", str(self.world.folder / "policy.yaml"), str(self.file)],
            ["--key", str(self.world.folder / "policy.yaml"), str(self.file)],
            [],
        ):
            done = run_tool("audit", "verify", *arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertTrue(done.stderr)


class SyslogTest(BrokerTest):
    """A file and the system log, of which one suffices."""

    MASTER = False

    @classmethod
    def setUpClass(cls) -> None:
        cls.daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        cls.daemon.setblocking(False)
        super().setUpClass()

    def messages(self) -> list[dict[str, object]]:
        """The records that have come to the system log since the last look."""
        records = []
        while True:
            try:
                message = self.daemon.recv(1 << 17)
            except BlockingIOError:
                return records
            self.assertRegex(message, rb"\A<158>1 \d{4}-\d\d-\d\dT[0-9:.]+Z \S+ lmbrokerd \d+ audit - \{")
            records.append(json.loads(message[message.index(b"{"):]))

    CONFIG = {
        "audit": {
            "sinks": [
                {"file": {"path": "audit/audit.jsonl"}},
                {"syslog": {"facility": "local3", "socket": "run-log"}},
            ],
            "need": "any",
        }
    }

    def test_another_sink_takes_over_and_the_file_says_what_it_missed(self) -> None:
        # Nobody listened at the start: the file sufficed.
        self.daemon.bind(str(self.world.folder / "run-log"))
        folder, away = self.world.folder / "audit", self.world.folder / "audit-away"
        self.world.call("operator", "OperatorService/GetStatus")
        wait_for("records at the system log", lambda: any(r["kind"] == "outcome" for r in self.messages()))
        folder.rename(away)
        folder.write_text("in the way")
        self.world.credential("by-syslog", 33, "BEARER")
        imported = self.messages()
        self.assertTrue(any(str(r).count("by-syslog") for r in imported), imported)
        folder.unlink()
        away.rename(folder)
        self.world.call("operator", "OperatorService/GetStatus")
        wait_for(
            "the missed records in the file",
            lambda: any(str(r).count("by-syslog") for r in self.world.broker.audit()),
        )
        done = run_tool("audit", "verify", str(folder / "audit.jsonl"))
        self.assertEqual(done.returncode, 0, done.stdout)


class StdoutTest(BrokerTest):
    """Standard output alone, as in a container."""

    CONFIG = {"audit": {"sinks": [{"stdout": {}}]}}
    MASTER = False

    def test_records_are_lines_of_standard_output(self) -> None:
        self.world.call("operator", "OperatorService/GetStatus")
        output = self.world.folder / "logs/1.stdout"
        wait_for("outcome", lambda: b'"kind":"outcome"' in output.read_bytes())
        self.assertEqual(self.world.broker.end(signal.SIGTERM), 0)
        done = run_tool("audit", "verify", str(output))
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"intact: (\d+) records, 1 to \1, \d checkpoints")


if __name__ == "__main__":
    unittest.main()
