"""Rotation of credentials, a master included: callers notice nothing, and whatever ends the broker on the way, a working
key is left and no more than two tokens are enabled."""

import os
import threading
import time
import unittest

from broker import wait_for
from case import ECHO, BrokerTest
from schema import Refusal
from world import PORTAL

OWNER = f"{PORTAL}/admins/34"
TOKENS = "/setting/admins/34/apitokens"
ROOT = f"{PORTAL}/credentials/acme-root"
READER = f"{PORTAL}/credentials/inventory-reader"
_ROTATIONS = int(os.environ.get("LMBROKER_ROTATIONS", "15"))
DISABLED, ENABLED = 1, 2


class RotationCase(BrokerTest):
    """`acme-root` is imported with its token; `inventory-reader` is created by the broker for user 34."""

    MASTER = False

    @classmethod
    def prepare(cls):
        master = cls.world.portal.master
        cls.world.call(
            "operator", "CredentialService/ImportCredential", parent=PORTAL, credential_id="acme-root", type="LMV1",
            access_id=master["accessId"], secret=master["accessKey"], master=True,
            token=f"{PORTAL}/admins/{master['adminId']}/tokens/{master['tokenId']}",
        )  # fmt: skip
        cls.world.call(
            "operator", "TokenService/CreateToken", parent=OWNER, credential_id="inventory-reader",
            token={"note": "inventory"},
        )  # fmt: skip

    def credential(self, name=READER):
        return self.world.call("operator", "CredentialService/GetCredential", name=name)

    def rotate(self, name=READER):
        return self.world.call("operator", "CredentialService/RotateCredential", name=name)

    def enabled(self, admin=34):
        return [row for row in self.world.token_rows(admin) if row["status"] == ENABLED]

    def row(self, name):
        number = int(name.rpartition("/")[2])
        return next((row for row in self.world.token_rows() if row["id"] == number), None)

    def assert_works(self, name=READER):
        probe = self.world.call("operator", "CredentialService/ProbeCredential", name=name)
        self.assertEqual(probe.result, 1, probe)

    def set_clock_right(self):
        """And lets the broker learn it from calls that can be repeated."""
        self.world.portal.control("POST", "/clock", {"offset": 0})
        for _ in range(3):
            self.forward()

    def forward(self):
        return self.world.forward("inventory", "GET", "/device/devices/7").status


class RotationTest(RotationCase):
    def test_a_token_gives_way_to_a_new_one_under_the_same_credential(self):
        old = self.credential().token
        reply = self.world.call("manager", "TokenService/RotateToken", name=old)
        self.assertEqual(reply.retiring, old)
        self.assertNotEqual(reply.token.name, old)
        self.assertEqual((reply.token.note, reply.token.type, reply.token.status), ("inventory", 1, ENABLED))
        self.assertEqual((reply.token.custody, reply.token.credential), (1, READER))
        self.assertNotIn("lmbroker:", str(self.world.token_rows(34)))
        self.assertEqual(self.forward(), 200)
        credential = self.credential()
        self.assertEqual((credential.token, credential.state), (reply.token.name, 1))
        self.assertTrue(credential.HasField("rotate_time"))
        # The old one stays in lists, disabled, in custody, and bound to nothing.
        retiring = self.world.call("manager", "TokenService/GetToken", name=old)
        self.assertEqual((retiring.status, retiring.custody, retiring.credential), (DISABLED, 1, ""))
        # A repeat gives the same result.
        again = self.world.call("manager", "TokenService/RotateToken", name=old)
        self.assertEqual((again.token.name, again.retiring), (reply.token.name, old))
        # Who does not want to wait deletes it.
        self.world.call("manager", "TokenService/DeleteToken", name=old)
        self.refused("UNKNOWN_TOKEN", "manager", "TokenService/RotateToken", name=old)
        self.assertEqual(self.forward(), 200)

    def test_both_types_are_rotated(self):
        token = self.world.call(
            "manager", "TokenService/CreateToken", parent=f"{PORTAL}/admins/33", token={"type": "BEARER"}
        ).token
        rotated = self.world.call("manager", "TokenService/RotateToken", name=token.name).token
        self.assertEqual((rotated.type, rotated.credential), (2, token.credential))
        self.assert_works(token.credential)

    def test_an_imported_credential_whose_token_is_known_is_rotated(self):
        token = self.world.portal.new_token(33, "LMV1")
        name = f"{PORTAL}/admins/33/tokens/{token['id']}"
        self.world.call(
            "operator", "CredentialService/ImportCredential", parent=PORTAL, credential_id="imported", type="LMV1",
            access_id=token["accessId"], secret=token["accessKey"], token=name,
        )  # fmt: skip
        credential = self.rotate(f"{PORTAL}/credentials/imported")
        self.assertEqual(credential.version, 2)
        self.assertNotEqual(credential.access_id, token["accessId"])
        self.assert_works(credential.name)
        retiring = self.world.call("operator", "TokenService/GetToken", name=name)
        self.assertEqual((retiring.status, retiring.custody, retiring.credential), (DISABLED, 1, ""))

    def test_a_master_is_rotated_again_and_again(self):
        for version in range(self.credential(ROOT).version + 1, self.credential(ROOT).version + 6):
            credential = self.rotate(ROOT)
            self.assertEqual((credential.version, credential.master), (version, True))
            self.assertEqual(len(self.enabled(32)), 1)
            self.assert_works(ROOT)
        self.assertEqual({request["verdict"] for request in self.sent()}, {"good"})
        # With its old key the new token was made, with the new one the old token disabled.
        mutations = [(each["method"], each["accessId"]) for each in self.sent_mutations()][-3:]
        self.assertEqual([method for method, _ in mutations], ["POST", "PATCH", "PATCH"])
        self.assertEqual(mutations[0][1], mutations[1][1])
        self.assertEqual(mutations[2][1], credential.access_id)
        self.world.call("operator", "TokenService/ListTokens", parent=PORTAL)

    def test_an_old_token_that_stood_still_is_deleted(self):
        old = self.credential().token
        self.rotate()
        kept = self.credential().token
        self.rotate()
        self.world.call("operator", "TokenService/ToggleToken", name=kept, status="ENABLED")
        self.world.portal.control("POST", "/clock", {"advance": 2 * 3600})
        self.addCleanup(self.set_clock_right)
        for _ in range(3):
            self.forward()  # tells the broker of the portal's time
        wait_for("end of the old token", lambda: self.row(old) is None, 60)
        self.assertIsNotNone(self.row(kept))  # somebody enabled it again
        self.assertEqual(self.forward(), 200)
        self.world.call("operator", "TokenService/DeleteToken", name=kept)

    def test_a_key_that_the_portal_does_not_take_is_taken_back(self):
        for name, path, admin in ((READER, "/device/devices", 34), (ROOT, "/setting/admins/apitokens", 32)):
            with self.subTest(name=name):
                before = (self.credential(name).token, len(self.world.token_rows(admin)))
                self.world.portal.fault("status", status=401, method="GET", path=path, count=3)
                refusal = self.refused("PORTAL_ERROR", "operator", "CredentialService/RotateCredential", name=name)
                self.assertIn("does not take the new key", refusal.message)
                self.world.portal.control("DELETE", "/faults")
                self.assertEqual((self.credential(name).token, len(self.world.token_rows(admin))), before)
                self.assertEqual(self.credential(name).state, 1)
                self.assert_works(name)

    def test_what_cannot_be_rotated_is_refused(self):
        rotate = "TokenService/RotateToken"
        foreign = self.world.portal.new_token(33, "LMV1")
        name = f"{PORTAL}/admins/33/tokens/{foreign['id']}"
        self.refused("NOT_IN_CUSTODY", "manager", rotate, name=name)
        self.refused("UNKNOWN_TOKEN", "manager", rotate, name=f"{PORTAL}/admins/33/tokens/88888")
        self.refused("NO_GRANT", "inventory", rotate, name=self.credential().token)
        self.refused("NO_GRANT", "handover", rotate, name=name)
        self.refused("NO_GRANT", "manager", "CredentialService/RotateCredential", name=READER)
        self.refused("UNKNOWN_CREDENTIAL", "operator", "CredentialService/RotateCredential", name=READER + "-2")
        refusal = self.refused(
            "FIELD_INVALID", "manager", rotate, name=name, request_id="5e0a3c52-9c1c-4a7e-8a5e-1f1b8f0f6f01"
        )
        self.assertEqual(refusal.fields, ["request_id"])
        handed = self.world.call("handover", "TokenService/CreateToken", parent=f"{PORTAL}/admins/33", hand_over=True)
        self.refused("NOT_IN_CUSTODY", "manager", rotate, name=handed.token.name)
        self.world.credential("without-token", 33)
        self.refused(
            "NOT_IN_CUSTODY", "operator", "CredentialService/RotateCredential",
            name=f"{PORTAL}/credentials/without-token",
        )  # fmt: skip
        token = self.world.call("manager", "TokenService/CreateToken", parent=f"{PORTAL}/admins/33").token
        self.world.call("manager", "TokenService/ToggleToken", name=token.name, status="DISABLED")
        self.refused("CREDENTIAL_DISABLED", "manager", rotate, name=token.name)

    def test_the_command_line_rotates(self):
        old = self.credential().token.removeprefix("portals/").replace("admins/", "").replace("tokens/", "")
        done = self.world.cli("manager", "token", "rotate", old)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, rf"retiring +{old}\n")
        done = self.world.cli("operator", "credential", "rotate", "acme/inventory-reader")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"rotated +20")
        done = self.world.cli("operator", "credential", "rotate", "acme/none")
        self.assertEqual(done.returncode, 1)
        self.assertIn("UNKNOWN_CREDENTIAL", done.stderr)


class RotationUnderLoadTest(RotationCase):
    def test_no_call_fails_while_keys_are_rotated(self):
        """Row 18: calls in flight finish with the key that they have, new ones have the new one."""
        ended = threading.Event()
        failures, done = [], [0] * 6

        def call(number):
            while not ended.is_set():
                try:
                    reply = self.world.forward("inventory", "GET", f"/device/devices/{number + 1}")
                    if reply.status != 200:
                        failures.append(reply.status)
                except Refusal as refusal:
                    failures.append(str(refusal))
                done[number] += 1

        self.world.portal.fault("slow-head", method="GET", path="/device/devices/1", seconds=0.3)
        callers = [threading.Thread(target=call, args=(number,)) for number in range(len(done))]
        for caller in callers:
            caller.start()
        try:
            for number in range(_ROTATIONS):
                name = ROOT if number % 5 == 4 else READER
                credential = self.rotate_in_the_end(name)
                promoted = time.time()
                if name == READER:
                    self.assertLess(self.first_use(credential.access_id)["time"] - promoted, 1)
                self.assertLessEqual(len(self.enabled()), 2)
        finally:
            ended.set()
            for caller in callers:
                caller.join()
        self.assertEqual(failures, [])
        self.assertGreater(sum(done), 10 * _ROTATIONS)
        self.assertEqual({request["verdict"] for request in self.sent()}, {"good"})
        self.assertEqual(len(self.enabled()), 1)


    def rotate_in_the_end(self, name):
        """A busy machine may be too slow for the audit's 250 ms; nothing was done then."""
        while True:
            try:
                return self.rotate(name)
            except Refusal as refusal:
                if refusal.reason != "AUDIT_UNAVAILABLE":
                    raise

    def first_use(self, access_id):
        """The first caller's call with a key, as soon as there is one; the probe asks for the list."""

        def find():
            return [each for each in self.sent()
                    if each["accessId"] == access_id and each["path"].rpartition("/")[2].isdigit()]  # fmt: skip

        return wait_for("a call with the new key", find)[0]


class RotationCrashTest(RotationCase):
    def test_a_broker_killed_at_any_step_leaves_a_working_key_and_ends_what_it_began(self):
        """Row 17: the portal has done what it was asked, and nobody is there to hear of it."""
        for name, admin in ((READER, 34), (ROOT, 32)):
            tokens = f"/setting/admins/{admin}/apitokens"
            probe = "/device/devices" if name == READER else "/setting/admins/apitokens"
            # The new token is made, enabled and tried, the old one disabled.
            for method, path, number in (
                ("POST", tokens, 1), ("PATCH", tokens + "/*", 1), ("GET", probe, 1), ("PATCH", tokens + "/*", 2),
            ):  # fmt: skip
                with self.subTest(name=name, method=method, number=number):
                    self.kill_at(name, admin, method, path, number)

    def kill_at(self, name, admin, method, path, number):
        self.world.portal.control("POST", "/reset")
        before = self.credential(name)
        self.world.portal.fault("slow-head", method=method, path=path, skip=number - 1, seconds=60)
        future = self.world.begin("operator", "CredentialService/RotateCredential", name=name, timeout=60)

        def is_held_up():
            return any(request["committed"] and "slow-head" in request["faults"] for request in self.sent())

        wait_for("the step", is_held_up)
        self.world.kill()
        self.world.learn_secrets()
        self.assertLessEqual(len(self.enabled(admin)), 2)
        self.world.portal.control("DELETE", "/faults")
        self.world.restart()
        future.cancel()
        self.assert_works(name)
        self.assertLessEqual(len(self.enabled(admin)), 2)
        wait_for("end of the rotation", lambda: self.is_over(name, admin), 60)
        after = self.credential(name)
        self.assertEqual(after.version, before.version + (method != "POST"))  # whose secret was lost
        self.assert_works(name)
        self.assertEqual({request["verdict"] for request in self.sent()}, {"good"})

    def is_over(self, name, admin):
        rows = self.world.token_rows(admin)
        marked = [row for row in rows if row["note"].startswith("lmbroker:")]
        return self.credential(name).state == 1 and len(self.enabled(admin)) == 1 and not marked

    def test_a_portal_that_fails_for_a_while_only_delays_a_rotation(self):
        for method, path in (("PATCH", "/setting/admins/34/apitokens/*"), ("GET", "/device/devices")):
            with self.subTest(method=method):
                before = self.credential().version
                self.world.portal.fault("internal-error", method=method, path=path)
                self.refused("OUTCOME_UNKNOWN", "operator", "CredentialService/RotateCredential", name=READER)
                self.assertEqual(self.credential().state, 3)  # ROTATING
                self.assertEqual(self.forward() if method == "PATCH" else 200, 200)
                self.world.portal.control("DELETE", "/faults")
                # A repeat joins it.
                self.assertEqual(self.rotate().version, before + 1)
                self.assertEqual(len(self.enabled()), 1)

    def test_what_a_call_leaves_open_is_ended_in_the_background(self):
        before = self.credential().version
        self.world.portal.fault("internal-error", method="PATCH", path="/setting/admins/34/apitokens/*", count=1)
        self.refused("OUTCOME_UNKNOWN", "operator", "CredentialService/RotateCredential", name=READER)
        wait_for("end of the rotation", lambda: self.credential().version == before + 1, 60)
        wait_for("end of the old token", lambda: len(self.enabled()) == 1, 60)
        self.assert_works()


del RotationCase  # has no tests of its own


if __name__ == "__main__":
    unittest.main()
