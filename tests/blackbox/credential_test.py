"""Credentials from outside: import, look, list, switch, delete, and what a probe finds out."""

import unittest

from case import ECHO, BrokerTest
from schema import Refusal
from world import PORTAL

DISABLED, ENABLED = 1, 2
ACTIVE = 1
WORKS, WRONG_KEY_OR_DISABLED, NO_PERMISSION, UNREACHABLE = 1, 2, 3, 4


def name_of(identifier, portal=PORTAL):
    return f"{portal}/credentials/{identifier}"


class CredentialTest(BrokerTest):
    def do(self, verb, name, **fields):
        return self.world.call("operator", f"CredentialService/{verb}Credential", name=name, **fields)

    def list(self, **fields):
        return self.world.call("operator", "CredentialService/ListCredentials", **{"parent": PORTAL} | fields)

    def test_an_import_is_sealed_and_sends_nothing(self):
        token = self.world.credential("imported", 33, token=f"{PORTAL}/admins/33/tokens/4711")
        self.assertEqual(self.sent(), [])
        credential = self.do("Get", name_of("imported"))
        self.assertEqual(credential.name, name_of("imported"))
        self.assertEqual((credential.type, credential.access_id), (1, token["accessId"]))
        self.assertEqual((credential.status, credential.state, credential.version), (ENABLED, ACTIVE, 1))
        self.assertEqual(credential.token, f"{PORTAL}/admins/33/tokens/4711")
        self.assertFalse(credential.master)
        self.assertGreater(credential.create_time.seconds, 1_700_000_000)
        self.assertFalse(credential.HasField("rotate_time"))
        self.assertFalse(credential.HasField("last_use_time"))

    def test_the_master_says_that_it_is_one(self):
        self.assertTrue(self.do("Get", name_of("acme-root")).master)

    def test_a_name_is_taken_once_for_each_portal(self):
        self.world.credential("unique", 33)
        self.world.credential("unique", 33, portal="portals/down")
        refusal = self.refused(
            "CREDENTIAL_EXISTS", "operator", "CredentialService/ImportCredential",
            parent=PORTAL, credential_id="unique", type="BEARER", secret="not-a-key-of-anyone",
        )  # fmt: skip
        self.assertIn(name_of("unique"), refusal.message)
        self.assertEqual(self.do("Get", name_of("unique")).type, 1)

    def test_the_forms_in_which_people_paste_keys_are_taken(self):
        for number, (kind, paste) in enumerate((
            ("LMV1", "{key}"), ("LMV1", "  {key}\r\n"), ("BEARER", "{key}\n"), ("BEARER", "Bearer {key}"),
            ("BEARER", "bearer   {key} "),
        )):  # fmt: skip
            token = self.world.portal.new_token(33, kind)
            identifier = f"pasted-{number}"
            self.world.call(
                "operator", "CredentialService/ImportCredential", parent=PORTAL, credential_id=identifier, type=kind,
                access_id=token["accessId"], secret=paste.format(key=token["accessKey"]),
            )  # fmt: skip
            self.assertEqual(self.do("Probe", name_of(identifier)).result, WORKS, paste)

    def test_lists_are_in_order_and_paged(self):
        for number in range(5):
            self.world.credential(f"listed-{number}", 33)
        everything = [each.name for each in self.list(page_size=1000).credentials]
        self.assertEqual(everything, sorted(everything))
        paged, token = [], ""
        while True:
            page = self.list(page_size=2, page_token=token)
            paged += [each.name for each in page.credentials]
            token = page.next_page_token
            if not token:
                break
            self.assertEqual(len(page.credentials), 2)
        self.assertEqual(paged, everything)
        first = self.list(page_size=2).next_page_token
        self.refused("FIELD_INVALID", "operator", "CredentialService/ListCredentials", parent="portals/down",
                     page_token=first)  # fmt: skip

    def test_toggle_and_delete_may_be_repeated(self):
        self.world.credential("repeated", 33)
        for status, number in (("DISABLED", 1), ("DISABLED", 1), ("ENABLED", 2), ("ENABLED", 2)):
            self.assertEqual(self.do("Toggle", name_of("repeated"), status=status).status, number)
        for _ in range(2):
            self.do("Delete", name_of("repeated"))
        for verb in ("Get", "Probe"):
            self.refused("UNKNOWN_CREDENTIAL", "operator", f"CredentialService/{verb}Credential",
                         name=name_of("repeated"))  # fmt: skip
        self.refused("UNKNOWN_CREDENTIAL", "operator", "CredentialService/ToggleCredential",
                     name=name_of("repeated"), status="ENABLED")  # fmt: skip

    def test_a_credential_is_used_again_only_when_it_is_imported_again(self):
        self.world.credential("writer", 32)
        self.assertEqual(self.world.forward("writer", "GET", ECHO + "/a").status, 200)
        self.assertTrue(self.do("Get", name_of("writer")).HasField("last_use_time"))
        self.do("Delete", name_of("writer"))
        self.forward_refused("UNKNOWN_CREDENTIAL", "writer", "GET", ECHO + "/a")
        token = self.world.credential("writer", 32)
        self.world.forward("writer", "GET", ECHO + "/a")
        self.assertEqual(self.sent()[-1]["accessId"], token["accessId"])

    def test_a_probe_tells_working_from_wrong_from_forbidden_from_silent(self):
        for kind in ("LMV1", "BEARER"):
            good = self.world.credential(f"probed-{kind.lower()}", 33, kind)
            name = name_of(f"probed-{kind.lower()}")
            reply = self.do("Probe", name)
            self.assertEqual(reply.result, WORKS)
            self.assertGreater(reply.latency.seconds + reply.latency.nanos, 0)
            self.assertLess(abs(reply.clock_skew.seconds), 5)
            self.world.portal.control("PATCH", f"/tokens/{good['id']}", {"status": 1})
            self.assertEqual(self.do("Probe", name).result, WRONG_KEY_OR_DISABLED)
            self.world.portal.control("PATCH", f"/tokens/{good['id']}", {"status": 2})
            self.world.portal.fault("status", status=403)
            self.assertEqual(self.do("Probe", name).result, NO_PERMISSION)
            self.world.portal.control("DELETE", "/faults")
            for fault in ("unavailable", "drop-before-commit", "garbage", "rate-limited", "redirect"):
                self.world.portal.fault(fault, **({"retry_after": 1} if fault == "rate-limited" else {}))
                self.assertEqual(self.do("Probe", name).result, UNREACHABLE, fault)
                self.world.portal.control("DELETE", "/faults")
        self.world.credential("unreached", 33, portal="portals/down")
        self.assertEqual(self.do("Probe", name_of("unreached", "portals/down")).result, UNREACHABLE)
        self.assertEqual({request["method"] for request in self.sent()}, {"GET"})

    def test_a_probe_measures_the_portals_clock(self):
        self.world.portal.fault("wrong-date", seconds=600)
        skew = self.do("Probe", name_of("acme-root")).clock_skew
        self.assertAlmostEqual(skew.seconds, 600, delta=5)

    def test_a_credential_that_is_switched_off_is_probed_too(self):
        self.world.credential("off", 33)
        self.do("Toggle", name_of("off"), status="DISABLED")
        self.assertEqual(self.do("Probe", name_of("off")).result, WORKS)

    def test_a_wrong_key_is_found_out_by_the_probe_not_by_the_import(self):
        self.world.call(
            "operator", "CredentialService/ImportCredential", parent=PORTAL, credential_id="wrong", type="LMV1",
            access_id="aB3dE5fG7hJ9kL2mN4pQ", secret="not-a-key-of-anyone",
        )  # fmt: skip
        self.assertEqual(self.do("Probe", name_of("wrong")).result, WRONG_KEY_OR_DISABLED)


class FullMemoryTest(BrokerTest):
    """Keys are held in locked memory, of which there is little."""

    def take_in(self, number):
        self.world.call(
            "operator", "CredentialService/ImportCredential", parent=PORTAL, credential_id=f"large-{number}",
            type="BEARER", secret=f"lmb_{number:05}" + "k+" * 2000,
        )  # fmt: skip

    def test_it_is_never_filled_and_holds_the_same_after_a_restart(self):
        taken = 0
        with self.assertRaises(Refusal) as caught:
            while taken < 2000:
                self.take_in(taken)
                taken += 1
        self.judge(caught.exception, "TOO_MANY_TOKENS")
        self.assertGreater(taken, 20)
        self.refused("TOO_MANY_TOKENS", "operator", "TokenService/CreateToken", parent=f"{PORTAL}/admins/33")
        self.assertEqual(self.sent(), [])
        self.world.stop()
        self.world.start(master=False)
        self.assertEqual(self.world.call("operator", "CredentialService/GetCredential", name=name_of("large-0")).version, 1)
        self.world.call("operator", "CredentialService/DeleteCredential", name=name_of("large-0"))
        self.take_in(0)


if __name__ == "__main__":
    unittest.main()
