"""Forward from outside: what is sent for a call, what comes back, and where the limits are."""

import gzip
import hashlib
import json
import unittest
import zlib

from case import ECHO, ForwardCase
from schema import Refusal
from world import PORTAL

MIB = 1 << 20


class RequestTest(ForwardCase):
    """What arrives at the portal is what the caller said, signed."""

    def test_every_method_is_signed_and_sent_with_both_kinds_of_keys(self):
        for who in ("writer", "bearer"):
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                with self.subTest(who=who, method=method):
                    body = b"" if method == "GET" else '{"name":"größe ✓"}'.encode()
                    seen = self.echo(method, who=who, body=body)
                    self.assertEqual(seen["method"], method)
                    self.assertEqual(seen["bodySha256"], hashlib.sha256(body).hexdigest())
                    self.assertEqual(self.sent()[-1]["verdict"], "good")

    def test_a_body_is_sent_byte_by_byte(self):
        for body in (b"", b"{}", b"{}\n", b'{ "a" : 1 }\r\n', bytes(range(256)), b"\0", "ß".encode("latin-1")):
            with self.subTest(body=body[:20]):
                self.assertEqual(self.echo(body=body)["bodySha256"], hashlib.sha256(body).hexdigest())

    def test_a_query_keeps_its_order_and_its_characters(self):
        pairs = [
            ("size", "2"), ("filter", 'name:"a&b=c"'), ("size", "3"), ("empty", ""), ("a b", "c+d"), ("q", "100%"),
            ("u", "日本 ✓"), ("slash", "/a/../b"), ("hash", "#x"), ("V", "4"), ("question", "?a=b"), ("semi", "a;b"),
        ]  # fmt: skip
        seen = self.echo("GET", query=[{"name": name, "value": value} for name, value in pairs])
        self.assertEqual(seen["query"], [list(pair) for pair in pairs])

    def test_law3_odd_but_plain_paths_are_signed_and_arrive_as_they_are(self):
        for rest in (
            "/a b", "/ü", "/日本語", "/a+b", "/a&b=c", "/a:b", "/a@b", "/(x)", "/~x", "/*", "/a,b", "/'", '/"', "/<a>",
            "/...", "/..a", "/a..", "/.a", "/{id}", "/[1]", "/a|b", "/^", "/`", "/!$", "/😀", "/e\u0301", "/\u00a0",
        ):  # fmt: skip
            with self.subTest(rest=rest):
                self.assertEqual(self.echo("GET", rest)["path"], ECHO + rest)
                seen = self.sent()[-1]
                self.assertEqual(seen["verdict"], "good")
                self.assertRegex(seen["target"], r"^/santaba/rest/[A-Za-z0-9._~/%-]+$")

    def test_the_version_is_three_unless_the_caller_says_another(self):
        for version, wanted in ((0, "3"), (2, "2"), (3, "3"), (4, "4")):
            self.echo("GET", api_version=version)
            self.assertEqual(self.headers_sent()["x-version"], wanted)

    def test_the_ingest_api_has_another_base_and_no_version_of_its_own(self):
        reply = self.world.forward("writer", "POST", "/log/ingest", api="INGEST", body=b'[{"message":"m"}]')
        self.assertEqual((reply.status, reply.credential), (202, f"{PORTAL}/credentials/ingest"))
        self.assertEqual(self.sent()[-1]["target"], "/rest/log/ingest")
        self.assertNotIn("x-version", self.headers_sent())
        self.world.forward("writer", "POST", "/log/ingest", api="INGEST", api_version=3, body=b'[{"message":"m"}]')
        self.assertEqual(self.headers_sent()["x-version"], "3")

    def test_a_compressed_body_is_sent_compressed_and_signed_as_lm_wants_it(self):
        text = b'[{"message":"' + b"m" * 5000 + b'"}]'
        for name, body in (("gzip", gzip.compress(text)), ("deflate", zlib.compress(text))):
            with self.subTest(encoding=name):
                headers = [{"name": "Content-Encoding", "value": name}]
                self.echo(body=body, headers=headers)
                seen = self.sent()[-1]
                self.assertEqual((seen["verdict"], seen["bodyLength"]), ("good", len(body)))

    def test_allowed_headers_are_passed_on_in_any_letter_case(self):
        values = {
            "ACCEPT": "text/csv", "accept-language": "de", "Content-type": "application/merge-patch+json",
            "If-Match": '"a"', "if-none-match": '"b"', "IF-MODIFIED-SINCE": "Wed, 21 Oct 2015 07:28:00 GMT",
            "x-request-id": "my-id", "TraceParent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "tracestate": "k=v",
        }  # fmt: skip
        self.echo(body=b"x", headers=[{"name": name, "value": value} for name, value in values.items()])
        sent = self.headers_sent()
        for name, value in values.items():
            self.assertEqual(sent[name.lower()], value)

    def test_the_broker_sets_the_rest_itself(self):
        self.echo(body=b"{}")
        sent = self.headers_sent()
        self.assertEqual(sent["content-type"], "application/json")
        self.assertEqual(sent["host"], f"localhost:{self.world.portal.port}")
        self.assertEqual(sent["content-length"], "2")
        self.assertIn("lmbroker", sent["user-agent"])
        unexpected = {"cookie", "via", "forwarded", "x-forwarded-for", "expect", "transfer-encoding", "te", "trailer"}
        self.assertEqual(unexpected & set(sent), set())
        self.assertEqual(self.sent()[-1]["serverName"], "localhost")

    def test_a_cookie_of_the_portal_is_neither_passed_on_nor_sent_back(self):
        self.world.portal.fault("set-cookie", count=1)
        reply = self.world.forward("writer", "GET", ECHO + "/a")
        self.assertNotIn("set-cookie", self.headers(reply.headers))
        self.echo("GET")
        self.assertNotIn("cookie", self.headers_sent())

    def headers_sent(self):
        return {name.lower(): value for name, value in self.sent()[-1]["headers"]}


class ReplyTest(ForwardCase):
    """What the caller is told."""

    def test_an_answer_says_with_what_and_how_it_was_got(self):
        self.world.portal.control("PATCH", "/rate-limits", {"GET": 500})
        reply = self.world.forward("inventory", "GET", "/device/devices/7")
        self.assertEqual((reply.status, json.loads(reply.body)["id"]), (200, 7))
        self.assertEqual(reply.credential, f"{PORTAL}/credentials/inventory-reader")
        self.assertEqual(reply.attempts, 1)
        self.assertEqual((reply.budget.limit, reply.budget.window.seconds), (500, 60))
        self.assertLess(reply.budget.remaining, 500)
        self.assertFalse(reply.HasField("age"))
        self.assertTrue(reply.request_id)

    def test_http_errors_of_the_portal_are_answers(self):
        for status in (400, 401, 403, 404, 409, 412, 413, 418, 429, 500, 502, 503, 504):
            for method in ("GET", "POST"):
                with self.subTest(status=status, method=method):
                    self.world.portal.control("DELETE", "/faults")
                    self.world.portal.fault("status", status=status)
                    # An endpoint for each: after a 429 the next call to the same one would wait.
                    reply = self.world.forward("writer", method, f"{ECHO}/s{status}")
                    repeated = method == "GET" and status in (429, 502, 503, 504)
                    self.assertEqual((reply.status, reply.attempts), (status, 4 if repeated else 1))

    def test_replies_carry_allowed_headers_alone(self):
        passed = {
            "Content-Language": "de", "ETag": '"x"', "Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT",
            "Retry-After": "7", "X-Rate-Limit-Extra": "1", "X-Request-Id": "theirs", "x-server-version": "231-7",
        }  # fmt: skip
        dropped = ("X-Extra", "Server", "Location", "WWW-Authenticate", "Link", "X-Powered-By", "Content-Disposition")
        for name, value in passed.items():
            self.world.portal.fault("header", header=name, value=value)
        for name in dropped:
            self.world.portal.fault("header", header=name, value="x")
        seen = self.headers(self.world.forward("writer", "GET", ECHO + "/a").headers)
        for name, value in passed.items():
            self.assertEqual(seen.get(name.lower()), value, name)
        allowed = {name.lower() for name in passed} | {"content-type", "date"}
        extra = {name for name in seen if not name.startswith("x-rate-limit-")} - allowed
        self.assertEqual(extra, set())

    def test_redirects_are_not_followed(self):
        for status in (301, 302, 303, 307, 308):
            for to in ("https://elsewhere.example", f"https://localhost:{self.world.portal.port}"):
                self.world.portal.control("POST", "/reset")
                self.world.portal.fault("redirect", status=status, to=to)
                reply = self.world.forward("writer", "GET", ECHO + "/a")
                self.assertEqual(reply.status, status)
                self.assertNotIn("location", self.headers(reply.headers))
                self.assertEqual(len(self.sent()), 1)

    def test_calls_at_the_same_time_get_their_own_answers(self):
        calls = [(who, f"/{who}/{number}") for number in range(30) for who in ("writer", "bearer")]
        futures = [
            self.world.begin(who, "ForwardService/Forward", portal=PORTAL, method="POST", path=ECHO + rest,
                             query=[{"name": "q", "value": rest}], body=rest.encode())
            for who, rest in calls
        ]  # fmt: skip
        for (who, rest), future in zip(calls, futures):
            reply = self.world.finish(future)
            seen = json.loads(reply.body)
            self.assertEqual((seen["path"], seen["query"]), (ECHO + rest, [["q", rest]]))
            self.assertEqual(seen["bodySha256"], hashlib.sha256(rest.encode()).hexdigest())
            self.assertEqual(reply.credential, f"{PORTAL}/credentials/{who}")
        self.assertEqual({request["verdict"] for request in self.sent()}, {"good"})

    def test_connections_are_kept(self):
        for _ in range(5):
            self.echo("GET")
        self.assertEqual(len({request["connection"] for request in self.sent()}), 1)


class LimitTest(ForwardCase):
    """Law 7, everything is bounded: just below, at and above each limit."""

    CONFIG = {"listen": {"limits": {"request_body": "64KiB", "reply_body": "2MiB"}}}

    def test_law7_a_request_body_of_more_than_the_limit_is_refused(self):
        for size in ((64 << 10) - 1, 64 << 10):
            self.assertEqual(self.echo(body=b"x" * size)["bodyLength"], size)
        refusal = self.forward_refused("BODY_TOO_LARGE", "writer", "POST", ECHO + "/a", body=b"x" * ((64 << 10) + 1))
        self.assertEqual(refusal.fields, ["body"])
        self.assertEqual(len(self.sent()), 2)

    def test_law7_what_is_far_beyond_the_limit_is_not_even_read(self):
        with self.assertRaises(Refusal) as caught:
            self.world.forward("writer", "POST", ECHO + "/a", body=b"x" * (6 * MIB))
        self.assertEqual(caught.exception.code, "RESOURCE_EXHAUSTED")

    def test_law7_a_compressed_body_counts_as_what_it_becomes(self):
        bomb = gzip.compress(b"\0" * MIB)
        headers = [{"name": "Content-Encoding", "value": "gzip"}]
        self.forward_refused("BODY_TOO_LARGE", "writer", "POST", ECHO + "/a", body=bomb, headers=headers)
        self.assertEqual(self.sent(), [])

    def test_law7_a_reply_of_more_than_the_limit_is_refused(self):
        for chunked in (0, 1):
            for method in ("GET", "POST"):
                with self.subTest(chunked=chunked, method=method):
                    self.world.portal.control("POST", "/reset")
                    self.world.portal.fault("huge-body", mib=2, chunked=chunked)
                    self.forward_refused("REPLY_TOO_LARGE", "writer", method, ECHO + "/a")
                    self.world.portal.control("POST", "/reset")
                    self.world.portal.fault("huge-body", mib=1, chunked=chunked)
                    reply = self.world.forward("writer", method, ECHO + "/a")
                    self.assertEqual(len(reply.body), MIB + len('{"filler":""}'))

    def test_law7_a_reply_that_unfolds_beyond_the_limit_is_refused(self):
        self.world.portal.fault("malformed-json", text="z" * (3 * MIB))
        self.world.portal.fault("gzip-body")
        self.forward_refused("REPLY_TOO_LARGE", "writer", "GET", ECHO + "/a")

    def test_law7_headers(self):
        many = lambda count: [{"name": "X-Request-Id", "value": "x"}] * count
        refusal = self.forward_refused("FIELD_INVALID", "writer", "GET", ECHO + "/a", headers=many(33))
        self.assertEqual(refusal.fields, ["headers"])
        for size in (8191, 8192):
            self.echo("GET", headers=[{"name": "X-Request-Id", "value": "x" * size}])
        self.forward_refused(
            "FIELD_INVALID", "writer", "GET", ECHO + "/a", headers=[{"name": "X-Request-Id", "value": "x" * 8193}]
        )

    def test_law7_query(self):
        pairs = lambda count: [{"name": f"n{i}", "value": "v"} for i in range(count)]
        self.assertEqual(len(self.echo("GET", query=pairs(100))["query"]), 100)
        self.forward_refused("FIELD_INVALID", "writer", "GET", ECHO + "/a", query=pairs(101))
        for size in (8191, 8192):
            self.echo("GET", query=[{"name": "n", "value": "x" * (size - 2)}])
        for value in ("x" * 8191, "ü" * 1366):
            self.forward_refused("FIELD_INVALID", "writer", "GET", ECHO + "/a", query=[{"name": "n", "value": value}])

    def test_law7_path(self):
        at = lambda size: "/" + "x" * (size - len(ECHO) - 1)
        self.assertEqual(self.echo("GET", at(2048))["path"], ECHO + at(2048))
        self.forward_refused("PATH_NOT_PLAIN", "writer", "GET", ECHO + at(2049))

    def test_law7_huge_header_lines_of_the_portal_are_not_swallowed(self):
        self.world.portal.fault("huge-header", kib=1024)
        with self.assertRaises(Exception) as caught:
            self.world.forward("writer", "GET", ECHO + "/a")
        self.assertIn(caught.exception.reason, ("PORTAL_UNREACHABLE", "PORTAL_ERROR", "REPLY_TOO_LARGE"))


class DefaultLimitTest(ForwardCase):
    """The limits of a configuration that names none: 8 MiB in, 32 MiB out."""

    def test_law7_eight_mib_in_and_not_a_byte_more(self):
        body = b"x" * (8 * MIB)
        self.assertEqual(self.echo(body=body)["bodyLength"], len(body))
        self.forward_refused("BODY_TOO_LARGE", "writer", "POST", ECHO + "/a", body=body + b"x")

    def test_law7_thirty_two_mib_out_and_not_more(self):
        self.world.portal.fault("huge-body", mib=31, count=1)
        self.assertGreater(len(self.world.forward("writer", "GET", ECHO + "/a").body), 31 * MIB)
        self.world.portal.fault("huge-body", mib=32)
        self.forward_refused("REPLY_TOO_LARGE", "writer", "GET", ECHO + "/a")


if __name__ == "__main__":
    unittest.main()
