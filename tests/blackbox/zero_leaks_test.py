"""Law 1, no raw key leaves: searches everything that this run of the suite has seen. The last file, by its name."""

import base64
import contextlib
import re
import unittest
import urllib.parse

import evidence
from case import ECHO, ForwardCase
from schema import Refusal
from world import PORTAL


class ScannerTest(unittest.TestCase):
    """What the search finds; without this, that it finds nothing would mean nothing."""

    KEY = "lma_{k}E^y=1+2%3$4&5!(x)[y]~0123456789abcdef"

    def leaks(self, output):
        seen = evidence.Evidence()
        evidence.ALL.remove(seen)
        seen.keep("a key", self.KEY)
        seen.add("an output", output)
        return list(seen.leaks())

    def test_a_key_is_found_in_every_form_and_at_every_place(self):
        raw = self.KEY.encode()
        for before in (b"", b"a", b"ab", b"abc"):
            for after in (b"", b"z", b"zz"):
                whole = before + raw + after
                escaped = urllib.parse.quote(whole, safe="")
                lower = re.sub("%..", lambda match: match[0].lower(), escaped)
                texts = (whole, whole.hex(), whole.hex().upper(), escaped, lower)
                for text in (*texts, base64.b64encode(whole), base64.urlsafe_b64encode(whole)):
                    self.assertTrue(self.leaks(text), text)

    def test_what_looks_like_anybodys_key_is_found(self):
        for text in ("lma_abcdefgh", 'x "lmb_QUJD0', "LMv1 aB3dE5fG7hJ9:bm90LWEtc2lnbmF0dXJl:1700000000000"):
            self.assertTrue(self.leaks(text), text)

    def test_masks_and_names_are_no_leaks(self):
        for text in ("lmb_****", "lma_", "lmb_", "access key lma_****…", "LMv1 id:signature:epoch"):
            self.assertEqual(self.leaks(text), [])


class ZeroLeaksTest(ForwardCase):
    """A world of its own, so that there is something to search when this file runs alone: a portal that gives every key
    back, callers of every kind, restarts, failures."""

    @classmethod
    def prepare(cls):
        super().prepare()
        world = cls.world
        world.portal.control("PATCH", "/knobs", {"key_mask": "clear"})
        world.portal.fault("secret-echo", path="/device/*")
        for who in ("writer", "bearer"):
            for method in ("GET", "POST"):
                world.forward(who, method, ECHO + "/a")
        world.portal.control("DELETE", "/faults")
        for kind in ("LMV1", "BEARER"):
            token = {"type": kind, "note": "to be searched for"}
            create = {"parent": f"{PORTAL}/admins/33", "token": token}
            name = world.call("manager", "TokenService/CreateToken", **create).token.name
            world.call("handover", "TokenService/CreateToken", **create, hand_over=True)
            name = world.call("manager", "TokenService/RotateToken", name=name).token.name
            world.call("manager", "TokenService/ToggleToken", name=name, status="DISABLED")
        world.call("operator", "TokenService/ListTokens", parent=PORTAL)
        world.call("operator", "CredentialService/ListCredentials", parent=PORTAL)
        imported = {"parent": PORTAL, "credential_id": "x", "type": "LMV1", "access_id": "a1"}
        for key in cls.keys.values():
            for wrong in ({"type": 0}, {"credential_id": "writer"}, {"secret": f"{key}\n{key}"}, {"access_id": key}):
                with contextlib.suppress(Refusal):
                    world.call("operator", "CredentialService/ImportCredential", **imported | {"secret": key} | wrong)
            with contextlib.suppress(Refusal):
                world.forward("writer", "GET", ECHO + "/a", headers=[{"name": "Authorization", "value": key}])
        world.gather()
        world.kill()
        world.restart()

    def test_law1_no_key_is_in_any_output_of_the_suite(self):
        self.world.gather()
        self.assertGreater(len(self.world.evidence.secrets), 5)
        labels = {label.partition(" by ")[0] for label, _ in self.world.evidence.outputs}
        self.assertLessEqual(
            {"the file audit/audit.jsonl", "the file data/lmbroker.db", "the file logs/1.stderr",
             "the file run/address", "ForwardService/Forward", "TokenService/CreateToken"}, labels)  # fmt: skip
        leaks = sorted({leak for seen in evidence.ALL for leak in seen.leaks()})
        self.assertEqual(leaks, [], "\n".join(leaks))


if __name__ == "__main__":
    unittest.main()
