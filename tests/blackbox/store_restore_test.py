"""The store as an operator meets it: backup while the broker serves, restore, and databases that are not the right one."""

import json
import shutil
import sqlite3
import stat
import threading
import unittest
from pathlib import Path

from broker import Broker, run_tool
from world import PORTAL, World

ECHO = "/device/devices"


class StoreTest(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.close)
        self.folder = self.world.folder
        self.database = self.folder / "data/lmbroker.db"
        self.backup = self.folder / "data/backup.db"

    def close(self):
        self.assertEqual(self.world.close(), 0)

    def tool(self, command, file, config=None):
        return run_tool(command, "--config", str(config or self.world.broker.config_file), str(file))

    def done(self, command, file, config=None):
        run = self.tool(command, file, config)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return run.stdout

    def refused(self, command, file, reason, config=None):
        run = self.tool(command, file, config)
        self.assertEqual((run.returncode, run.stdout), (1, ""), run.stderr)
        self.assertIn(reason, run.stderr)

    def credentials(self):
        reply = self.world.call("operator", "CredentialService/ListCredentials", parent=PORTAL)
        return {each.name.rpartition("/")[2] for each in reply.credentials}

    def assert_does_not_serve(self, reason):
        self.world.broker.spawn()
        self.assertEqual(self.world.broker.process.wait(120), 1)
        self.assertIn(reason, self.world.broker.log)
        self.assertIn("lmbrokerd restore", self.world.broker.log)

    def test_a_backup_under_load_is_restored_into_a_fresh_folder_and_served_from(self):
        self.world.start()
        self.world.credential("reader", 34)
        stop = threading.Event()

        def load():
            while not stop.is_set():
                token = self.world.call("manager", "TokenService/CreateToken", parent=f"{PORTAL}/admins/33").token
                self.world.call("manager", "TokenService/DeleteToken", name=token.name)

        thread = threading.Thread(target=load)
        thread.start()
        try:
            for number in range(3):
                self.done("backup", self.folder / f"data/backup-{number}.db")
            self.done("backup", self.backup)
        finally:
            stop.set()
            thread.join()
        self.assertEqual(stat.S_IMODE(self.backup.stat().st_mode), 0o600)
        self.world.credential("later", 34)
        self.assertEqual(self.world.stop(), 0)

        # Elsewhere there is nothing but the configuration, the key ring and the backup.
        fresh = self.folder / "fresh"
        fresh.mkdir()
        config = json.loads(self.world.broker.config_file.read_text())
        self.world.broker = Broker(fresh, config, self.world.broker.policy_file.read_text())
        shutil.copy(self.folder / "keys/keyring.json", fresh / "keys/keyring.json")
        said = self.done("restore", self.backup)
        self.assertRegex(said, r"2 credentials|[3-9] credentials")
        self.assertNotIn("before", said.split("\n", 1)[1])
        self.world.broker.start()
        self.assertLessEqual({"acme-root", "reader"}, self.credentials())
        self.assertNotIn("later", self.credentials())
        probe = self.world.call("operator", "CredentialService/ProbeCredential", name=f"{PORTAL}/credentials/reader")
        self.assertEqual(probe.result, 1)

    def test_a_restore_keeps_what_was_there_and_the_older_database_is_refused(self):
        self.world.start()
        self.done("backup", self.backup)
        self.refused("backup", self.backup, "exists already")
        self.refused("restore", self.backup, "is locked by another lmbrokerd")
        self.world.credential("later", 34)
        # What was committed and not moved into the file yet is in a backup, too, when nobody serves.
        self.world.kill()
        self.done("backup", self.folder / "data/killed.db")
        self.world.restart()
        self.assertEqual(self.world.stop(), 0)
        present = self.database.read_bytes()

        said = self.done("restore", self.backup)
        kept = Path(said.split("that was there before is ")[1].split(" now")[0])
        self.assertTrue(kept.read_bytes() == present)
        self.world.broker.start()
        self.assertEqual(self.credentials(), {"acme-root"})
        self.assertEqual(self.world.stop(), 0)

        shutil.copy(kept, self.database)
        self.assert_does_not_serve("An older database was put in the place")
        self.done("restore", kept)
        self.world.broker.start()
        self.assertEqual(self.credentials(), {"acme-root", "later"})
        self.assertEqual(self.world.stop(), 0)
        self.done("restore", self.folder / "data/killed.db")
        self.world.broker.start()
        self.assertEqual(self.credentials(), {"acme-root", "later"})

    def test_law8_a_database_or_counter_file_of_before_does_not_serve(self):
        self.world.start()
        self.assertEqual(self.world.stop(), 0)
        counter = self.database.with_name("lmbroker.db.counter")
        old = {file: file.read_bytes() for file in (self.database, counter)}
        self.world.restart()
        for number in range(3):
            self.world.credential(f"c{number}", 34)
        self.assertEqual(self.world.stop(), 0)
        new = {file: file.read_bytes() for file in (self.database, counter)}

        self.database.write_bytes(old[self.database])
        self.assert_does_not_serve("An older database was put in the place")
        self.database.write_bytes(new[self.database])
        counter.write_bytes(old[counter])
        self.assert_does_not_serve("is older than the broker's database")
        counter.unlink()
        self.assert_does_not_serve("is missing")
        # What the message says helps.
        self.done("restore", self.database)
        self.world.broker.start()
        self.assertEqual(self.credentials(), {"acme-root", "c0", "c1", "c2"})

    def test_law8_a_database_that_somebody_edited_does_not_serve(self):
        self.world.start()
        self.world.credential("reader", 34)
        self.assertEqual(self.world.stop(), 0)
        good = self.database.read_bytes()
        for sql, reason in (
            ("UPDATE credentials SET master = 1 WHERE id = 'reader'", "the table `credentials`"),
            ("DELETE FROM credentials WHERE id = 'reader'", "the table `credentials` has 1 rows, and 2 are"),
            ("CREATE TRIGGER t AFTER DELETE ON tokens BEGIN DELETE FROM credentials; END", "its schema"),
        ):
            with self.subTest(sql):
                stranger = sqlite3.connect(self.database)
                stranger.execute(sql)
                stranger.commit()
                stranger.close()
                self.assert_does_not_serve(reason)
                self.database.write_bytes(good)
        self.world.broker.start()
        self.assertEqual(self.credentials(), {"acme-root", "reader"})

    def test_two_brokers_do_not_share_a_store(self):
        self.world.start()
        folder = self.folder / "other"
        folder.mkdir()
        config = json.loads(self.world.broker.config_file.read_text())
        config["store"]["sqlite"]["path"] = str(self.database)
        config["keyring"]["file"] = str(self.folder / "keys/keyring.json")
        second = Broker(folder, config, self.world.broker.policy_file.read_text())
        second.spawn()
        self.assertEqual(second.process.wait(120), 1)
        self.assertIn("is locked by another lmbrokerd", second.log)
        self.world.credential("reader", 34)

    def test_a_backup_that_is_not_good_is_refused_and_nothing_is_touched(self):
        self.world.start()
        self.done("backup", self.backup)
        self.assertEqual(self.world.stop(), 0)
        before = {file.name: file.read_bytes() for file in self.database.parent.iterdir() if file != self.backup}
        good = self.backup.read_bytes()
        for bad, reason in ((good[: len(good) // 2], "nothing was changed"), (b"", "is empty"), (b"x" * 9000, "not a database")):
            self.backup.write_bytes(bad)
            self.refused("restore", self.backup, reason)
        self.backup.write_bytes(good)
        ring = self.folder / "keys/keyring.json"
        right = ring.read_bytes()
        ring.unlink()
        self.assertEqual(run_tool("keyring", "init", str(ring)).returncode, 0)
        self.refused("restore", self.backup, "cannot be opened with this key ring")
        ring.write_bytes(right)
        self.backup.unlink()
        self.refused("restore", self.backup, "is no file")
        after = {file.name: file.read_bytes() for file in self.database.parent.iterdir()}
        self.assertTrue(before == after, (before.keys(), after.keys()))
        self.world.broker.start()

    def test_usage(self):
        for arguments in (("backup",), ("restore",), ("backup", "x"), ("restore", "--config", "x")):
            self.assertEqual(run_tool(*arguments).returncode, 2, arguments)
        self.assertEqual(run_tool("backup", "--config", str(self.folder / "none"), "x").returncode, 2)


if __name__ == "__main__":
    unittest.main()
