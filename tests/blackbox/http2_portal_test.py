"""A portal that speaks HTTP/2: calls share a connection to it, and what ends one of them, or the connection, is told as
it is of any portal."""

from __future__ import annotations

import hashlib
import json
import signal
import unittest
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

from broker import wait_for
from case import ECHO, ForwardCase
from http2_front import FrontedWorld
from schema import Refusal
from world import PORTAL

MIB = 1 << 20
READER = f"{PORTAL}/admins/33"


class Http2Case(ForwardCase):
    """A world whose portal is behind a front. `rest` and `path` are an endpoint of each test's own."""

    LIMITS: ClassVar[dict[str, int]] = {}  # the front's
    world: ClassVar[FrontedWorld]

    @classmethod
    def make_world(cls) -> FrontedWorld:
        return FrontedWorld(cls.POLICY, cls.CONFIG, cls.ALIASES, cls.PORTAL, limits=cls.LIMITS)

    def setUp(self) -> None:
        super().setUp()
        self.rest = "/" + self.id().rpartition(".")[2]
        self.path = ECHO + self.rest
        self.front = self.world.front

    def get(self, **fields: Any) -> Any:
        return self.world.forward("writer", "GET", self.path, **fields)

    def begin(self, method: str = "GET", more: str = "", **fields: Any) -> Any:
        return self.world.begin(
            "writer", "ForwardService/Forward", portal=PORTAL, method=method, path=self.path + more, **fields
        )

    def refusal_of(self, call: Any, reason: str) -> Refusal:
        """Of a call that was begun."""
        with self.assertRaises(Refusal) as caught:
            self.world.finish(call)
        return self.judge(caught.exception, reason)

    def connections(self, count: int, more: str = "") -> set[str]:
        """The broker's connections on which this test's calls came, of which there are so many."""
        calls = self.front.await_calls(count, self.path + more)
        self.assertEqual(len(calls), count)
        self.assertEqual({call.protocol for call in calls}, {"HTTP/2.0"})
        return {call.connection for call in calls}


class RequestTest(Http2Case):
    """What arrives is what the caller said, signed."""

    def test_signed_calls_reach_a_portal_that_speaks_http2(self) -> None:
        wanted = []
        for who in ("writer", "bearer"):
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                with self.subTest(who=who, method=method):
                    body = b"" if method == "GET" else '{"name":"größe ✓"}'.encode()
                    seen = self.echo(method, self.rest, who=who, body=body)
                    self.assertEqual(seen["method"], method)
                    self.assertEqual(seen["bodySha256"], hashlib.sha256(body).hexdigest())
                    self.assertEqual(self.sent()[-1]["verdict"], "good")
                    wanted.append((method, "HTTP/2.0"))
        calls = self.front.await_calls(len(wanted), self.path)
        self.assertEqual([(call.method, call.protocol) for call in calls], wanted)

    def test_the_headers_are_those_of_http1(self) -> None:
        common = {"host", "user-agent", "x-version", "accept", "content-type", "x-request-id", "authorization"}
        for method, body, more in (
            ("GET", b"", set()),
            ("DELETE", b"", set()),
            ("POST", b"", {"content-length"}),
            ("POST", b"{}", {"content-length"}),
        ):
            with self.subTest(method=method, body=body):
                self.echo(method, self.rest, body=body, headers=[{"name": "X-Request-Id", "value": "my-id"}])
                names = [name.lower() for name, _ in self.sent()[-1]["headers"]]
                sent = {name.lower(): value for name, value in self.sent()[-1]["headers"]}
                self.assertEqual(sorted(names), sorted(common | more))
                self.assertEqual(sent["host"], f"localhost:{self.front.port}")
                self.assertEqual(sent["x-request-id"], "my-id")
                self.assertEqual(sent.get("content-length", "0"), str(len(body)))

    def test_law3_odd_but_plain_paths_are_signed_and_arrive_as_they_are(self) -> None:
        for rest in (
            "/a b", "/ü", "/日本語", "/a+b", "/a&b=c", "/a:b", "/a@b", "/(x)", "/~x", "/*", "/a,b", "/'", '/"', "/<a>",
            "/...", "/..a", "/a..", "/.a", "/{id}", "/[1]", "/a|b", "/^", "/`", "/!$", "/😀", "/e\u0301", "/\u00a0",
        ):  # fmt: skip
            with self.subTest(rest=rest):
                self.assertEqual(self.echo("GET", self.rest + rest)["path"], self.path + rest)
                seen = self.sent()[-1]
                self.assertEqual(seen["verdict"], "good")
                self.assertRegex(seen["target"], r"^/santaba/rest/[A-Za-z0-9._~/%-]+$")
                calls = self.front.await_calls(len(self.sent()), self.path)
                self.assertEqual(calls[-1].target, seen["target"])

    def test_a_query_keeps_its_order_and_its_characters(self) -> None:
        pairs = [
            ("size", "2"), ("filter", 'name:"a&b=c"'), ("size", "3"), ("empty", ""), ("a b", "c+d"), ("q", "100%"),
            ("p", "%2F"), ("u", "日本 ✓"), ("slash", "/a/../b"), ("hash", "#x"), ("question", "?a=b"), ("semi", "a;b"),
        ]  # fmt: skip
        seen = self.echo("GET", self.rest, query=[{"name": name, "value": value} for name, value in pairs])
        self.assertEqual(seen["query"], [list(pair) for pair in pairs])
        self.assertEqual(self.sent()[-1]["verdict"], "good")

    def test_bodies_larger_than_any_window_arrive_byte_by_byte(self) -> None:
        for size in (1, (16 << 10) - 1, 16 << 10, (64 << 10) - 1, 64 << 10, 8 * MIB):
            with self.subTest(size=size):
                body = (bytes(range(251)) * (size // 251 + 1))[:size]
                seen = self.echo("POST", self.rest, body=body)
                self.assertEqual(seen["bodySha256"], hashlib.sha256(body).hexdigest())

    def test_large_bodies_at_once_do_not_get_mixed_up(self) -> None:
        bodies = [bytes([number]) * (MIB + number) for number in range(12)]
        calls = [self.begin("POST", body=body) for body in bodies]
        for call, body in zip(calls, bodies, strict=True):
            seen = json.loads(self.world.finish(call).body)
            self.assertEqual(seen["bodySha256"], hashlib.sha256(body).hexdigest())
        self.assertEqual(len(self.connections(len(bodies))), 1)

    def test_tokens_live_through_it(self) -> None:
        token = self.world.call(
            "manager", "TokenService/CreateToken", parent=READER, token={"note": "fronted"}, credential_id="fronted"
        ).token
        credential = f"{PORTAL}/credentials/fronted"
        self.assertEqual(self.probe(credential), 1)  # WORKS
        rotated = self.world.call("manager", "TokenService/RotateToken", name=token.name)
        self.assertEqual((rotated.retiring, rotated.token.credential), (token.name, credential))
        self.assertEqual(self.probe(credential), 1)
        for name in (token.name, rotated.token.name):
            self.world.call("manager", "TokenService/DeleteToken", name=name)
        self.assertEqual([row for row in self.world.token_rows(33) if row["note"] == "fronted"], [])
        self.assertEqual({request["verdict"] for request in self.sent()}, {"good"})
        calls = self.front.await_calls(len(self.sent_mutations()), "/admins/33/apitokens")
        self.assertEqual({call.protocol for call in calls}, {"HTTP/2.0"})

    def probe(self, name: str) -> int:
        result: int = self.world.call("operator", "CredentialService/ProbeCredential", name=name).result
        return result


class SharingCase(Http2Case):
    def at_once(self, count: int) -> None:
        """So many calls that wait for their answers together."""
        before = len(self.sent())
        self.world.portal.fault("slow-head", path=self.path + "/*", seconds=3)
        calls = [self.begin("POST", f"/{number}") for number in range(count)]
        wait_for(f"{count} requests at the portal", lambda: len(self.sent()) >= before + count)
        self.assertEqual([call for call in calls if call.done()], [])
        for number, call in enumerate(calls):
            self.assertEqual(json.loads(self.world.finish(call).body)["path"], f"{self.path}/{number}")
        self.assertEqual(len(self.sent()), before + count)


class ConnectionTest(SharingCase):
    """Calls share a connection, and none is in another's way."""

    def test_calls_at_once_share_the_connection_that_is_there(self) -> None:
        self.get()
        self.at_once(60)
        self.assertEqual(len(self.connections(61)), 1)

    def test_calls_at_once_share_the_connection_that_they_wait_for(self) -> None:
        self.get()
        self.front.end()
        self.front.start()
        self.at_once(60)
        self.assertEqual(len(self.connections(60, "/")), 1)

    def test_calls_before_it_is_known_that_they_may_share_a_connection_do_so(self) -> None:
        self.assertEqual(self.world.stop(), 0)
        self.world.restart()
        self.at_once(3)  # with a key that is not proven yet no more are sent
        self.assertEqual(len(self.connections(3)), 1)

    def test_a_call_that_is_cancelled_or_late_leaves_the_connection_to_the_others(self) -> None:
        self.get()
        for method in ("GET", "POST"):
            with self.subTest(method=method):
                path = f"{self.path}/{method}"
                self.world.portal.fault("slow-head", path=f"{path}/left", seconds=60)
                self.world.portal.fault("slow-head", path=f"{path}/late", seconds=60)
                self.world.portal.fault("slow-head", path=f"{path}/other", seconds=3)
                other = self.begin(method, f"/{method}/other")
                left = self.begin(method, f"/{method}/left")
                late = self.begin(method, f"/{method}/late", timeout=1.5)
                for name in ("left", "late", "other"):
                    self.world.await_request(f"/{method}/{name}")
                left.cancel()
                with self.assertRaises(Refusal) as caught:
                    self.world.finish(late)
                self.assertEqual(caught.exception.code, "DEADLINE_EXCEEDED")
                for name in ("left", "late"):  # the portal is told that nobody waits any more
                    self.world.await_request(f"/{method}/{name}", aborted=True)
                self.assertEqual(self.world.finish(other).status, 200)
                self.assertEqual(self.get().status, 200)
        self.assertEqual(len(self.connections(1 + 2 * 4)), 1)

    def test_a_reply_that_breaks_off_ends_its_own_call_alone(self) -> None:
        self.world.portal.fault("slow-head", path=f"{self.path}/other", seconds=2)
        self.world.portal.fault("truncated-body", path=f"{self.path}/cut")
        other = self.begin(more="/other")
        self.world.await_request("/other")
        self.forward_refused("OUTCOME_UNKNOWN", "writer", "POST", f"{self.path}/cut")
        self.assertEqual(len([request for request in self.sent() if request["method"] == "POST"]), 1)
        self.assertEqual(self.world.finish(other).status, 200)
        self.assertEqual(len(self.connections(2)), 1)

    def test_large_replies_arrive_whole(self) -> None:
        for chunked in (0, 1):
            with self.subTest(chunked=chunked):
                self.world.portal.control("POST", "/reset")
                self.world.portal.fault("huge-body", mib=30, chunked=chunked)
                head, body = self.world.read_stream(self.world.stream("writer", "GET", self.path))
                self.assertEqual((head.status, len(body)), (200, 30 * MIB + len('{"filler":""}')))
                self.assertTrue(body.startswith(b'{"filler":"f') and body.endswith(b'f"}'))
                self.assertEqual(len(self.get().body), len(body))
        self.assertEqual(len(self.connections(4)), 1)

    def test_a_stream_that_was_cut_never_looks_complete(self) -> None:
        self.world.portal.fault("truncated-body")
        with self.assertRaises(Refusal) as caught:
            self.world.read_stream(self.world.stream("writer", "GET", self.path))
        self.assertIn(caught.exception.reason, ("PORTAL_UNREACHABLE", "PORTAL_ERROR"))

    def test_a_caller_that_does_not_read_keeps_nobody_on_its_connection_waiting(self) -> None:
        self.world.portal.fault("huge-body", path=f"{self.path}/idle", mib=2000)
        streams = [self.world.stream("writer", "GET", f"{self.path}/idle") for _ in range(3)]
        for stream in streams:
            next(stream)
        for _ in range(20):
            self.assertEqual(self.get().status, 200)
        for stream in streams:
            stream.cancel()
        self.assertEqual(len(self.connections(23)), 1)


class FewRequestsTest(Http2Case):
    """The front takes ten requests on a connection, and closes it."""

    LIMITS = {"requests": 10}

    def test_law6_connections_that_end_all_the_time_cost_no_call_and_repeat_none(self) -> None:
        self.world.channel("writer")  # once, not by each thread
        bodies = [json.dumps({"call": number}).encode() for number in range(200)]
        with ThreadPoolExecutor(60) as pool:
            replies = list(pool.map(lambda body: self.echo("POST", self.rest, body=body), bodies))
        wanted = [hashlib.sha256(body).hexdigest() for body in bodies]
        self.assertEqual([reply["bodySha256"] for reply in replies], wanted)
        self.assertEqual(Counter(request["bodySha256"] for request in self.sent()), Counter(wanted))
        self.assertGreaterEqual(len(self.connections(200)), 20)

    def test_calls_one_after_the_other_change_connections_unnoticed(self) -> None:
        for _ in range(35):
            self.assertEqual(self.get().attempts, 1)
        self.assertEqual(len(self.sent()), 35)
        self.assertGreaterEqual(len(self.connections(35)), 4)


class FewStreamsTest(SharingCase):
    """The front takes eight requests at once on a connection, and says so when more may have been sent already."""

    LIMITS = {"streams": 8}

    def test_law6_what_one_connection_does_not_take_goes_over_others(self) -> None:
        self.get()
        self.front.end()
        self.front.start()
        self.at_once(60)
        self.assertGreaterEqual(len(self.connections(60, "/")), 2)


class LostFrontTest(Http2Case):
    """The portal's load balancer dies."""

    def test_a_front_that_dies_is_told_as_for_any_portal_and_its_successor_is_found(self) -> None:
        self.world.portal.fault("slow-head", path=f"{self.path}/*", seconds=60)
        read, write = self.begin(more="/read"), self.begin("POST", "/write")
        for name in ("read", "write"):
            self.world.await_request("/" + name)
        self.front.end(signal.SIGKILL)
        self.refusal_of(read, "PORTAL_UNREACHABLE")
        self.refusal_of(write, "OUTCOME_UNKNOWN")
        self.assertEqual(len(self.sent_mutations()), 1)
        # What was certainly never sent is no unknown outcome.
        self.forward_refused("PORTAL_UNREACHABLE", "writer", "POST", self.path)
        self.front.start()
        wait_for("a call that works", self.works)
        self.assertEqual(self.echo("POST", self.rest)["method"], "POST")
        self.assertEqual(len(self.sent_mutations()), 2)

    def works(self) -> bool:
        """Or the circuit breaker is still open."""
        try:
            return bool(self.get().status == 200)
        except Refusal as refusal:
            self.judge(refusal, "BREAKER_OPEN")
            return False

    def test_a_front_that_was_ended_in_between_costs_no_call(self) -> None:
        for method in ("GET", "POST", "DELETE"):
            with self.subTest(method=method):
                self.get()
                self.front.end()
                self.front.start()
                self.assertEqual(self.echo(method, self.rest)["method"], method)


class Http1Test(Http2Case):
    """A portal with which HTTP/2 is not to be spoken, though it could."""

    CONFIG = {"portals": {"acme": {"http2": False}}}

    def test_http2_can_be_switched_off(self) -> None:
        for method in ("GET", "POST"):
            self.echo(method, self.rest)
        self.assertEqual({request["verdict"] for request in self.sent()}, {"good"})
        self.assertEqual({call.protocol for call in self.front.await_calls(2, self.path)}, {"HTTP/1.1"})


if __name__ == "__main__":
    unittest.main()
