"""Law 3 through the whole broker: random calls, each compared with what the portal has received.

tests/property sends a hundred times as many through the code between policy and socket alone."""

import hashlib
import random
import sys
import unittest

from case import BrokerTest
from pki import ROOT
from world import PORTAL

sys.path.append(str(ROOT / "tests/property"))
import reference  # noqa: E402
from random_calls import RandomCalls  # noqa: E402
from wire_probe import SEED  # noqa: E402

CALLS = 1500
AT_ONCE = 16
WHO = {"LMv1": "writer", "Bearer": "bearer"}
BASES = {"management": "/santaba/rest", "ingest": "/rest"}

EVERYTHING = """
callers:
  - name: {name}
    identities: ["dns:{name}.corp.example"]
    forward:
      - {{ portal: acme, credential: {name}, methods: [GET, POST, PUT, PATCH, DELETE], paths: ["/**"] }}
      - {{ portal: acme, credential: {name}, api: ingest, methods: [GET, POST, PUT, PATCH, DELETE], paths: ["/**"] }}
"""


class RandomCallsTest(BrokerTest):
    POLICY = "callers:" + "".join(
        EVERYTHING.format(name=name).partition("callers:")[2] for name in WHO.values()
    ) + '  - { name: operators, identities: ["dns:ops.corp.example"], operator: true }\n'  # fmt: skip

    @classmethod
    def prepare(cls):
        cls.world.credential("writer", 32)
        cls.world.credential("bearer", 32, "BEARER")

    def test_law3_what_the_portal_receives_is_what_was_asked_for_and_signed(self):
        # Whatever version a call asks for.
        self.world.portal.control("PATCH", "/knobs", {"bearer_any_version": True})
        drawn = RandomCalls(random.Random(SEED))
        calls = {}  # by the id under which the portal has seen each
        for _ in range(0, CALLS, AT_ONCE):
            batch = [drawn.draw() for _ in range(AT_ONCE)]
            for call in batch:
                call.headers = [pair for pair in call.headers if pair[0].lower() != b"x-request-id"]
            for call, future in [(call, self.begin(call)) for call in batch]:
                calls[self.world.finish(future).request_id] = call
        received = {dict(request["headers"])["X-Request-Id"]: request for request in self.sent()}
        self.assertEqual(len(received), len(self.sent()))
        self.assertEqual(received.keys(), calls.keys())
        for request_id, call in calls.items():
            self.compare(received[request_id], call)

    def begin(self, call):
        return self.world.begin(
            WHO[call.scheme], "ForwardService/Forward", portal=PORTAL, api=call.api.upper(), method=call.method,
            path=call.path.decode(), api_version=call.version, query=as_messages(call.query),
            headers=as_messages(call.headers), body=call.body,
        )  # fmt: skip

    def compare(self, received, call):
        query = reference.wire_query(call.query)
        target = BASES[call.api] + reference.wire_path(call.path) + ("?" if query else "") + query
        headers = {name.lower(): value for name, value in received["headers"]}
        self.assertEqual(received["verdict"], "good", call)
        self.assertEqual((received["method"], received["target"]), (call.method, target))
        self.assertEqual(received["bodySha256"], hashlib.sha256(call.body).hexdigest(), call)
        for name, value in call.headers:
            self.assertEqual(headers[name.decode().lower()], value.decode(), call)


def as_messages(pairs):
    return [{"name": name.decode(), "value": value.decode()} for name, value in pairs]


if __name__ == "__main__":
    unittest.main()
