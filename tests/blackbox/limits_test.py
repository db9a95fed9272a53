"""Law 7: connections, calls and the memory of bodies have limits, a flood is refused at once, and nothing is lost."""

import socket
import ssl
import time
import unittest
import urllib.request
from collections import Counter

import grpc
from broker import wait_for
from case import ECHO, ForwardCase
from pki import pki
from schema import Refusal, schema

MIB = 1 << 20


class LimitsCase(ForwardCase):
    def metric(self, name):
        with urllib.request.urlopen(f"http://{self.world.broker.ops_address}/metrics", timeout=30) as reply:
            lines = reply.read().decode().splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} "))

    def outcome(self, future):
        """OK, or the refusal."""
        try:
            self.assertEqual(self.world.finish(future).status, 200)
        except Refusal as refusal:
            return refusal
        return "OK"

    def begin(self, method, path, **fields):
        return self.world.begin(
            "writer", "ForwardService/Forward", portal="portals/acme", method=method, path=ECHO + path, **fields
        )


class FloodTest(LimitsCase):
    CONFIG = {"listen": {"limits": {"in_flight": 8}}}

    def test_law7_a_flood_of_ten_times_the_limit_is_refused_at_once_and_nothing_is_lost(self):
        self.world.portal.fault("slow-head", seconds=3)
        start = time.monotonic()
        flood = [self.begin("GET", f"/flood{number}") for number in range(80)]
        outcomes = [(self.outcome(each), time.monotonic() - start) for each in flood]
        refused = [refusal for refusal, _ in outcomes if refusal != "OK"]
        self.assertEqual(len(refused), 72)
        for refusal in refused:
            self.judge(refusal, "QUEUE_FULL")
            self.assertGreater(refusal.retry_after, 0)
            self.assertLess(refusal.retry_after, 1)
        # Every call that was not refused was sent, once, and answered; and no other.
        self.assertEqual(len(self.sent()), 8)
        self.assertEqual(len({request["path"] for request in self.sent()}), 8)

    def test_law7_those_refused_do_not_wait_for_those_that_are_served(self):
        self.world.portal.fault("slow-head", seconds=3)
        order = []
        flood = [self.begin("GET", f"/order{number}") for number in range(80)]
        for each in flood:
            each.add_done_callback(order.append)
        wait_for("80 outcomes", lambda: len(order) == 80)
        codes = [each.code().name for each in order]
        self.assertEqual(codes, ["RESOURCE_EXHAUSTED"] * 72 + ["OK"] * 8)

    def test_after_a_flood_the_places_are_free(self):
        for _ in range(3):
            outcomes = Counter(str(self.outcome(each) == "OK") for each in [self.begin("GET", "/a") for _ in range(40)])
            self.assertGreaterEqual(outcomes["True"], 8)
        for _ in range(20):
            self.assertEqual(self.world.forward("writer", "GET", ECHO + "/a").status, 200)


class MemoryTest(LimitsCase):
    # The least that there may be.
    CONFIG = {"listen": {"limits": {"request_body": "4MiB", "reply_body": "8MiB", "memory": "16MiB"}}}

    def setUp(self):
        super().setUp()
        wait_for("end of what another test holds", lambda: self.held() == 0)

    def held(self):
        return self.metric("lmbroker_body_bytes")

    def fill(self, seconds=6):
        """15 MiB of requests in flight."""
        self.assertEqual(self.world.forward("writer", "GET", ECHO + "/first").status, 200)  # the portal takes the key
        self.world.portal.control("POST", "/reset")
        self.world.portal.fault("slow-head", seconds=seconds, path="*/held*")
        calls = []
        while len(calls) < 5:
            call = self.begin("POST", f"/held{len(calls)}", body=b"x" * (3 * MIB))
            wait_for("the held request", lambda: call.done() or len(self.sent()) > len(calls))  # noqa: B023
            if call.done():
                self.judge(self.outcome(call), "AUDIT_UNAVAILABLE")  # the disk of a busy machine
            else:
                calls.append(call)
        return calls

    def test_law7_a_request_without_room_is_refused_and_small_ones_are_served(self):
        calls = self.fill()
        self.assertGreater(self.held(), 15 * MIB)
        refusal = self.forward_refused("QUEUE_FULL", "writer", "POST", ECHO + "/more", body=b"x" * (3 * MIB))
        self.assertEqual(refusal.metadata["limit"], "memory")
        self.assertGreater(refusal.retry_after, 0)
        self.assertEqual(self.world.forward("writer", "GET", ECHO + "/small").status, 200)
        for each in calls:
            self.assertEqual(self.outcome(each), "OK")
        self.assertEqual(self.world.forward("writer", "POST", ECHO + "/again", body=b"x" * (3 * MIB)).status, 200)
        wait_for("the memory", lambda: self.held() == 0)

    def test_a_reply_without_room_is_refused_or_of_unknown_outcome(self):
        calls = self.fill()
        self.world.portal.fault("huge-body", mib=4, path="*/large*")
        self.forward_refused("QUEUE_FULL", "writer", "GET", ECHO + "/large")
        refusal = self.forward_refused("OUTCOME_UNKNOWN", "writer", "POST", ECHO + "/large")
        self.assertEqual(refusal.metadata["cause"], "QUEUE_FULL")
        self.assertEqual(len([each for each in self.sent() if each["path"].endswith("/large")]), 2)  # and not repeated
        for each in calls:
            self.assertEqual(self.outcome(each), "OK")
        self.assertEqual(len(self.world.forward("writer", "GET", ECHO + "/large").body), 4 * MIB + 13)
        status = self.world.call("operator", "OperatorService/GetStatus")
        self.assertTrue(next(each for each in status.portals if each.portal == "portals/acme").reachable)

    def test_a_compressed_reply_takes_the_room_of_what_it_becomes(self):
        calls = self.fill()
        self.world.portal.fault("gzip-body", mib=4, path="*/packed*")
        self.forward_refused("QUEUE_FULL", "writer", "GET", ECHO + "/packed")
        for each in calls:
            self.assertEqual(self.outcome(each), "OK")
        self.assertEqual(len(self.world.forward("writer", "GET", ECHO + "/packed").body), 4 * MIB + 13)

    def test_law7_a_flood_of_large_replies_stays_within_the_limit(self):
        self.world.portal.fault("huge-body", mib=3)
        flood = [self.begin("GET", f"/flood{number}") for number in range(40)]
        most = 0
        while not all(each.done() for each in flood):
            most = max(most, self.held())
        outcomes = [self.outcome(each) for each in flood]
        for each in outcomes:
            if each != "OK":
                self.judge(each, "QUEUE_FULL")
        self.assertGreaterEqual(outcomes.count("OK"), 4)
        self.assertLessEqual(most, 16 * MIB)
        wait_for("the memory", lambda: self.held() == 0)

    def test_a_stream_takes_a_fixed_part(self):
        self.world.portal.fault("huge-body", mib=2000)
        streams = []
        for number in range(5):
            streams.append(self.world.stream("writer", "GET", f"{ECHO}/stream{number}"))
            next(streams[-1])
        with self.assertRaises(Refusal) as caught:
            self.world.read_stream(self.world.stream("writer", "GET", ECHO + "/one-more"))
        self.judge(caught.exception, "QUEUE_FULL")
        for stream in streams:
            stream.cancel()
        wait_for("the memory", lambda: self.held() == 0)


    def test_a_caller_that_does_not_read_keeps_the_memory_no_longer_than_its_deadline(self):
        self.world.portal.fault("huge-body", mib=7)
        for _ in range(2):
            self.addCleanup(self.ask_and_do_not_read("/unread").close)
        wait_for("the replies", lambda: len(self.sent()) == 2 and self.held() > 14 * MIB)
        self.forward_refused("QUEUE_FULL", "writer", "GET", ECHO + "/read")
        wait_for("the memory", lambda: self.held() == 0, 60)  # half a minute is what a call gets that says no deadline
        self.assertEqual(len(self.world.forward("writer", "GET", ECHO + "/read").body), 7 * MIB + 13)

    def ask_and_do_not_read(self, path):
        """A Forward in bare HTTP/2, whose answer gets no more than the window that every stream begins with."""
        wire, request_type, _ = schema().method("ForwardService/Forward")
        message = request_type(portal="portals/acme", method="GET", path=ECHO + path).SerializeToString()
        headers = {":method": "POST", ":scheme": "https", ":path": wire, ":authority": "localhost", "te": "trailers"}
        headers |= {"content-type": "application/grpc"}
        fields = b"".join(
            b"\x10%c%b%c%b" % (len(name), name.encode(), len(value), value.encode()) for name, value in headers.items()
        )

        def frame(kind, flags, stream, payload=b""):
            return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload

        context = ssl.create_default_context(cafile=pki().ca)
        certificate, key = pki().pair("writer")
        context.load_cert_chain(certificate, key)
        context.set_alpn_protocols(["h2"])
        host, _, port = self.world.broker.address.rpartition(":")
        connection = context.wrap_socket(socket.create_connection((host, int(port)), timeout=30), server_hostname=host)
        connection.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + frame(4, 0, 0)
            + frame(1, 4, 1, fields)
            + frame(0, 1, 1, b"\0" + len(message).to_bytes(4, "big") + message)
        )
        return connection


class BombTest(LimitsCase):
    """200 MiB that come as 200 KiB."""

    def test_law7_a_gzip_bomb_is_refused(self):
        self.world.portal.fault("gzip-body", mib=200)
        self.forward_refused("REPLY_TOO_LARGE", "writer", "GET", ECHO + "/bomb")
        self.assertEqual(len(self.sent()), 1)

    def test_law7_a_stream_that_is_a_bomb_is_cut(self):
        self.world.portal.fault("gzip-body", mib=200)
        with self.assertRaises(Refusal) as caught:
            self.world.read_stream(self.world.stream("writer", "GET", ECHO + "/bomb"))
        refusal = self.judge(caught.exception, "REPLY_TOO_LARGE")
        self.assertLess(len(refusal.part[1]), 70 * MIB)
        self.assertEqual(self.world.outcome(id=refusal.request_id)["reason"], "REPLY_TOO_LARGE")

    def test_a_compressed_stream_may_be_longer_than_forward_allows(self):
        self.world.portal.fault("gzip-body", mib=40)
        _, body = self.world.read_stream(self.world.stream("writer", "GET", ECHO + "/long"))
        self.assertEqual(len(body), 40 * MIB + 13)


class ConnectionsTest(LimitsCase):
    CONFIG = {"listen": {"limits": {"connections": 4}}}

    def connect(self):
        host, _, port = self.world.broker.address.rpartition(":")
        connection = socket.create_connection((host, int(port)), timeout=30)
        self.addCleanup(connection.close)
        return connection

    def fill(self):
        """As many connections as there may be; those of callers are there already."""
        self.assertEqual(self.world.forward("writer", "GET", ECHO + "/a").status, 200)
        strangers = []
        while (open_now := self.metric("lmbroker_connections")) < 4:
            strangers.append(self.connect())
            wait_for("the stranger", lambda before=open_now: self.metric("lmbroker_connections") > before)
        return strangers

    def is_closed(self, connection):
        """At once: a connection that is left open would have to say something first."""
        connection.settimeout(5)
        try:
            return connection.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def test_law7_a_connection_beyond_the_limit_is_closed_at_once_and_the_others_serve(self):
        strangers = self.fill()
        self.assertTrue(strangers)
        refused = self.metric("lmbroker_connections_refused_total")
        for _ in range(20):
            self.assertTrue(self.is_closed(self.connect()))
        self.assertEqual(self.metric("lmbroker_connections"), 4)
        self.assertEqual(self.metric("lmbroker_connections_refused_total"), refused + 20)
        self.assertEqual(self.world.forward("writer", "GET", ECHO + "/a").status, 200)
        self.assertIn("connections_refused", self.world.broker.log)
        for each in strangers:
            each.close()
        wait_for("the end of the strangers", lambda: self.metric("lmbroker_connections") <= 4 - len(strangers))

    def test_a_connection_that_ended_makes_room_for_a_caller(self):
        strangers = self.fill()
        with self.assertRaises(Refusal) as caught:
            self.world.forward("reader", "GET", ECHO + "/a", timeout=2)
        self.assertIn(caught.exception.code, ("UNAVAILABLE", "DEADLINE_EXCEEDED"))
        self.assertEqual(caught.exception.reason, "")
        for each in strangers:
            each.close()
        wait_for("the end of the strangers", lambda: self.metric("lmbroker_connections") < 4)
        self.world.disconnect()
        self.assertEqual(self.world.forward("writer", "GET", ECHO + "/a").status, 200)


class UnendingTest(LimitsCase):
    """Calls that never end: watches of the health service, as many as one connection may have."""

    CONFIG = {"listen": {"limits": {"in_flight": 8, "connections": 8}}}  # 24 calls at a time, of whatever kind

    def watch(self, who):
        path, request_type, reply_type = schema().method("grpc.health.v1.Health/Watch")
        stub = self.world.channel(who).unary_stream(path, response_deserializer=reply_type.FromString)
        call = stub(request_type().SerializeToString())
        self.addCleanup(call.cancel)
        return call

    def test_law7_one_that_asks_without_end_keeps_nobody_out(self):
        self.assertEqual(self.world.forward("writer", "GET", ECHO + "/a").status, 200)
        outcomes = Counter()
        for call in [self.watch("stranger") for _ in range(40)]:
            try:
                next(call)
                outcomes["OK"] += 1
            except grpc.RpcError as refused:
                outcomes[refused.code().name] += 1
        self.assertEqual(set(outcomes), {"OK", "RESOURCE_EXHAUSTED"})
        self.assertGreaterEqual(outcomes["OK"], 12)
        self.assertLessEqual(outcomes["OK"], 24)
        self.assertEqual(self.world.forward("writer", "GET", ECHO + "/a").status, 200)
        self.world.call("operator", "OperatorService/GetStatus")  # on a new connection


if __name__ == "__main__":
    unittest.main()
