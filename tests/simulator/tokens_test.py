"""The life of API tokens, through the API of a running portal."""

from __future__ import annotations

import base64
import unittest
from typing import Any

from harness import Running

LIST = "/setting/admins/apitokens"
OF_BROKER = "/setting/admins/32/apitokens"
OF_READER = "/setting/admins/33/apitokens"


class TokensTest(unittest.TestCase):
    portal: Running

    @classmethod
    def setUpClass(cls) -> None:
        cls.portal = Running()
        cls.addClassCleanup(cls.portal.stop)

    def tearDown(self) -> None:
        self.portal.control("POST", "/reset")
        for token in self.portal.state()["tokens"]:
            if token["id"] != self.portal.master["tokenId"]:
                self.portal.control("DELETE", f"/tokens/{token['id']}")

    def create(self, body: Any = None, query: str = "", path: str = OF_READER) -> dict[str, Any]:
        answer = self.portal.call("POST", path, {} if body is None else body, query)
        self.assertEqual(answer.status, 200, answer.body)
        made: dict[str, Any] = answer.json
        return made

    def shown(self, token: dict[str, Any], query: str = "") -> dict[str, Any]:
        items = self.portal.call("GET", LIST, query=f"filter=id:{token['id']}&{query}").json["items"]
        self.assertEqual(len(items), 1)
        found: dict[str, Any] = items[0]
        return found

    def test_empty_object_creates_an_enabled_lmv1_token(self) -> None:
        token = self.create()
        self.assertEqual((token["status"], token["note"], token["adminId"]), (2, "", 33))
        self.assertRegex(token["accessId"], r"^[A-Za-z0-9]{20}$")
        self.assertTrue(token["accessKey"].startswith("lma_"))
        self.assertEqual(
            (token["adminName"], token["roles"], token["createdBy"]), ("svc-reader", ["readonly"], "svc-broker")
        )
        self.assertEqual(self.portal.call("GET", "/device/devices/7", token=token).status, 200)

    def test_bearer_token_contains_its_access_id_and_works(self) -> None:
        token = self.create({"note": "b"}, "type=bearer")
        value = token["accessKey"]
        self.assertEqual((value[:4], len(value)), ("lmb_", 120))
        self.assertEqual(base64.b64decode(value[4:64]).decode().partition(":")[0], token["accessId"])
        self.assertEqual(self.portal.call("GET", "/device/devices/7", token=token).status, 200)

    def test_bearer_works_on_v3_alone(self) -> None:
        token = self.create(query="type=bearer")
        for version, status in (("3", 200), ("4", 200), ("2", 401)):
            answer = self.portal.call("GET", "/device/devices/7", token=token, headers={"X-Version": version})
            self.assertEqual(answer.status, status)
        self.portal.control("PATCH", "/knobs", {"bearer_any_version": True})
        answer = self.portal.call("GET", "/device/devices/7", token=token, headers={"X-Version": "2"})
        self.assertEqual(answer.status, 200)

    def test_type_in_the_body_does_not_count(self) -> None:
        self.assertTrue(self.create({"type": "bearer"})["accessKey"].startswith("lma_"))
        for query in ("type=API%20Token", "type=API+Token"):
            self.assertTrue(self.create({}, query)["accessKey"].startswith("lma_"))
        self.assertEqual(self.portal.call("POST", OF_READER, {}, "type=Bearer").status, 400)

    def test_empty_body_is_refused_on_creation(self) -> None:
        before = len(self.portal.state()["tokens"])
        answer = self.portal.call("POST", OF_READER)
        self.assertEqual((answer.status, answer.json["errorCode"]), (400, 1400))
        self.assertEqual(len(self.portal.state()["tokens"]), before)

    def test_bad_values_are_refused(self) -> None:
        for body in (
            b"{",
            b"[]",
            b"\xff",
            {"status": 3},
            {"status": True},
            {"status": "2"},
            {"note": 5},
            {"note": "n" * 1025},
        ):
            with self.subTest(body):
                self.assertEqual(self.portal.call("POST", OF_READER, body).status, 400)
        self.assertEqual(self.create({"note": "n" * 1024})["note"], "n" * 1024)

    def test_secret_is_shown_once(self) -> None:
        for query in ("", "type=bearer"):
            token = self.create({}, query)
            lists = (
                self.portal.call("GET", LIST, query=query).body + self.portal.call("GET", OF_READER, query=query).body
            )
            put = self.portal.call("PUT", f"{OF_READER}/{token['id']}", {"note": "n"}).body
            user = self.portal.call("GET", "/setting/admins/33").body
            self.assertNotIn(token["accessKey"].encode(), lists + put + user)

    def test_masks(self) -> None:
        lmv1, bearer = self.create(), self.create({}, "type=bearer")
        stars = "*" * 100
        for mask, of_lmv1, of_bearer in (
            ("default", None, bearer["accessKey"][:20] + stars),
            ("omit", None, None),
            ("stars", "*" * 8, "*" * 8),
            ("prefix", lmv1["accessKey"][:20] + "*" * 24, bearer["accessKey"][:20] + stars),
            ("clear", lmv1["accessKey"], bearer["accessKey"]),
        ):
            with self.subTest(mask):
                self.portal.control("PATCH", "/knobs", {"key_mask": mask})
                self.assertEqual(self.shown(lmv1).get("accessKey"), of_lmv1)
                self.assertEqual(self.shown(bearer, "type=bearer").get("accessKey"), of_bearer)

    def test_type_field_modes(self) -> None:
        lmv1, bearer = self.create(), self.create({}, "type=bearer")
        for mode, of_lmv1, of_bearer in (
            ("off", None, None),
            ("bearer", None, "bearer"),
            ("name", "LMv1", "Bearer"),
            ("number", 0, 1),
        ):
            with self.subTest(mode):
                self.portal.control("PATCH", "/knobs", {"token_type_field": mode})
                self.assertEqual(self.shown(lmv1).get("type"), of_lmv1)
                self.assertEqual(self.shown(bearer, "type=bearer").get("type"), of_bearer)

    def test_each_list_has_one_type(self) -> None:
        lmv1, bearer = self.create(), self.create({}, "type=bearer")
        ids = {
            query: [item["id"] for item in self.portal.call("GET", OF_READER, query=query).json["items"]]
            for query in ("", "type=bearer", "type=lmv1", "type=LMv1", "type=API%20Token")
        }
        expected = {"": [lmv1["id"]], "type=bearer": [bearer["id"]]}
        self.assertEqual(ids, {query: expected.get(query, []) for query in ids})

    def test_permission_traces_narrows_the_bearer_list(self) -> None:
        self.create({}, "type=bearer")
        ingest = self.portal.new_token(36, "BEARER")
        for query, count in (("permission=traces&type=bearer", 1), ("permission=other&type=bearer", 2)):
            items = self.portal.call("GET", LIST, query=query).json["items"]
            self.assertEqual(len(items), count)
            self.assertIn(ingest["id"], [item["id"] for item in items])

    def test_put_without_status_enables_again_and_patch_does_not(self) -> None:
        token = self.create({"status": 1, "note": "a"})
        path = f"{OF_READER}/{token['id']}"
        self.assertEqual(self.portal.call("PATCH", path, {"note": "b"}).json["status"], 1)
        self.assertEqual(self.portal.call("PUT", path, {"note": "c"}).json["status"], 2)
        answer = self.portal.call("PATCH", path, {"note": "d", "status": 1}, "patchFields=status")
        self.assertEqual((answer.json["note"], answer.json["status"]), ("c", 1))

    def test_disabled_and_deleted_tokens_and_suspended_users_are_refused_alike(self) -> None:
        token = self.create()
        path = f"{OF_READER}/{token['id']}"
        bodies = set()
        self.portal.call("PATCH", path, {"status": 1})
        bodies.add(self.portal.call("GET", "/device/devices/7", token=token).body)
        self.portal.call("PATCH", path, {"status": 2})
        self.assertEqual(self.portal.call("GET", "/device/devices/7", token=token).status, 200)
        self.assertEqual(self.portal.call("DELETE", path).json, {})
        bodies.add(self.portal.call("GET", "/device/devices/7", token=token).body)
        suspended = self.portal.new_token(35)
        bodies.add(self.portal.call("GET", "/device/devices/7", token=suspended).body)
        self.assertEqual(len(bodies), 1)
        self.assertEqual(
            [entry["verdict"] for entry in self.portal.requests() if entry["status"] == 401],
            ["disabled", "unknown-id", "suspended"],
        )

    def test_delete_of_a_missing_or_foreign_token_is_404(self) -> None:
        token = self.create()
        for path in (
            f"{OF_BROKER}/{token['id']}",
            f"{OF_READER}/999999",
            f"/setting/admins/99/apitokens/{token['id']}",
        ):
            answer = self.portal.call("DELETE", path)
            self.assertEqual((answer.status, answer.json["errorCode"]), (404, 1404))
        self.assertEqual(self.portal.call("DELETE", f"{OF_READER}/{token['id']}", b"{}").json, {})
        self.assertEqual(self.portal.call("DELETE", f"{OF_READER}/{token['id']}").status, 404)

    def test_ids_are_never_used_again(self) -> None:
        first = self.create()
        self.portal.call("DELETE", f"{OF_READER}/{first['id']}")
        self.assertGreater(self.create()["id"], first["id"])

    def test_administrators_and_lmsupport_own_no_new_tokens(self) -> None:
        for admin in (1, 2):
            answer = self.portal.call("POST", f"/setting/admins/{admin}/apitokens", {})
            self.assertEqual((answer.status, answer.json["errorCode"]), (403, 1403))
        self.portal.control("PATCH", "/knobs", {"admin_tokens": True})
        self.create(path="/setting/admins/1/apitokens")

    def test_get_of_one_token_is_no_call_unless_switched_on(self) -> None:
        path = f"{OF_BROKER}/{self.portal.master['tokenId']}"
        answer = self.portal.call("GET", path)
        self.assertEqual((answer.status, answer.json["errorCode"]), (404, 1400))
        self.portal.control("PATCH", "/knobs", {"get_one_token": True})
        self.assertEqual(self.portal.call("GET", path).json["id"], self.portal.master["tokenId"])

    def test_tokens_per_user_are_limited(self) -> None:
        self.portal.control("PATCH", "/knobs", {"tokens_per_user": 1})
        self.create()
        self.assertEqual(self.portal.call("POST", OF_READER, {}).status, 400)

    def test_use_is_noted(self) -> None:
        token = self.create()
        self.assertEqual(self.shown(token)["lastUsedOn"], 0)
        self.portal.call("GET", "/device/devices/7", token=token)
        self.assertGreater(self.shown(token)["lastUsedOn"], 1_600_000_000)
        self.assertEqual(self.shown(token)["lastAuthIp"], "127.0.0.1")

    def test_state_file_follows_each_change(self) -> None:
        token = self.create({"note": "東京"})
        kept = next(row for row in self.portal.state()["tokens"] if row["id"] == token["id"])
        self.assertEqual((kept["accessKey"], kept["note"]), (token["accessKey"], "東京"))
        self.assertEqual(self.portal.state_file.stat().st_mode & 0o777, 0o600)
        self.portal.call("DELETE", f"{OF_READER}/{token['id']}")
        self.assertNotIn(token["id"], [row["id"] for row in self.portal.state()["tokens"]])


class ShiftTest(unittest.TestCase):
    def test_rows_shift_after_a_page(self) -> None:
        with Running() as portal:
            portal.control("POST", "/tokens", {"admin": 33, "count": 2500, "note": "bulk {n}"})
            query = "size=1000&sort=%2Bid&fields=id,note"
            first = portal.call("GET", LIST, query=query).json
            self.assertEqual((first["total"], len(first["items"])), (2501, 1000))
            portal.control("POST", "/shift", {"delete": 10, "front": 3, "append": 5})
            self.assertEqual(portal.call("GET", LIST, query=query).json, first)
            after = portal.call("GET", LIST, query=query).json
            self.assertEqual(after["total"], 2501 - 10 + 3 + 5)
            self.assertEqual([item["note"] for item in after["items"][:3]], ["shifted in front"] * 3)
            self.assertNotIn(first["items"][1]["id"], [item["id"] for item in after["items"]])
            self.assertIn(portal.master["tokenId"], [item["id"] for item in after["items"]])
            self.assertEqual(portal.call("GET", LIST, query=query).json, after)


if __name__ == "__main__":
    unittest.main()
