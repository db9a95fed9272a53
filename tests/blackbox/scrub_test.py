"""Law 1 at the portal's end: a portal that gives keys back does not give them to callers."""

import base64
import json
import unittest
import urllib.parse

from case import ECHO, ForwardCase


class ScrubTest(ForwardCase):
    def reply_to(self, who, path=ECHO + "/a"):
        """Everything of a reply as bytes, headers included."""
        reply = self.world.forward(who, "GET", path)
        self.assertEqual(reply.status, 200)
        return reply.SerializeToString()

    def assert_hidden(self, who, text):
        self.assertFalse(self.keys[who].encode() in text, "the key is in the reply")
        self.assertNotRegex(text, rb"(LMv1 |Bearer |lm[ab]_)[^*]")

    def test_law1_an_echo_of_key_and_authorization_is_scrubbed_however_it_is_sent(self):
        for who in self.keys:
            for extra in (None, {"name": "gzip-body"}, {"name": "chunked-body", "size": 3}):
                with self.subTest(who=who, extra=extra):
                    self.world.portal.control("POST", "/reset")
                    self.world.portal.fault("secret-echo")
                    if extra:
                        self.world.portal.control("POST", "/faults", extra)
                    text = self.reply_to(who)
                    self.assert_hidden(who, text)
                    self.assertIn(b"****", text)

    def test_law1_the_key_is_found_in_other_spellings_and_in_what_is_no_json(self):
        for who, key in self.keys.items():
            raw = key.encode()
            for name, text in {
                "plain": key,
                "in broken JSON": '{"a": "' + key,
                "base64": base64.b64encode(raw).decode(),
                "base64 of a pair": base64.b64encode(b"user:" + raw).decode(),
                "hex": raw.hex(),
                "HEX": raw.hex().upper(),
                "percent": urllib.parse.quote(key, safe=""),
                "in HTML": f"<html><b>{key}</b></html>",
            }.items():
                with self.subTest(who=who, form=name):
                    self.world.portal.control("POST", "/reset")
                    self.world.portal.fault("malformed-json", text=text)
                    self.assertFalse(text.encode() in self.reply_to(who), "the key is in the reply")

    def test_law1_escapes_in_json_hide_no_key(self):
        for who, key in self.keys.items():
            escaped = "".join(f"\\u{ord(character):04x}" for character in key)
            self.world.portal.control("POST", "/reset")
            self.world.portal.fault("malformed-json", text=f'{{"anything": "{escaped}", "n": 1}}')
            text = self.world.forward(who, "GET", ECHO + "/a").body.decode()
            self.assertFalse(key in str(json.loads(text)), "the key is in the reply")

    def test_law1_fields_with_key_like_names_are_masked_whoever_they_belong_to(self):
        secret = "nobody-may-read-this"
        body = {
            "accessKey": secret, "ACCESS_KEY": secret, "password": secret, "snmp.community": secret,
            "items": [{"name": "ssh.pass", "value": secret}, {"apiTokens": [{"accessKey": secret, "note": "kept"}]}],
            "displayName": "kept too",
        }  # fmt: skip
        self.world.portal.fault("malformed-json", text=json.dumps(body))
        text = self.world.forward("writer", "GET", ECHO + "/a").body.decode()
        self.assertNotIn(secret, text)
        self.assertEqual(json.loads(text)["items"][1]["apiTokens"][0]["note"], "kept")
        self.assertEqual(json.loads(text)["displayName"], "kept too")

    def test_a_clean_body_is_not_touched(self):
        for text in ('{"b":1,  "a":[ ]}\n', "plain text", '{"accessKey":""}', "\u2028", '{"n":1e400,"n":2}'):
            self.world.portal.control("POST", "/reset")
            self.world.portal.fault("malformed-json", text=text)
            self.assertEqual(self.world.forward("writer", "GET", ECHO + "/a").body, text.encode())

    def test_what_cannot_be_searched_is_not_handed_on(self):
        for encoding, method, reason in (
            ("br", "GET", "PORTAL_ERROR"),
            ("zstd", "GET", "PORTAL_ERROR"),
            ("gzip, gzip", "GET", "PORTAL_ERROR"),
            ("gzip", "GET", "PORTAL_ERROR"),
            ("br", "POST", "OUTCOME_UNKNOWN"),
        ):
            with self.subTest(encoding=encoding, method=method):
                self.world.portal.control("POST", "/reset")
                self.world.portal.fault("header", header="Content-Encoding", value=encoding)
                self.forward_refused(reason, "writer", method, ECHO + "/a")

    def test_users_come_without_the_keys_of_their_tokens(self):
        self.world.portal.control("PATCH", "/knobs", {"key_mask": "clear"})
        reply = self.world.forward("writer", "GET", "/setting/admins/32")
        self.assertEqual(reply.status, 200)
        for token in json.loads(reply.body)["apiTokens"]:
            self.assertEqual(set(token["accessKey"]), {"*"})

    def test_law1_typed_replies_show_no_key_of_a_portal_that_masks_none(self):
        self.world.portal.control("PATCH", "/knobs", {"key_mask": "clear"})
        tokens = self.world.call("operator", "TokenService/ListTokens", parent="portals/acme").tokens
        self.assertGreater(len(tokens), 3)
        for token in tokens:
            self.assertIn(token.masked_secret.rstrip("*"), ("", "lma_", "lmb_"))


if __name__ == "__main__":
    unittest.main()
