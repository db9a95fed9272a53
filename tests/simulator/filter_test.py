"""The filter grammar, sorting, paging and field choice, as functions."""

from __future__ import annotations

import unittest
from typing import Any

from filter import compile_filter
from knobs import Knobs
from message import ApiError
from page import page

ROWS: list[dict[str, Any]] = [
    {"id": 1, "note": "Alpha", "status": 2, "roles": ["readonly", "broker"], "deep": [{"status": 1}, {"status": 2}]},
    {"id": 2, "note": 'say "hi", you', "status": 1, "roles": [], "deep": []},
    {"id": 3, "note": "", "status": 2, "roles": ["broker"], "deep": [{"status": 1}]},
    {"id": 10, "note": "a|b (x)", "status": 2, "roles": ["admin"], "by": None},
]


class FilterTest(unittest.TestCase):
    def test_filter_chooses_rows(self) -> None:
        for text, ids in (
            ("id:1", [1]),
            ('id:"1"', [1]),
            ("id!:1", [2, 3, 10]),
            ("id>2", [3, 10]),
            ("id<:2", [1, 2]),
            ("id>:3", [3, 10]),
            ("id<2", [1]),
            ("status:2,id>1", [3, 10]),
            ("id:1||id:2", [1, 2]),
            ("status:1||status:2,id:3", [2, 3]),
            ("id:1|3", [1, 3]),
            ('note:"Alpha"|"a|b (x)"', [1, 10]),
            ('note:"say \\"hi\\", you"', [2]),
            ("note~alp", [1]),
            ("note!~alp", [2, 3, 10]),
            ("note:alpha", []),
            ("note:Al*", [1]),
            ("note:*", [1, 2, 3, 10]),
            ("note:*p*a", [1]),
            ("note!:Al*", [2, 3, 10]),
            ("roles:broker", [1, 3]),
            ("roles~ONLY", [1]),
            ("deep.status:2", [1]),
            ("deep.status:1", [1, 3]),
            ("nothing:1", []),
            ('_all~"alpha"', [1]),
            ("_all~admin", [10]),
            ("note:::empty", [3]),
            ("note!::empty", [1, 2, 10]),
            ("by:::null", [1, 2, 3, 10]),
            ("roles:::empty", [2]),
            ("note~%5C%28x", [10]),
            ("note~\\(x", [10]),
        ):
            with self.subTest(text):
                holds = compile_filter(text)
                self.assertEqual([row["id"] for row in ROWS if holds(row)], ids)

    def test_what_is_no_filter_is_refused(self) -> None:
        for text in ("id", "id=1", ":1", 'note:"open', "id:1,", "||id:1", "_all:1", "1d:2", ""):
            with self.subTest(text), self.assertRaises(ApiError) as caught:
                compile_filter(text)
            self.assertEqual((caught.exception.status, caught.exception.code), (400, 14004))


class PageTest(unittest.TestCase):
    def ids(self, knobs: Knobs | None = None, **query: str) -> list[int]:
        return [row["id"] for row in page(ROWS, query, knobs or Knobs())["items"]]

    def test_sort_orders_numbers_as_numbers(self) -> None:
        for text, ids in (
            ("+id", [1, 2, 3, 10]),
            (" id", [1, 2, 3, 10]),
            ("id", [1, 2, 3, 10]),
            ("-id", [10, 3, 2, 1]),
            ("-status,-id", [10, 3, 1, 2]),
            ("note", [3, 1, 10, 2]),
        ):
            with self.subTest(text):
                self.assertEqual(self.ids(sort=text), ids)

    def test_size_and_offset_cut_the_list_but_not_the_total(self) -> None:
        shown = page(ROWS, {"size": "2", "offset": "1"}, Knobs())
        self.assertEqual((shown["total"], shown["searchId"]), (4, None))
        self.assertEqual(self.ids(size="2", offset="1"), [2, 3])
        self.assertEqual(self.ids(offset="4"), [])
        self.assertEqual(self.ids(size="2", offset="1", filter="status:2"), [3, 10])

    def test_size_is_50_when_absent_and_1000_at_most(self) -> None:
        many = [{"id": number} for number in range(1, 2501)]
        for size, count in (("", 50), ("0", 1000), ("-1", 1000), ("1000", 1000), ("1001", 1000), ("7", 7)):
            with self.subTest(size):
                self.assertEqual(len(page(many, {"size": size}, Knobs())["items"]), count)
        with self.assertRaises(ApiError):
            page(many, {"size": "1001"}, Knobs(oversize="reject"))

    def test_bad_numbers_are_refused(self) -> None:
        for query in ({"size": "many"}, {"offset": "-1"}, {"offset": "1.5"}):
            with self.subTest(query), self.assertRaises(ApiError):
                page(ROWS, query, Knobs())

    def test_fields_keeps_only_known_names(self) -> None:
        self.assertEqual(page(ROWS, {"fields": "id,bogus", "size": "1"}, Knobs())["items"], [{"id": 1}])

    def test_default_order_can_be_reversed(self) -> None:
        self.assertEqual(self.ids(Knobs(default_order="descending")), [10, 3, 2, 1])


if __name__ == "__main__":
    unittest.main()
