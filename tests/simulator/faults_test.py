"""Every fault mode as a client meets it, and the rules by which faults hit requests."""

from __future__ import annotations

import gzip
import http.client
import json
import ssl
import subprocess
import sys
import time
import unittest
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path

import fault_modes
import faults
from harness import Answer, Running

DEVICE = "/device/devices/7"
TOKENS = "/setting/admins/33/apitokens"


class FaultCase(unittest.TestCase):
    portal: Running

    @classmethod
    def setUpClass(cls) -> None:
        cls.portal = Running()
        cls.addClassCleanup(cls.portal.stop)

    def tearDown(self) -> None:
        self.portal.control("POST", "/reset")

    def get(self, path: str = DEVICE) -> Answer:
        return self.portal.call("GET", path)

    def tokens(self) -> int:
        return len(self.portal.state()["tokens"])

    def raw(self, path: str = DEVICE) -> bytes:
        """All bytes that come for one GET on a connection of its own that the client asks to close."""
        with self.portal.connect().sock as tls:
            authorization = self.portal.authorization("GET", path)
            head = f"GET /santaba/rest{path} HTTP/1.1\r\nHost: localhost\r\nX-Version: 3\r\nConnection: close\r\n"
            tls.sendall(f"{head}Authorization: {authorization}\r\n\r\n".encode())
            return read_all(tls)


def read_all(tls: ssl.SSLSocket) -> bytes:
    data = b""
    while piece := tls.recv(1 << 16):
        data += piece
    return data


class InsteadTest(FaultCase):
    def test_replies_in_place_of_the_portals(self) -> None:
        for name, fields, status, code in (
            ("internal-error", {}, 500, 1500),
            ("rate-limited", {}, 429, 1429),
            ("status", {"status": 412}, 412, 1412),
            ("status", {"status": 503, "code": 503, "message": "deactivated"}, 503, 503),
            ("error-in-200", {"code": 14002}, 200, 14002),
        ):
            with self.subTest(name):
                self.portal.fault(name, **fields)
                answer = self.portal.call("POST", TOKENS, {})
                self.assertEqual((answer.status, answer.json["errorCode"]), (status, code))
                self.portal.control("DELETE", "/faults")
        self.assertEqual(self.tokens(), 1)

    def test_commit_carries_the_request_out_first(self) -> None:
        for count, name in enumerate(("internal-error", "unavailable", "status", "malformed-json"), start=2):
            self.portal.fault(name, commit=1, count=1)
            self.portal.call("POST", TOKENS, {"note": name})
            self.assertEqual(self.tokens(), count)
            self.assertTrue(self.portal.requests()[-1]["committed"])
        for token in self.portal.state()["tokens"][1:]:
            self.portal.control("DELETE", f"/tokens/{token['id']}")

    def test_unavailable_is_a_page_without_the_portals_headers(self) -> None:
        self.portal.fault("unavailable", retry_after=9)
        answer = self.get()
        self.assertEqual((answer.status, answer.headers["retry-after"]), (503, "9"))
        self.assertTrue(answer.headers["content-type"].startswith("text/html"))
        self.assertIn(b"temporarily unavailable", answer.body)
        self.assertNotIn("x-rate-limit-limit", answer.headers)

    def test_rate_limited_says_that_nothing_remains(self) -> None:
        self.portal.fault("rate-limited", limit=5, window=2)
        headers = self.get().headers
        self.assertEqual(
            [headers[f"x-rate-limit-{name}"] for name in ("limit", "remaining", "window")], ["5", "0", "2"]
        )
        self.assertNotIn("retry-after", headers)
        self.portal.control("DELETE", "/faults")
        self.portal.fault("rate-limited", retry_after=4)
        self.assertEqual(self.get().headers["retry-after"], "4")

    def test_redirect_leads_to_another_host(self) -> None:
        for status in (301, 302, 307):
            self.portal.fault("redirect", status=status, count=1)
            answer = self.get()
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.headers["location"], f"https://elsewhere.example/santaba/rest{DEVICE}")
            self.assertEqual(answer.json, {"moved": True})

    def test_malformed_json_is_called_json(self) -> None:
        self.portal.fault("malformed-json")
        answer = self.get()
        self.assertEqual(answer.headers["content-type"], "application/json")
        self.assertRaises(ValueError, lambda: answer.json)


class LostConnectionTest(FaultCase):
    def lost(self, *errors: type[Exception]) -> None:
        with self.assertRaises(errors or http.client.RemoteDisconnected):
            self.portal.call("POST", TOKENS, {"note": "lost"})

    def test_drops_without_commit(self) -> None:
        for name in ("drop-before-body", "drop-before-commit"):
            with self.subTest(name):
                self.portal.fault(name, count=1)
                self.lost(http.client.RemoteDisconnected, ConnectionError, ssl.SSLError)
                self.assertEqual(self.tokens(), 1)
                seen = self.portal.requests()[-1]
                self.assertEqual((seen["faults"], seen["status"], seen["committed"]), ([name], 0, False))

    def test_drop_after_commit_leaves_the_token(self) -> None:
        self.portal.fault("drop-after-commit", method="POST", path=TOKENS)
        self.lost()
        self.assertTrue(self.portal.requests()[-1]["committed"])
        lost = self.portal.call("GET", TOKENS, query="filter=note:lost").json["items"]
        self.assertEqual(len(lost), 1)
        self.portal.control("DELETE", f"/tokens/{lost[0]['id']}")

    def test_reset_is_a_tcp_reset(self) -> None:
        self.portal.fault("reset", count=1)
        self.lost(ConnectionResetError)

    def test_drop_on_accept_fails_the_handshake(self) -> None:
        self.portal.fault("drop-on-accept", count=1)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.portal.connect()
        self.portal.connect().close()

    def test_close_after_reply_makes_the_kept_connection_stale(self) -> None:
        self.portal.fault("close-after-reply", path=DEVICE, count=1)
        answer = self.get()
        self.assertEqual((answer.status, answer.headers.get("connection")), (200, None))
        with self.assertRaises((http.client.RemoteDisconnected, ConnectionError, ssl.SSLError)):
            self.get()
        self.assertEqual(self.get().status, 200)
        self.portal.fault("close-after-reply", path=DEVICE, announce=1)
        self.assertEqual(self.get().headers["connection"], "close")

    def test_truncated_body_ends_early(self) -> None:
        whole = len(self.get().body)
        self.portal.fault("truncated-body", keep=0.25)
        with self.assertRaises(http.client.IncompleteRead) as caught:
            self.get()
        self.assertEqual(len(caught.exception.partial), whole // 4)

    def test_garbage_is_no_http(self) -> None:
        self.portal.fault("garbage")
        with self.assertRaises(http.client.BadStatusLine):
            self.get()


class ReplyTest(FaultCase):
    def test_secret_echo_shows_key_and_header(self) -> None:
        self.portal.fault("secret-echo")
        bearer = self.portal.new_token(33, "BEARER")
        for token in (None, bearer):
            key = (token or self.portal.master)["accessKey"]
            answer = self.portal.call("GET", DEVICE, token=token)
            sent = dict(self.portal.requests()[-1]["headers"])["Authorization"]
            self.assertEqual((answer.json["accessKey"], answer.json["authorization"]), (key, sent))
            self.assertIn(key, answer.json["message"])
            self.assertEqual((answer.headers["x-request-id"], answer.headers["x-echo-authorization"]), (key, sent))

    def test_set_cookie(self) -> None:
        self.portal.fault("set-cookie")
        self.assertTrue(self.get().headers["set-cookie"].startswith("JSESSIONID="))

    def test_wrong_date_changes_the_date_alone(self) -> None:
        self.portal.fault("wrong-date", seconds=-7200)
        answer = self.get()
        self.assertEqual(answer.status, 200)
        skew = parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()
        self.assertAlmostEqual(skew, -7200, delta=60)

    def test_clock_offset_changes_date_and_judgement(self) -> None:
        self.portal.control("POST", "/clock", {"offset": 7200})
        answer = self.get()
        self.assertEqual(answer.status, 401)
        skew = parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()
        self.assertAlmostEqual(skew, 7200, delta=60)

    def test_v1_envelope_comes_unasked(self) -> None:
        self.portal.fault("v1-envelope")
        self.assertEqual(self.get().json["data"]["id"], 7)
        missing = self.get("/device/devices/999")
        self.assertEqual((missing.status, missing.json["status"]), (200, 1069))

    def test_rate_headers_are_as_given(self) -> None:
        self.portal.fault("rate-headers", limit="many", remaining=0, count=1)
        headers = self.get().headers
        self.assertEqual((headers["x-rate-limit-limit"], headers["x-rate-limit-remaining"]), ("many", "0"))
        self.assertNotIn("x-rate-limit-window", headers)

    def test_further_and_huge_headers(self) -> None:
        self.portal.fault("header", header="ETag", value='"x"')
        self.portal.fault("huge-header", kib=16, lines=3)
        raw = self.raw()
        self.assertIn(b'\r\nETag: "x"\r\n', raw)
        self.assertEqual(raw.count(b"f" * (16 << 10)), 3)

    def test_omit_field_takes_the_secret_out_of_a_create(self) -> None:
        self.portal.fault("omit-field", method="POST")
        made = self.portal.call("POST", TOKENS, {}).json
        self.assertIn("id", made)
        self.assertNotIn("accessKey", made)
        self.portal.control("DELETE", f"/tokens/{made['id']}")

    def test_gzip_body_comes_unasked(self) -> None:
        self.portal.fault("gzip-body")
        answer = self.get()
        self.assertEqual(answer.headers["content-encoding"], "gzip")
        self.assertEqual(json.loads(gzip.decompress(answer.body))["id"], 7)

    def test_gzip_body_can_be_a_bomb(self) -> None:
        self.portal.fault("gzip-body", mib=3)
        answer = self.get()
        self.assertLess(len(answer.body), 10_000)
        self.assertEqual(len(json.loads(gzip.decompress(answer.body))["filler"]), 3 << 20)


class WireTest(FaultCase):
    def timed(self, ask: Callable[[], Answer]) -> float:
        start = time.monotonic()
        self.assertEqual(ask().json["id"], 7)
        return time.monotonic() - start

    def test_slow_head_waits(self) -> None:
        self.portal.fault("slow-head", seconds=0.3)
        self.assertGreaterEqual(self.timed(self.get), 0.3)

    def test_slow_body_dribbles(self) -> None:
        self.portal.fault("slow-body", bytes=100, seconds=0.05)
        self.assertGreaterEqual(self.timed(self.get), 0.2)

    def test_client_that_leaves_during_a_wait_is_noticed(self) -> None:
        self.portal.fault("slow-head", seconds=300, path=DEVICE)
        connection = self.portal.connect()
        connection.request("GET", f"/santaba/rest{DEVICE}", headers={"X-Version": "3"})
        self.wait_for(lambda: len(self.portal.requests()) == 1 and bool(self.portal.requests()[0]["status"]))
        connection.close()
        self.wait_for(lambda: bool(self.portal.requests()[0]["aborted"]))

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            self.assertLess(time.monotonic(), deadline)

    def test_wrong_length(self) -> None:
        whole = self.get().body
        self.portal.fault("wrong-length", by=-3)
        head, _, body = self.raw().partition(b"\r\n\r\n")
        self.assertIn(f"Content-Length: {len(whole) - 3}".encode(), head)
        self.assertEqual(body, whole)

    def test_conflicting_length(self) -> None:
        for chunked, other in ((0, b"Content-Length: "), (1, b"Transfer-Encoding: chunked")):
            self.portal.fault("conflicting-length", chunked=chunked, count=1)
            head = self.raw().partition(b"\r\n\r\n")[0]
            self.assertEqual(head.count(b"Content-Length: "), 2 - chunked)
            self.assertIn(other, head)

    def test_huge_body_has_its_size_in_both_framings(self) -> None:
        for chunked in (0, 1):
            self.portal.fault("huge-body", mib=3, chunked=chunked, count=1)
            answer = self.get()
            self.assertEqual(len(answer.json["filler"]), 3 << 20)
            self.assertEqual("content-length" in answer.headers, not chunked)

    def test_chunked_body(self) -> None:
        self.portal.fault("chunked-body", size=5)
        answer = self.get()
        self.assertEqual((answer.headers["transfer-encoding"], answer.json["id"]), ("chunked", 7))
        self.assertIn(b"\r\n\r\n5\r\n", self.raw())

    def test_two_replies(self) -> None:
        self.portal.fault("two-replies")
        raw = self.raw()
        self.assertEqual(raw.count(b"HTTP/1.1 200 OK\r\n"), 2)
        self.assertTrue(raw.endswith(b'{"smuggled":true}'))

    def test_continue_first(self) -> None:
        self.portal.fault("continue-first", times=2)
        self.assertTrue(self.raw().startswith(b"HTTP/1.1 100 Continue\r\n\r\n" * 2 + b"HTTP/1.1 200 OK\r\n"))


class RulesTest(FaultCase):
    def test_every_mode_has_a_test(self) -> None:
        text = Path(__file__).read_text("utf-8")
        missing = [name for name in fault_modes.MODES if f'"{name}"' not in text]
        self.assertEqual(missing, [])

    def test_skip_and_count_choose_requests(self) -> None:
        self.portal.fault("internal-error", skip=1, count=2)
        self.assertEqual([self.get().status for _ in range(5)], [200, 500, 500, 200, 200])
        self.assertEqual(self.portal.control("GET", "/faults")["faults"][0]["seen"], 5)

    def test_only_matching_requests_are_hit(self) -> None:
        self.portal.fault("internal-error", method="GET", path="/device/devices/*")
        self.portal.fault("status", status=418, path="/santaba/rest/alert/*")
        other = self.portal.new_token(33)
        self.portal.fault("status", status=409, access_id=other["accessId"], path="/setting/*")
        self.assertEqual(self.get().status, 500)
        self.assertEqual(self.get("/device/devices").status, 200)
        self.assertEqual(self.portal.call("PATCH", DEVICE, {}).status, 200)
        self.assertEqual(self.get("/alert/stat").status, 418)
        self.assertEqual(self.get("/setting/admins").status, 200)
        self.assertEqual(self.portal.call("GET", "/setting/admins", token=other).status, 409)

    def test_faults_add_up(self) -> None:
        for name in ("status", "set-cookie", "chunked-body"):
            self.portal.fault(name)
        answer = self.get()
        self.assertEqual((answer.status, answer.headers["transfer-encoding"]), (401, "chunked"))
        self.assertIn("set-cookie", answer.headers)
        self.assertEqual(self.portal.requests()[-1]["faults"], ["status", "set-cookie", "chunked-body"])
        self.assertEqual(self.portal.requests()[-1]["verdict"], "good")

    def test_one_fault_can_be_switched_off(self) -> None:
        first = self.portal.control("POST", "/faults", {"name": "internal-error"})["id"]
        self.portal.fault("set-cookie")
        self.portal.control("DELETE", f"/faults/{first}")
        answer = self.get()
        self.assertEqual((answer.status, "set-cookie" in answer.headers), (200, True))

    def test_wrong_faults_are_refused_with_the_field(self) -> None:
        for given, word in (
            ({"name": "nothing"}, "nothing"),
            ({"name": "reset", "bogus": 1}, "bogus"),
            ({"name": "slow-head", "seconds": "soon"}, "seconds"),
            ({"name": "reset", "count": "x"}, "count"),
        ):
            answer = self.portal.send("POST", "/_control/faults", {}, json.dumps(given).encode())
            self.assertEqual(answer.status, 400)
            self.assertIn(word, answer.json["error"])

    def test_command_line_takes_faults(self) -> None:
        self.assertEqual(
            faults.parse("status,status=429,path=/a/*"), {"name": "status", "status": "429", "path": "/a/*"}
        )
        self.assertRaises(ValueError, faults.parse, "status,429")
        arguments = ("--fault", "status,status=402,count=1", "--fault", "set-cookie")
        with Running(*arguments) as portal:
            answers = [portal.call("GET", DEVICE) for _ in range(2)]
            self.assertEqual([answer.status for answer in answers], [402, 200])
            self.assertTrue(all("set-cookie" in answer.headers for answer in answers))

    def test_help_lists_every_mode(self) -> None:
        program = Path(__file__).with_name("simulator.py")
        text = subprocess.run(
            [sys.executable, str(program), "--help"], check=True, capture_output=True, text=True
        ).stdout
        for name in fault_modes.MODES:
            self.assertIn(f"\n    {name} ", text)


if __name__ == "__main__":
    unittest.main()
