"""A policy file that changes while the broker runs: taken whole or not at all, and what was not taken is said everywhere."""

import json
import os
import signal
import unittest
import urllib.request

from broker import wait_for
from case import ForwardCase
from policies import POLICY
from schema import Refusal

PATHS = 'paths: ["/device/devices", "/device/devices/**"]'


class PolicyFileCase(ForwardCase):
    def setUp(self):
        super().setUp()
        self.file = self.world.broker.policy_file
        self.put(POLICY)
        wait_for("the policy of the tests", lambda: not self.status().error and self.may("inventory", "/device/devices"))

    def put(self, text):
        """Replaces the file as an editor that is careful does."""
        beside = self.file.with_suffix(".new")
        beside.write_text(text, "utf-8")
        os.replace(beside, self.file)

    def status(self):
        return self.world.call("operator", "OperatorService/GetStatus").policy

    def may(self, who, path):
        try:
            return self.world.forward(who, "GET", path).status == 200
        except Refusal as refusal:
            self.assertEqual(refusal.reason, "NO_GRANT")
            return False

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.world.broker.ops_address}{path}", timeout=30) as reply:
            self.assertEqual(reply.status, 200)
            return reply.read().decode()


class ReloadTest(PolicyFileCase):
    def test_a_good_file_is_taken_without_a_signal(self):
        first = self.status().digest
        self.put(POLICY.replace(PATHS, 'paths: ["/device/devices/7"]'))
        wait_for("new policy", lambda: self.status().digest != first)
        self.assertFalse(self.may("inventory", "/device/devices"))
        self.assertTrue(self.may("inventory", "/device/devices/7"))

    def test_a_bad_file_changes_nothing_and_raises_alarm_everywhere(self):
        first = self.status()
        self.assertIn('lmbroker_policy_stale{policy="active"} 0', self.get("/metrics"))
        spoilers = {
            "cut": lambda: self.put("callers: ["),
            "truncated": lambda: os.truncate(self.file, 40),
            "unknown key": lambda: self.put("callers: [{nam: x}]"),
            "failing expectation": lambda: self.put(POLICY.replace("- refuse:", "- allow:", 1)),
            "NUL": lambda: self.put("\0"),
            "removed": self.file.unlink,
        }
        for name, spoil in spoilers.items():
            with self.subTest(name):
                spoil()
                status = wait_for("error in status", lambda: (lambda s: s if s.error else None)(self.status()))
                self.assertIn("policy.yaml", status.error)
                self.assertEqual((status.digest, status.load_time), (first.digest, first.load_time))
                self.assertTrue(self.may("inventory", "/device/devices"))
                self.assertIn('lmbroker_policy_stale{policy="active"} 1', self.get("/metrics"))
                self.assertRegex(self.get("/metrics"), r'lmbroker_policy_loads_total{result="failed"} [1-9]')
                self.assertIn("policy.yaml", self.get("/readyz"))
                self.assertIn('"event":"policy_refused"', self.world.broker.log)
                self.put(POLICY)
                wait_for("end of the alarm", lambda: not self.status().error)
                first = self.status()
                self.assertIn('lmbroker_policy_stale{policy="active"} 0', self.get("/metrics"))
                self.assertNotIn("policy.yaml", self.get("/readyz"))

    def test_a_signal_reads_it_again(self):
        before = self.status().load_time
        self.world.broker.signal(signal.SIGHUP)
        wait_for("reload", lambda: self.status().load_time != before)

    def test_law2_an_empty_file_refuses_everyone_until_it_is_replaced(self):
        self.put("")
        wait_for("end of all grants", lambda: not self.may("inventory", "/device/devices"))
        self.refused("NO_GRANT", "operator", "OperatorService/GetStatus")
        self.put(POLICY)
        wait_for("grants", lambda: self.may("inventory", "/device/devices"))

    def test_a_mounted_configmap_is_followed(self):
        """Kubernetes swaps a link above the file: policy.yaml → ..data/policy.yaml, ..data → a folder."""
        folder = self.file.parent

        def publish(version, text):
            (folder / version).mkdir()
            (folder / version / "policy.yaml").write_text(text, "utf-8")
            (folder / "..next").symlink_to(version)
            os.replace(folder / "..next", folder / "..data")

        publish("..1", POLICY)
        self.file.unlink()
        self.file.symlink_to("..data/policy.yaml")
        for number in range(20, 24):
            before = self.status().digest
            publish(f"..{number}", POLICY.replace(PATHS, f'paths: ["/device/devices/7", "/device/devices/{number}"]'))
            wait_for("the swapped policy", lambda before=before: self.status().digest != before)
            self.assertTrue(self.may("inventory", f"/device/devices/{number}"))
            self.assertFalse(self.may("inventory", f"/device/devices/{number + 1}"))
        self.file.unlink()


class ShadowTest(PolicyFileCase):
    """`policy.shadow` is judged beside the policy in force, and changes nothing."""

    CONFIG = {"policy": {"shadow": "shadow.yaml"}}

    def setUp(self):
        super().setUp()
        self.shadow_file = self.file.with_name("shadow.yaml")

    def shadow(self):
        return self.status().shadow

    def put_shadow(self, text):
        before = self.shadow().digest
        self.shadow_file.write_text(text, "utf-8")
        return wait_for("shadow", lambda: (lambda s: s if s.digest != before and not s.error else None)(self.shadow()))

    def test_a_shadow_that_is_missing_or_bad_stops_nothing_and_is_said(self):
        self.shadow_file.write_text("callers: [{nam: x}]", "utf-8")
        wait_for("error", lambda: "unknown key" in self.shadow().error)
        self.assertTrue(self.may("inventory", "/device/devices"))
        self.assertIn("shadow.yaml", self.get("/readyz"))
        self.assertIn('lmbroker_policy_stale{policy="shadow"} 1', self.get("/metrics"))
        self.assertIn('"event":"shadow_policy_refused"', self.world.broker.log)
        self.shadow_file.unlink()
        wait_for("error", lambda: "unknown key" not in self.shadow().error and self.shadow().error)
        self.assertEqual(self.status().error, "")

    def test_what_it_would_change_is_counted_and_logged_and_nothing_else(self):
        stranger = "spiffe://corp.example/ns/stranger/sa/app"
        grant = "{ portal: acme, credential: inventory-reader, methods: [GET], paths: ['/device/**'] }"
        caller = f"\n  - name: newcomer\n    identities: ['{stranger}']\n    forward: [{grant}]\n"
        self.put_shadow(POLICY.replace(PATHS, 'paths: ["/device/devices/7"]') + caller)
        self.assertTrue(self.may("inventory", "/device/devices/7"))
        self.assertEqual((self.shadow().would_allow, self.shadow().would_refuse), (0, 0))
        for _ in range(3):
            self.assertTrue(self.may("inventory", "/device/devices"))
            self.assertFalse(self.may("stranger", "/device/devices"))
        self.assertEqual((self.shadow().would_allow, self.shadow().would_refuse), (3, 3))
        self.assertRegex(self.get("/metrics"), r'lmbroker_shadow_differences_total{shadow="would_allow"} [1-9]')

        def lines():
            found = [json.loads(line) for line in self.world.broker.log.splitlines() if "shadow_difference" in line]
            return found if len(found) >= 2 else None

        told = {(line["shadow"], line["rule"], line["identity"]) for line in wait_for("log lines", lines)}
        self.assertIn(("would_allow", "newcomer.forward[0]", stranger), told)
        self.assertIn(("would_refuse", "inventory.forward[0]", "spiffe://corp.example/ns/inventory/sa/app"), told)

    def test_token_calls_are_judged_too(self):
        self.put_shadow("# nobody\n")
        self.world.call("manager", "TokenService/ListTokens", parent="portals/acme/admins/33")
        self.assertGreaterEqual(self.shadow().would_refuse, 1)


class NoShadowTest(PolicyFileCase):
    def test_without_a_shadow_the_status_has_none(self):
        self.assertFalse(self.status().HasField("shadow"))


del PolicyFileCase  # has no tests of its own


if __name__ == "__main__":
    unittest.main()
