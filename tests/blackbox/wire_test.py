"""What gRPC lets a client do on the wire, beyond one plain message."""

import hashlib
import subprocess
import unittest

import grpc
from case import ECHO, ForwardCase
from pki import pki
from schema import refusal_of, schema
from world import PORTAL

FORWARD = "ForwardService/Forward"
MIB = 1 << 20


class WireTest(ForwardCase):
    def stub(self, kind="unary_unary", method=FORWARD):
        path, _, reply_type = schema().method(method)
        return getattr(self.world.channel("writer"), kind)(path, response_deserializer=reply_type.FromString)

    def request(self, body=b""):
        _, request_type, _ = schema().method(FORWARD)
        return request_type(portal=PORTAL, method="POST", path=ECHO + "/a", body=body).SerializeToString()

    def refusal(self, call):
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        return refusal_of(caught.exception)

    def test_compressed_messages_are_the_same_call(self):
        body = b"a body that can be made smaller, " * 1000
        for how in (grpc.Compression.Gzip, grpc.Compression.Deflate):
            with self.subTest(how=how):
                self.assertEqual(self.stub()(self.request(body), compression=how, timeout=30).status, 200)
                self.assertEqual(self.sent()[-1]["bodySha256"], hashlib.sha256(body).hexdigest())

    def test_law7_a_small_message_that_becomes_a_large_one_is_refused(self):
        bomb = self.request(b"\0" * (30 * MIB))
        refusal = self.refusal(lambda: self.stub()(bomb, compression=grpc.Compression.Gzip, timeout=60))
        self.judge(refusal, "BODY_TOO_LARGE")
        self.assertEqual(self.sent(), [])

    def test_law7_a_message_beyond_all_limits_is_refused_before_it_has_come(self):
        refusal = self.refusal(lambda: self.stub()(self.request(b"\0" * (30 * MIB)), timeout=60))
        self.judge(refusal, "BODY_TOO_LARGE")
        self.assertEqual(self.sent(), [])
        self.assertEqual(self.world.outcome(id=refusal.request_id)["reason"], "BODY_TOO_LARGE")

    def test_one_message_is_what_a_unary_method_takes(self):
        for messages in ((), (self.request(), self.request())):
            with self.subTest(messages=len(messages)):
                refusal = self.refusal(lambda m=messages: self.stub("stream_unary")(iter(m), timeout=30))
                self.judge(refusal, "FIELD_INVALID")
        self.assertEqual(self.sent(), [])

    def test_a_method_that_does_not_exist_is_unimplemented(self):
        for path in ("/lmbroker.v1.ForwardService/Backward", "/lmbroker.v2.ForwardService/Forward", "/", "/x"):
            with self.subTest(path=path):
                stub = self.world.channel("writer").unary_unary(path)
                self.assertEqual(self.refusal(lambda s=stub: s(b"", timeout=30)).code, "UNIMPLEMENTED")

    def test_law7_metadata_has_a_limit_and_harms_nobody_below_it(self):
        few = [("x-note", "n" * 1000)] * 8
        self.assertEqual(self.stub()(self.request(), metadata=few, timeout=30).status, 200)
        refusal = self.refusal(lambda: self.stub()(self.request(), metadata=few * 4, timeout=30))
        self.assertEqual(refusal.code, "RESOURCE_EXHAUSTED")
        self.assertEqual(self.stub()(self.request(), timeout=30).status, 200)


class NotGrpcTest(ForwardCase):
    """HTTP/2 that is not gRPC, by a client that knows HTTP/2 only."""

    def status_of(self, *arguments):
        certificate, key = pki().pair("writer")
        done = subprocess.run(
            ["curl", "--silent", "--http2", "--max-time", "30", "--output", "/dev/null", "--write-out", "%{http_code}",
             "--cacert", pki().ca, "--cert", certificate, "--key", key, *arguments,
             f"https://{self.world.broker.address}/lmbroker.v1.ForwardService/Forward"],
            check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return done.stdout

    def test_what_is_not_grpc_is_told_so_in_http(self):
        self.assertEqual(self.status_of(), "405")
        for kind in ("application/json", "application/grpc-web", "application/grpcx", ""):
            with self.subTest(kind=kind):
                self.assertEqual(self.status_of("--data", "{}", "--header", f"content-type: {kind}"), "415")
        self.assertEqual(self.status_of("--data", "", "--header", "content-type: application/grpc+proto"), "200")
        self.assertEqual(self.sent(), [])


if __name__ == "__main__":
    unittest.main()
