"""Hostile calls: each refused for its reason, in words that are safe to show, and not one reaches the portal."""

import unittest

import hostile_vectors
from case import ForwardCase
from schema import Refusal

LEAST = 150


class HostileTest(ForwardCase):
    def refuse_all(self, family):
        for vector in hostile_vectors.FAMILIES[family]():
            with self.subTest(str(vector)):
                with self.assertRaises(Refusal) as caught:
                    self.world.call(vector.who, vector.method, raw=vector.raw, **vector.fields)
                refusal = self.judge(caught.exception, vector.reason)
                self.assertTrue(refusal.message.isascii() or "\N{HORIZONTAL ELLIPSIS}" in refusal.message)
        self.assertEqual(self.sent(), [])

    def test_paths(self):
        self.refuse_all("paths")

    def test_methods_queries_headers_versions_and_bytes_that_are_no_message(self):
        self.refuse_all("forms")

    def test_names(self):
        self.refuse_all("names")

    def test_typed_requests(self):
        self.refuse_all("requests")

    def test_the_form_is_judged_the_same_for_everyone(self):
        """Order of judgement: the form and secret-bearing endpoints come before what the policy says of a caller."""
        for who in ("stranger", "inventory", "writer", "operator"):
            self.forward_refused("PATH_NOT_PLAIN", who, "GET", "/device/..")
            self.forward_refused("FIELD_INVALID", who, "get", "/device/devices")
            self.forward_refused("SECRET_ENDPOINT", who, "GET", "/setting/admins/33/apitokens")
            self.forward_refused("FIELD_INVALID", who, "GET", "/device/devices", portal="portals/NOWHERE")
            self.refused("FIELD_INVALID", who, "TokenService/GetToken", name="portals/acme/admins/0/tokens/1")
        self.assertEqual(self.sent(), [])

    def test_law9_an_excerpt_in_a_message_is_short_and_printable(self):
        refusal = self.forward_refused("PATH_NOT_PLAIN", "writer", "GET", "/" + "\x1b[31mX" * 300)
        self.assertLess(len(refusal.message), 400)

    def test_there_are_enough_of_them(self):
        vectors = [vector for family in hostile_vectors.FAMILIES.values() for vector in family()]
        self.assertGreaterEqual(len({str(vector) + repr(vector) for vector in vectors}), LEAST)


if __name__ == "__main__":
    unittest.main()
