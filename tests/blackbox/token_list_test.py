"""Lists of tokens: what they show to whom, filters, and paging over thousands while the rows move."""

import unittest

from case import BrokerTest
from world import PORTAL

READER = f"{PORTAL}/admins/33"
LMV1, BEARER = 1, 2


class TokenListTest(BrokerTest):
    """User 33 has 2100 LMv1 and 300 Bearer tokens, of which every third is disabled."""

    @classmethod
    def prepare(cls):
        add = lambda **fields: cls.world.portal.control("POST", "/tokens", {"admin": 33, "note": "bulk {n}"} | fields)
        cls.lmv1 = [row["id"] for row in add(count=1400, type="LMV1")["tokens"]]
        cls.lmv1 += [row["id"] for row in add(count=700, type="LMV1", status=1)["tokens"]]
        cls.bearer = [row["id"] for row in add(count=300, type="BEARER", note="bulk Bearer {n}")["tokens"]]
        cls.other = cls.world.portal.new_token(34, "BEARER", note="of the other one")

    def list(self, who="manager", /, parent=READER, **fields):
        return self.world.call(who, "TokenService/ListTokens", parent=parent, **fields)

    def walk(self, who="manager", /, parent=READER, **fields):
        """Ids on all pages, in the order in which they came, and the total that each page named."""
        ids, totals, token = [], set(), ""
        while True:
            page = self.list(who, parent, page_token=token, **fields)
            self.assertLessEqual(len(page.tokens), fields.get("page_size", 50))
            ids += [int(each.name.rpartition("/")[2]) for each in page.tokens]
            totals.add(page.total_size)
            token = page.next_page_token
            if not token:
                return ids, totals

    def test_all_pages_together_are_all_tokens_of_both_types_in_order(self):
        ids, totals = self.walk(page_size=1000)
        self.assertEqual(ids, sorted(self.lmv1 + self.bearer))
        self.assertEqual(totals, {2400})

    def test_rows_that_shift_between_the_portals_pages_hide_no_token_that_stayed(self):
        before = set(self.lmv1 + self.bearer)
        self.world.portal.control(
            "POST", "/shift", {"pages": 2, "delete": 10, "front": 3, "append": 5, "user": 33, "type": "LMV1"}
        )
        ids, _ = self.walk(page_size=1000)
        after = {row["id"] for row in self.world.token_rows(33)}
        self.assertEqual((before & after) - set(ids), set())
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual(ids, sorted(ids))
        type(self).lmv1 = sorted(row["id"] for row in self.world.token_rows(33) if row["type"] == "LMV1")

    def test_page_sizes_have_a_default_and_an_end(self):
        for kind, size, wanted in (("BEARER", 0, 50), ("BEARER", 1, 1), ("BEARER", 299, 299), ("LMV1", 5000, 1000)):
            self.assertEqual(len(self.list(type=kind, page_size=size).tokens), wanted)
        refusal = self.refused("FIELD_INVALID", "manager", "TokenService/ListTokens", parent=READER, page_size=-1)
        self.assertEqual(refusal.fields, ["page_size"])

    def test_a_type_alone(self):
        ids, totals = self.walk(type="BEARER", page_size=200)
        self.assertEqual((ids, totals), (self.bearer, {300}))
        self.assertEqual({each.type for each in self.list(type="LMV1", page_size=1000).tokens}, {LMV1})

    def test_enabled_tokens_alone(self):
        page = self.list(enabled_only=True, type="LMV1", page_size=1000)
        enabled = sum(row["status"] == 2 and row["type"] == "LMV1" for row in self.world.token_rows(33))
        self.assertEqual(page.total_size, enabled)
        self.assertEqual({each.status for each in page.tokens}, {2})

    def test_a_search_looks_at_note_user_and_access_id_in_any_letter_case(self):
        one = next(row for row in self.world.token_rows(33) if row["type"] == "BEARER")
        found = lambda text: [int(each.name.rpartition("/")[2]) for each in self.list(type="BEARER", search=text).tokens]
        self.assertEqual(len(found("BULK bearer 17")), 11)  # 17, 170 … 179
        self.assertIn(one["id"], found(one["accessId"].swapcase()))
        self.assertEqual(self.list(type="BEARER", search="SVC-READER").total_size, 300)
        self.assertEqual(found("no such thing"), [])

    def test_filters_hold_together(self):
        page = self.list(type="BEARER", enabled_only=True, search="bearer 300")
        self.assertEqual([each.note for each in page.tokens], ["bulk Bearer 300"])

    def test_a_portal_shows_each_caller_what_its_grants_cover(self):
        seen = lambda who, **fields: set(self.walk(who, PORTAL, page_size=1000, **fields)[0])
        rows = self.world.token_rows()
        ids = lambda *admins: {row["id"] for row in rows if row["adminId"] in admins}
        self.assertEqual(seen("operator"), ids(32, 33, 34))
        self.assertEqual(seen("manager"), ids(33, 34))
        self.assertEqual(seen("lister"), {row["id"] for row in rows if row["type"] == "BEARER"})
        self.assertEqual(seen("inventory"), {row["id"] for row in rows if row["type"] == "LMV1"} & ids(34))

    def test_a_list_without_any_grant_is_refused(self):
        for who in ("stranger", "writer", "handover"):
            for parent in (PORTAL, READER):
                self.refused("NO_GRANT", who, "TokenService/ListTokens", parent=parent)
        self.refused("NO_GRANT", "inventory", "TokenService/ListTokens", parent=READER)
        self.refused("NO_GRANT", "inventory", "TokenService/ListTokens", parent=f"{PORTAL}/admins/34", type="BEARER")
        self.refused("NO_GRANT", "manager", "TokenService/ListTokens", parent="portals/nowhere")

    def test_an_unknown_user_is_unknown_to_those_who_may_ask(self):
        self.refused("UNKNOWN_ADMIN", "operator", "TokenService/ListTokens", parent=f"{PORTAL}/admins/9999")
        self.refused("UNKNOWN_PORTAL", "operator", "TokenService/ListTokens", parent="portals/nowhere")

    def test_a_page_token_is_good_for_its_own_list_alone(self):
        token = self.list(type="BEARER", page_size=10, search="bulk").next_page_token
        self.assertTrue(token)
        for who, fields in (
            ("operator", {"parent": READER, "type": "BEARER", "search": "bulk"}),
            ("manager", {"parent": PORTAL, "type": "BEARER", "search": "bulk"}),
            ("manager", {"parent": READER, "type": "LMV1", "search": "bulk"}),
            ("manager", {"parent": READER, "search": "bulk"}),
            ("manager", {"parent": READER, "type": "BEARER", "search": "bulk", "enabled_only": True}),
            ("manager", {"parent": READER, "type": "BEARER", "search": "other"}),
        ):
            with self.subTest(who=who, **fields):
                refusal = self.refused("FIELD_INVALID", who, "TokenService/ListTokens", page_token=token, **fields)
                self.assertEqual(refusal.fields, ["page_token"])
        again = self.list(type="BEARER", page_size=20, search="bulk", page_token=token)
        self.assertEqual(len(again.tokens), 20)

    def test_the_portal_is_asked_for_pages_of_its_greatest_size(self):
        self.list(page_size=1000, type="LMV1")
        lists = [request for request in self.sent() if request["path"].endswith("/apitokens")]
        self.assertLessEqual(len(lists), 5)
        self.assertTrue(all("size=1000" in request["target"] for request in lists))


if __name__ == "__main__":
    unittest.main()
