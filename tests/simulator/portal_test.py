"""The portal besides tokens: rights, users, roles, devices, versions, limits, lockout, audit, ingest."""

from __future__ import annotations

import gzip
import hashlib
import json
import unittest
from typing import Any

import signature
from harness import Answer, Running

DEVICE = "/device/devices/7"


class PortalCase(unittest.TestCase):
    portal: Running

    @classmethod
    def setUpClass(cls) -> None:
        cls.portal = Running()
        cls.addClassCleanup(cls.portal.stop)

    def tearDown(self) -> None:
        self.portal.control("POST", "/reset")

    def check(self, answer: Answer, status: int, code: int | None = None) -> Any:
        self.assertEqual(answer.status, status, answer.body)
        if code is not None:
            self.assertEqual(set(answer.json), {"errorMessage", "errorCode", "errorDetail"})
            self.assertEqual(answer.json["errorCode"], code)
        return answer.json


class RightsTest(PortalCase):
    def test_rights_follow_the_role(self) -> None:
        tokens = "/setting/admins/33/apitokens"
        for admin, expected in (
            (32, {"GET tokens": 200, "POST tokens": 200, "GET device": 200, "PATCH device": 200, "GET settings": 200}),
            (33, {"GET tokens": 200, "POST tokens": 403, "GET device": 200, "PATCH device": 403, "GET settings": 403}),
            (34, {"GET tokens": 403, "POST tokens": 403, "GET device": 200, "PATCH device": 403, "GET settings": 403}),
            (36, {"GET tokens": 403, "POST tokens": 403, "GET device": 403, "PATCH device": 403, "GET settings": 403}),
        ):
            token = self.portal.new_token(admin)
            found = {
                "GET tokens": self.portal.call("GET", tokens, token=token),
                "POST tokens": self.portal.call("POST", tokens, {}, token=token),
                "GET device": self.portal.call("GET", DEVICE, token=token),
                "PATCH device": self.portal.call("PATCH", DEVICE, {"description": ""}, token=token),
                "GET settings": self.portal.call("GET", "/setting/companySetting", token=token),
            }
            with self.subTest(admin):
                self.assertEqual({name: answer.status for name, answer in found.items()}, expected)
                for answer in found.values():
                    self.assertIn(answer.status, (200, answer.json.get("errorCode", 0) - 1000))
            self.assertEqual(self.portal.call("GET", "/alert/stat", token=token).status, 200)


class RoutesTest(PortalCase):
    def test_unknown_routes_are_404_with_code_1400(self) -> None:
        for path in (
            "/nothing",
            "/setting/admins/apiTokens",
            "/setting/admins/32/apitokens/",
            "/setting/apitokens",
            "/device/devices/",
            "/device/devices/x",
            "/device/devices/0",
            "/device/devices/007",
        ):
            with self.subTest(path):
                self.check(self.portal.call("GET", path), 404, 1400)
        self.assertEqual(self.portal.send("GET", "/elsewhere").status, 404)

    def test_unknown_routes_need_a_good_signature_too(self) -> None:
        self.check(self.portal.send("GET", "/santaba/rest/nothing", {"X-Version": "3"}), 401, 1401)

    def test_wrong_method_is_405(self) -> None:
        self.check(self.portal.call("DELETE", "/alert/stat"), 405)

    def test_portal_answers_below_its_account_name(self) -> None:
        authorization = self.portal.authorization("GET", DEVICE)
        headers = {"Authorization": authorization, "X-Version": "3"}
        answer = self.portal.send("GET", "/acme.logicmonitor.com/santaba/rest" + DEVICE, headers)
        self.assertEqual(self.check(answer, 200)["id"], 7)

    def test_odd_segments_are_echoed(self) -> None:
        path = "/device/devices/1/instances/a b/ü/%2F;x=1/~"
        answer = self.portal.call("PUT", path, b"raw \xff bytes", query="q=1&q=%20&e=")
        echo = self.check(answer, 200)
        self.assertEqual(echo["path"], path)
        self.assertEqual(echo["segments"], ["a b", "ü", "%2F;x=1", "~"])
        self.assertEqual(echo["query"], [["q", "1"], ["q", " "], ["e", ""]])
        self.assertEqual(echo["bodySha256"], hashlib.sha256(b"raw \xff bytes").hexdigest())

    def test_what_clients_read_at_login(self) -> None:
        self.assertEqual(self.portal.call("GET", "/alert/stat").headers["x-server-version"], "231-7")
        setting = self.portal.call("GET", "/setting/companySetting").json
        self.assertEqual((setting["companyDisplayName"], setting["numberOfDevices"]), ("acme", 300))
        access_id = self.portal.master["accessId"]
        query = f"filter=accessId:%22{access_id}%22&size=1000&offset=0&sort=+id"
        found = self.portal.call("GET", "/setting/admins/apitokens", query=query).json
        self.assertEqual([item["accessId"] for item in found["items"]], [access_id])


class RecordsTest(PortalCase):
    def test_device_lives_from_create_to_delete(self) -> None:
        body = {"name": "10.9.9.9", "displayName": "new", "preferredCollectorId": 2}
        made = self.check(self.portal.call("POST", "/device/devices", body), 200)
        path = f"/device/devices/{made['id']}"
        self.check(self.portal.call("POST", "/device/devices", body), 409, 1409)
        self.check(self.portal.call("POST", "/device/devices", {"name": "x"}), 400, 1400)
        patched = self.check(self.portal.call("PATCH", path, {"description": "ü"}), 200)
        self.assertEqual((patched["description"], patched["displayName"]), ("ü", "new"))
        replaced = self.check(self.portal.call("PUT", path, {"name": "a", "displayName": "b"}), 200)
        self.assertNotIn("description", replaced)
        self.assertEqual(self.portal.call("DELETE", path, query="deleteHard=false").json, {})
        self.check(self.portal.call("GET", path), 404, 1404)

    def test_every_device_and_user_has_the_fields_that_clients_need(self) -> None:
        devices = self.portal.call("GET", "/device/devices", query="size=1000").json
        users = self.portal.call("GET", "/setting/admins").json
        self.assertEqual((devices["total"], len(devices["items"])), (300, 300))
        for row in devices["items"] + users["items"]:
            self.assertLessEqual({"id", "type", "name", "displayName", "preferredCollectorId"}, set(row))
        for row in users["items"]:
            self.assertLessEqual({"username", "email", "roles", "userType", "apiTokens"}, set(row))

    def test_user_lives_from_create_to_delete(self) -> None:
        body = {"username": "svc-new", "note": "n", "roles": [{"id": 3}], "status": "active", "apionly": True}
        made = self.check(self.portal.call("POST", "/setting/admins", body), 200)
        path = f"/setting/admins/{made['id']}"
        self.assertEqual((made["userType"], made["roles"]), ("API only", [{"id": 3, "name": "readonly"}]))
        self.check(self.portal.call("POST", "/setting/admins", body), 409, 1409)
        for bad in ({}, {"username": "x"}, {"username": "x", "roles": [{"id": 99}]}, {"username": "", "roles": [3]}):
            self.check(self.portal.call("POST", "/setting/admins", bad), 400, 1400)
        token = self.portal.call("POST", path + "/apitokens", {}).json
        self.assertEqual(self.portal.call("GET", DEVICE, token=token).status, 200)
        self.check(self.portal.call("PATCH", path, {"status": "suspended"}), 200)
        self.assertEqual(self.portal.call("GET", DEVICE, token=token).status, 401)
        self.check(self.portal.call("PATCH", path, {"status": "active", "apiTokens": [], "password": "P"}), 200)
        self.assertEqual(self.portal.call("GET", DEVICE, token=token).status, 200)
        self.assertNotIn("password", self.portal.state_file.read_text("utf-8"))
        self.check(self.portal.call("DELETE", path), 200)
        self.assertEqual(self.portal.call("GET", DEVICE, token=token).status, 401)
        self.assertNotIn(made["id"], [row["adminId"] for row in self.portal.state()["tokens"]])

    def test_users_can_be_filtered_by_their_tokens(self) -> None:
        items = self.portal.call("GET", "/setting/admins", query="filter=apiTokens.status:2&fields=id").json["items"]
        self.assertIn({"id": 32}, items)

    def test_role_lives_from_create_to_delete(self) -> None:
        privileges = [{"objectType": "host_group", "objectId": "*", "operation": "read"}]
        made = self.check(self.portal.call("POST", "/setting/roles", {"name": "r", "privileges": privileges}), 200)
        self.assertEqual(made["associatedUserCount"], 0)
        self.check(self.portal.call("POST", "/setting/roles", {"name": "r"}), 409, 1409)
        self.check(self.portal.call("POST", "/setting/roles", {"name": "s", "privileges": [{}]}), 400, 1400)
        self.check(self.portal.call("DELETE", "/setting/roles/3"), 400, 1400)
        self.check(self.portal.call("DELETE", f"/setting/roles/{made['id']}"), 200)


class VersionTest(PortalCase):
    def ask(self, path: str, query: str = "", **headers: str) -> Answer:
        signed = {"Authorization": self.portal.authorization("GET", path)} | headers
        return self.portal.send("GET", f"/santaba/rest{path}{query}", signed)

    def test_without_a_version_there_is_the_old_envelope(self) -> None:
        for headers in ({}, {"X-version": "1"}):
            answer = self.check(self.ask(DEVICE, "", **headers), 200)
            self.assertEqual((answer["status"], answer["errmsg"], answer["data"]["id"]), (200, "OK", 7))

    def test_version_comes_from_the_header_or_the_query(self) -> None:
        for query, headers in (
            ("", {"x-version": "3"}),
            ("?v=3", {}),
            ("", {"X-Version": "2"}),
            ("", {"X-Version": "4"}),
        ):
            self.assertEqual(self.check(self.ask(DEVICE, query, **headers), 200)["id"], 7)

    def test_old_errors_have_status_200_and_old_numbers(self) -> None:
        self.assertEqual(self.check(self.ask("/device/devices/999"), 200)["status"], 1069)
        refused = self.portal.send("GET", f"/santaba/rest{DEVICE}", {"Authorization": "LMv1 x"})
        self.assertEqual((refused.status, refused.json["status"]), (200, 403))


class LimitsTest(PortalCase):
    def test_each_reply_says_the_budget(self) -> None:
        answers = [
            self.portal.call("GET", DEVICE),
            self.portal.call("GET", "/device/devices/999"),
            self.portal.send("GET", f"/santaba/rest{DEVICE}", {"X-Version": "3"}),
        ]
        self.assertEqual([answer.status for answer in answers], [200, 404, 401])
        seen = [
            [int(answer.headers[f"x-rate-limit-{name}"]) for name in ("limit", "remaining", "window")]
            for answer in answers
        ]
        self.assertEqual(seen, [[500, 499, 60], [500, 498, 60], [500, 498, 60]])

    def test_default_limits_by_method(self) -> None:
        path = "/device/devices/1/instances/x"
        found = {
            method: self.portal.call(method, path).headers["x-rate-limit-limit"]
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        }
        self.assertEqual(found, {"GET": "500", "POST": "200", "PUT": "200", "PATCH": "250", "DELETE": "300"})

    def test_spent_budget_is_429_for_the_whole_account_and_that_endpoint_alone(self) -> None:
        self.portal.control("PATCH", "/rate-limits", {"GET /device/devices/{id}": 2})
        other = self.portal.new_token(33)
        statuses = [
            self.portal.call("GET", f"/device/devices/{number}", token=token).status
            for number, token in ((1, None), (2, other), (3, None))
        ]
        self.assertEqual(statuses, [200, 200, 429])
        refused = self.portal.call("GET", DEVICE)
        self.check(refused, 429, 1429)
        self.assertEqual(refused.headers["x-rate-limit-remaining"], "0")
        self.assertNotIn("retry-after", refused.headers)
        self.assertEqual(self.portal.call("GET", "/device/devices").status, 200)
        self.assertEqual(self.portal.call("PATCH", DEVICE, {}).status, 200)
        self.portal.control("PATCH", "/knobs", {"retry_after": 7})
        self.assertEqual(self.portal.call("GET", DEVICE).headers["retry-after"], "7")
        # Well inside the signature's window; the call leaves the rolling one.
        self.portal.control("POST", "/clock", {"advance": 61})
        self.assertEqual(self.portal.call("GET", DEVICE).status, 200)

    def test_lockout_after_failures(self) -> None:
        token = self.portal.new_token(33)
        wrong = token | {"accessKey": "lma_wrong"}
        self.portal.control("PATCH", "/knobs", {"lockout_failures": 3, "lockout_seconds": 120})

        def ask(*tokens: dict[str, Any]) -> list[int]:
            return [self.portal.call("GET", DEVICE, token=one).status for one in tokens]

        self.assertEqual(ask(wrong, wrong, token, wrong, wrong, token), [401, 401, 200, 401, 401, 200])
        self.assertEqual(ask(wrong, wrong, wrong, token), [401, 401, 401, 401])
        self.assertEqual(self.portal.requests()[-1]["verdict"], "locked")
        lines = self.portal.call("GET", "/setting/accesslogs", query="size=1000").json["items"]
        locked = f"API token {token['accessId']} is locked due to too many failed attempts"
        self.assertEqual([line["description"] for line in lines].count(locked), 1)
        self.portal.control("POST", "/clock", {"advance": 121})
        self.assertEqual(ask(token), [200])


class AuditTest(PortalCase):
    def test_lines_have_the_phrases_that_tools_match(self) -> None:
        self.portal.control("PATCH", "/rate-limits", {"GET /device/devices": 0})
        caller = self.portal.master["accessId"]
        token = self.portal.call("POST", "/setting/admins/33/apitokens", {}).json
        self.portal.call("PATCH", f"/setting/admins/33/apitokens/{token['id']}", {"note": "n"})
        self.portal.call("GET", "/device/devices")
        self.portal.call("GET", DEVICE, token={"accessId": "bogus", "accessKey": "lma_x"})
        lines = self.portal.call("GET", "/setting/accesslogs", query="size=1000").json["items"][-4:]
        tail = "attempted to access path '/santaba/rest{}' with Method: GET"
        self.assertEqual(
            [line["description"] for line in lines],
            [
                f"Add new api token - {token['accessId']} for svc-reader via API token {caller}",
                f"Update api tokens - {token['accessId']} via API token {caller}",
                f"Throttled API request: API token {caller} " + tail.format("/device/devices"),
                "Failed API request: API token bogus " + tail.format(DEVICE),
            ],
        )
        self.assertEqual([line["username"] for line in lines], ["svc-broker", "svc-broker", caller, "bogus"])
        self.assertTrue(all(isinstance(line["id"], str) and line["happenedOn"] > 0 for line in lines))


class IngestTest(PortalCase):
    def post(self, path: str, body: Any, token: dict[str, Any] | None = None, **headers: str) -> Answer:
        return self.portal.call("POST", path, body, token=token, headers=headers, base="/rest")

    def test_good_payloads_are_accepted(self) -> None:
        bearer = self.portal.new_token(36, "BEARER")
        for path, body in (
            ("/log/ingest", [{"message": "hello"}]),
            ("/metric/ingest", {"resourceName": "r"}),
            ("/v2/metric/ingest", [{}]),
        ):
            for token in (None, bearer):
                self.assertTrue(self.check(self.post(path, body, token), 202)["success"])

    def test_compressed_log_is_signed_uncompressed(self) -> None:
        content = json.dumps([{"message": "hello"}]).encode()
        authorization = self.portal.authorization("POST", "/log/ingest", content)
        headers = {"Authorization": authorization, "Content-Encoding": "gzip"}
        self.check(self.portal.send("POST", "/rest/log/ingest", headers, gzip.compress(content)), 202)

    def test_errors_have_their_own_shape(self) -> None:
        refused = self.check(self.portal.send("POST", "/rest/log/ingest", {}, b"[]"), 401)
        self.assertEqual(set(refused), {"message", "timestamp"})
        self.assertEqual(self.check(self.post("/log/ingest", b"no json"), 400)["success"], False)
        self.assertEqual(self.check(self.post("/metric/ingest", [1]), 400)["errors"], [])
        self.assertEqual(set(self.check(self.post("/nothing", {}), 404)), {"message", "timestamp"})
        partly = self.check(self.post("/log/ingest", [{"message": "a"}, 5]), 207)
        self.assertEqual([error["event"] for error in partly["errors"]], [5])
        self.check(self.post("/v2/metric/ingest", b"[" + b" " * (1 << 20) + b"]"), 413)

    def test_signature_over_the_base_is_refused(self) -> None:
        master = self.portal.master
        value = signature.authorization(master["accessId"], master["accessKey"], "POST", "/rest/log/ingest", b"[]")
        self.check(self.portal.send("POST", "/rest/log/ingest", {"Authorization": value}, b"[]"), 401)


if __name__ == "__main__":
    unittest.main()
