"""ForwardStream: replies of any length, handed on as they come."""

import json
import unittest

from broker import wait_for
from case import ECHO, ForwardCase
from schema import Refusal

MIB = 1 << 20


class StreamTest(ForwardCase):
    def setUp(self):
        super().setUp()
        self.world.forward("writer", "GET", ECHO + "/a")  # one connection is there
        self.world.portal.control("POST", "/reset")
        self.connections_before = self.open_connections()

    def read(self, path=ECHO + "/a", method="GET", **fields):
        return self.world.read_stream(self.world.stream("writer", method, path, **fields))

    def cut(self, **fields):
        """The refusal that ends a stream behind its head."""
        with self.assertRaises(Refusal) as caught:
            self.read(**fields)
        self.assertIsNotNone(caught.exception.part[0], caught.exception)
        return caught.exception

    def await_hang_up(self):
        wait_for("the broker to hang up", lambda: self.open_connections() <= self.connections_before)

    def open_connections(self):
        return self.world.portal.control("GET", "/connections")["open"]

    def test_head_comes_first_and_the_body_is_that_of_forward(self):
        messages = list(self.world.stream("writer", "GET", ECHO + "/a", query=[{"name": "size", "value": "3"}]))
        self.assertEqual([message.WhichOneof("part") for message in messages], ["head"] + ["chunk"] * (len(messages) - 1))
        head, body = messages[0].head, b"".join(message.chunk for message in messages[1:])
        reply = self.world.forward("writer", "GET", ECHO + "/a", query=[{"name": "size", "value": "3"}])
        self.assertEqual((head.status, head.credential, head.attempts), (200, reply.credential, 1))
        self.assertEqual(self.headers(head.headers).keys(), self.headers(reply.headers).keys())
        self.assertEqual((head.body, body), (b"", reply.body))
        self.assertEqual([record["kind"] for record in self.world.pair(head.request_id)], ["intent", "outcome"])

    def test_a_reply_may_be_longer_than_forward_allows(self):
        for chunked in (0, 1):
            self.world.portal.control("POST", "/reset")
            self.world.portal.fault("huge-body", mib=30, chunked=chunked)
            _, body = self.read()
            self.assertEqual(len(body), 30 * MIB + len('{"filler":""}'))
            self.assertTrue(body.endswith(b'f"}'))

    def test_a_reply_without_a_body_has_a_head_alone(self):
        messages = list(self.world.stream("writer", "DELETE", ECHO + "/a"))
        self.assertEqual(messages[0].WhichOneof("part"), "head")

    def test_law1_a_key_that_comes_in_pieces_is_scrubbed(self):
        for pieces in (1, 7):
            with self.subTest(pieces=pieces):
                self.world.portal.control("POST", "/reset")
                self.world.portal.fault("secret-echo")
                self.world.portal.fault("slow-body", bytes=pieces, seconds=0)
                head, body = self.read()
                self.assertIn(b"****", body)
                for text in (body.decode(), str(head)):
                    self.assertNotIn(self.keys["writer"], text)
                    self.assertNotRegex(text, r"LMv1 [A-Za-z0-9]+:[A-Za-z0-9+/=]{40}")

    def test_a_compressed_reply_is_handed_on_readable(self):
        self.world.portal.fault("gzip-body")
        head, body = self.read()
        self.assertNotIn("content-encoding", self.headers(head.headers))
        self.assertEqual(json.loads(body)["path"], ECHO + "/a")

    def test_a_reply_that_was_cut_never_looks_complete(self):
        self.world.portal.fault("truncated-body")
        refusal = self.cut()
        self.assertIn(refusal.reason, ("PORTAL_UNREACHABLE", "PORTAL_ERROR"))
        self.assertEqual(self.world.outcome(id=refusal.request_id)["reason"], refusal.reason)

    def test_a_slow_reply_ends_with_the_deadline(self):
        self.world.portal.fault("slow-body", bytes=1, seconds=1)
        with self.assertRaises(Refusal) as caught:
            self.read(timeout=2)
        self.assertEqual(caught.exception.code, "DEADLINE_EXCEEDED")

    def test_a_caller_that_leaves_is_audited_so_and_ends_the_transfer(self):
        self.world.portal.fault("huge-body", mib=2000)
        stream = self.world.stream("writer", "GET", ECHO + "/leaves")
        head = next(stream).head
        stream.cancel()
        self.assertEqual(self.world.outcome(id=head.request_id)["code"], "CANCELLED")
        self.await_hang_up()

    def test_a_caller_that_does_not_read_keeps_nobody_waiting(self):
        self.world.portal.fault("huge-body", mib=2000, count=1)
        stream = self.world.stream("writer", "GET", ECHO + "/idle")
        next(stream)
        for _ in range(20):
            self.assertEqual(self.world.forward("writer", "GET", ECHO + "/other").status, 200)
        stream.cancel()
        self.await_hang_up()

    def test_a_lost_mutation_is_unknown_before_the_head_only(self):
        self.world.portal.fault("drop-after-commit")
        with self.assertRaises(Refusal) as caught:
            self.read(method="POST")
        self.assertEqual(caught.exception.reason, "OUTCOME_UNKNOWN")
        self.assertEqual(len(self.sent()), 1)

    def test_refused_as_forward_is(self):
        for reason, who, path, fields in (
            ("NO_GRANT", "stranger", ECHO + "/a", {}),
            ("NO_IDENTITY", "bare-cn", ECHO + "/a", {}),
            ("PATH_NOT_PLAIN", "writer", ECHO + "/%61", {}),
            ("SECRET_ENDPOINT", "writer", "/setting/admins/32/apitokens", {}),
            ("FIELD_INVALID", "writer", ECHO + "/a", {"query": [{"name": "v", "value": "3"}]}),
        ):
            with self.subTest(reason=reason), self.assertRaises(Refusal) as caught:
                self.world.read_stream(self.world.stream(who, "GET", path, **fields))
            self.assertEqual(caught.exception.reason, reason)
        self.assertEqual(self.sent(), [])

    def test_the_broker_ends_in_time_with_a_stream_open(self):
        self.world.portal.fault("huge-body", mib=2000)
        stream = self.world.stream("writer", "GET", ECHO + "/open")
        next(stream)
        self.world.broker.signal(15)
        wait_for("end of the broker", lambda: self.world.broker.process.poll() is not None, 60)
        self.world.disconnect()
        self.world.broker.end()
        self.world.restart()


if __name__ == "__main__":
    unittest.main()
