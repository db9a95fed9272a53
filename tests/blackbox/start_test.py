"""Starting: what is missing or wrong, all of it at once (law 8); a port in use; what is served and what is not."""

import http.client
import json
import os
import signal
import socket
import stat
import unittest
from pathlib import Path

import grpc

from broker import Broker, run_tool
from case import BrokerTest
from pki import pki
from schema import schema
from world import PORTAL, World

_LIST_SERVICES = b"\x3a\x01*"  # grpc.reflection.v1alpha.ServerReflectionRequest, list_services: "*"


class ServedTest(BrokerTest):
    CONFIG = {"listen": {"reflection": True}}

    def get(self, path):
        connection = http.client.HTTPConnection(self.world.broker.ops_address, timeout=20)
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()

    def test_health_and_metrics_over_plain_http(self):
        self.assertEqual(self.get("/livez")[0], 200)
        self.assertEqual(self.get("/readyz")[0], 200)
        self.world.call("operator", "OperatorService/GetStatus")
        status, text = self.get("/metrics")
        self.assertEqual(status, 200)
        self.assertRegex(text, r"(?m)^lmbroker_\w+(\{[^}]*\})? [0-9.e+-]+$")
        self.assertEqual(self.get("/../etc/passwd")[0], 404)
        self.world.evidence.add("/metrics", text)

    def test_reflection_lists_the_services_where_it_is_on(self):
        path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
        call = self.world.channel("operator").stream_stream(path)(iter([_LIST_SERVICES]), timeout=20)
        listed = b"".join(call)
        for service in {name.partition("/")[0] for name in schema().methods()}:
            self.assertIn(service.encode(), listed)

    def test_the_status_says_how_the_broker_is_doing(self):
        status = self.world.call("operator", "OperatorService/GetStatus")
        self.assertTrue(status.version)
        self.assertGreater(status.start_time.seconds, 1_700_000_000)
        self.assertEqual([each.portal for each in status.portals], sorted(each.portal for each in status.portals))
        acme = next(each for each in status.portals if each.portal == PORTAL)
        self.assertEqual(schema().message("lmbroker.v1.PortalStatus").MasterState.Name(acme.master_state), "READY")
        self.assertIn(f"{PORTAL}/credentials/acme-root", [each.credential for each in status.credentials])
        self.assertRegex(status.policy.digest, r"^[0-9a-f]{64}$")
        self.assertEqual((status.policy.error, status.audit.error, status.sealed), ("", "", False))

    def test_files_that_hold_or_guard_secrets_are_for_the_owner_alone(self):
        for name in ("keys/keyring.json", "data/lmbroker.db", "audit/audit.jsonl"):
            mode = stat.S_IMODE((self.world.folder / name).stat().st_mode)
            self.assertEqual(mode & 0o077, 0, f"{name} has mode {mode:o}")

    def test_law1_the_process_has_no_core_and_cannot_be_read(self):
        pid = self.world.broker.pid
        lines = Path(f"/proc/{pid}/limits").read_text("ascii").splitlines()
        limits = {line[:26].strip(): line[26:].split() for line in lines}
        self.assertEqual(limits["Max core file size"][:2], ["0", "0"])
        # A process that is not dumpable belongs to root in /proc, whoever runs it.
        self.assertEqual(os.stat(f"/proc/{pid}/mem").st_uid, 0)
        self.assertIn("NoNewPrivs:\t1", Path(f"/proc/{pid}/status").read_text("ascii"))


class NotServedTest(BrokerTest):
    """The defaults: no reflection; the master key is not there yet."""

    MASTER = False

    def test_reflection_is_off_unless_it_is_configured(self):
        for version in ("v1alpha", "v1"):
            path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
            call = self.world.channel("operator").stream_stream(path)(iter([_LIST_SERVICES]), timeout=20)
            with self.assertRaises(grpc.RpcError) as caught:
                list(call)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    def test_without_its_master_key_it_is_ready_and_says_so(self):
        connection = http.client.HTTPConnection(self.world.broker.ops_address, timeout=20)
        connection.request("GET", "/readyz")
        reply = connection.getresponse()
        self.assertEqual(reply.status, 200)
        self.assertIn("acme-root", reply.read().decode())
        for method, fields in (("ListTokens", {"parent": PORTAL}), ("CreateToken", {"parent": f"{PORTAL}/admins/33"})):
            self.refused("NO_MASTER", "operator", f"TokenService/{method}", **fields)


class Law8Test(unittest.TestCase):
    """Fails closed, loudly, at start."""

    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.folder = self.world.folder
        self.config = json.loads(self.world.broker.config_file.read_text())

    def check(self, code, *words):
        """`--check`: the exit code, and every word in what it prints; then it must not serve either."""
        self.world.broker.config_file.write_text(json.dumps(self.config, indent=1))
        done = run_tool("--config", str(self.world.broker.config_file), "--check")
        self.world.evidence.add("--check", done.stdout + done.stderr)
        self.assertEqual(done.returncode, code, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        return done

    def assert_does_not_serve(self):
        self.world.broker.spawn()
        self.assertNotEqual(self.world.broker.process.wait(60), 0)
        self.assertTrue(self.world.broker.log)
        self.assertFalse((self.folder / "run/address").exists())

    def test_a_good_configuration_is_good(self):
        done = self.check(0)
        self.assertNotIn("policy.yaml", done.stderr)

    def test_law8_everything_that_is_missing_is_said_at_once(self):
        tls = self.config["listen"]["tls"]
        tls["certificate"], tls["key"], tls["client_ca"] = "tls/no.crt", "tls/no.key", "tls/no-ca.crt"
        self.config["keyring"]["file"] = "keys/none.json"
        self.config["policy"]["file"] = "none.yaml"
        self.config["audit"]["sinks"][0]["file"]["path"] = "no/such/folder/audit.jsonl"
        self.config["store"]["sqlite"]["path"] = "none/lmbroker.db"
        self.config["portals"]["acme"]["ca"] = "tls/no-portal-ca.crt"
        self.config["ops"]["address"] = "nonsense"
        self.check(2, "listen.tls.certificate", "listen.tls.client_ca", "keyring.file", "policy.file",
                   "audit.sinks[0].file.path", "store.sqlite.path", "portals.acme.ca", "ops.address")  # fmt: skip
        self.assert_does_not_serve()

    def test_law8_a_key_that_others_may_read_is_refused(self):
        copy = self.folder / "server.key"
        copy.write_bytes((pki().folder / "server.key").read_bytes())
        copy.chmod(0o640)
        self.config["listen"]["tls"]["key"] = str(copy)
        ring = self.folder / "keys/keyring.json"
        for mode in (0o604, 0o640, 0o644):
            ring.chmod(mode)
            self.check(2, "listen.tls.key", "keyring.file")
        self.assert_does_not_serve()

    def test_law8_a_key_that_is_not_the_certificates_is_refused(self):
        self.config["listen"]["tls"]["key"] = str(pki().folder / "operator.key")
        self.check(2, "listen.tls.key")
        self.assert_does_not_serve()

    def test_law8_a_damaged_key_ring_is_refused_and_not_shown(self):
        ring = self.folder / "keys/keyring.json"
        text = ring.read_text()
        for damaged in (text[:-20], text.replace("A", "B", 1) + "x", "{}", "", "[]"):
            ring.write_text(damaged)
            self.check(2, "keyring.file")

    def test_law8_another_key_ring_than_the_stores_does_not_serve(self):
        self.world.start()
        self.assertEqual(self.world.stop(), 0)
        ring = self.folder / "keys/keyring.json"
        ring.unlink()
        self.assertEqual(run_tool("keyring", "init", str(ring)).returncode, 0)
        self.assert_does_not_serve()

    def test_law8_a_store_that_is_none_does_not_serve(self):
        (self.folder / "data/lmbroker.db").write_bytes(b"not a database" * 100)
        self.assert_does_not_serve()

    def test_law8_an_audit_file_that_is_none_does_not_serve(self):
        (self.folder / "audit/audit.jsonl").write_text("these are no records\n")
        self.assert_does_not_serve()

    def test_a_port_in_use_is_refused(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            for section in ("listen", "ops"):
                address = self.config[section]["address"]
                self.config[section]["address"] = f"127.0.0.1:{taken.getsockname()[1]}"
                self.world.broker.config_file.write_text(json.dumps(self.config))
                self.assert_does_not_serve()
                self.config[section]["address"] = address

    def test_two_brokers_share_neither_a_port_nor_an_audit_file(self):
        self.world.start()
        first = self.world.broker
        shared = {
            "port": {"listen": self.config["listen"] | {"address": first.address}},
            "audit": {"audit": {"sinks": [{"file": {"path": str(self.folder / "audit/audit.jsonl")}}]}},
        }
        for what, section in shared.items():
            with self.subTest(what):
                folder = self.folder / f"other-{what}"
                folder.mkdir()
                second = Broker(folder, self.config | section, first.policy_file.read_text())
                second.spawn()
                self.assertNotEqual(second.process.wait(60), 0)
                self.assertTrue(second.log)

    def test_state_survives_a_restart_and_a_kill(self):
        self.world.start()
        for end, code in ((self.world.stop, 0), (self.world.kill, -signal.SIGKILL)):
            self.assertEqual(end(), code)
            self.world.restart()
            tokens = self.world.call("operator", "TokenService/ListTokens", parent=PORTAL)
            self.assertEqual(tokens.total_size, 1)
        records = [record["seq"] for record in self.world.broker.audit()]
        self.assertEqual(records, list(range(1, len(records) + 1)))


class UsageTest(unittest.TestCase):
    """The command line of `lmbrokerd`."""

    def test_wrong_usage_ends_with_two(self):
        for arguments in ((), ("--nonsense",), ("keyring",), ("keyring", "burn", "x"), ("--config",), ("--check",)):
            self.assertEqual(run_tool(*arguments).returncode, 2, arguments)
        self.assertEqual(run_tool("--help").returncode, 0)
        self.assertEqual(run_tool("--version").returncode, 0)


if __name__ == "__main__":
    unittest.main()
