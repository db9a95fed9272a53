"""Reads that share one call to the portal: for whom, for how long, and what ends it."""

from __future__ import annotations

import signal
import unittest
import urllib.request
from typing import Any

from broker import wait_for
from case import ECHO, BrokerTest
from schema import Refusal
from world import PORTAL

_POLLERS = 25
_POLLS = 4  # of each at a time
_ROUNDS = 6
_READS = '{ portal: acme, credential: reader, methods: [GET], paths: ["/device/**"], share: 60s }'
_POLICY = f"""
callers:
  # One service on many machines.
  - name: pollers
    identities: [{", ".join(f'"dns:poller{number}.corp.example"' for number in range(_POLLERS))}]
    forward: [{_READS}]
  # May read the same with the same credential, by a rule of its own.
  - name: neighbour
    identities: ["dns:neighbour.corp.example"]
    forward: [{_READS}]
  - name: limited
    identities: ["dns:limited.corp.example"]
    forward: [{_READS}]
    budget: {{ max_per_minute: 2 }}
  # Reads with either of two credentials, and writes.
  - name: writer
    identities: ["dns:writer.corp.example"]
    forward:
      - portal: acme
        credential: writer
        methods: [GET, POST, DELETE]
        paths: ["/device/**", "/setting/**"]
        share: 60s
      - {{ portal: acme, credential: reader, methods: [GET], paths: ["/device/**"], share: 60s }}
  # Does not share.
  - name: alone
    identities: ["dns:alone.corp.example"]
    forward:
      - {{ portal: acme, credential: reader, methods: [GET], paths: ["/device/**"] }}
  - name: hasty
    identities: ["dns:hasty.corp.example"]
    forward:
      - {{ portal: acme, credential: reader, methods: [GET], paths: ["/device/**"], share: 1s }}
  - name: operators
    identities: ["dns:ops.corp.example"]
    operator: true
"""


class SharedReadsTest(BrokerTest):
    """Each test reads a path of its own, for what is kept outlives a test."""

    POLICY = _POLICY

    @classmethod
    def prepare(cls) -> None:
        cls.world.credential("reader", 34)
        cls.world.credential("writer", 32)

    def get(self, path: str, who: str = "poller0", **fields: Any) -> Any:
        return self.world.forward(who, "GET", ECHO + path, **fields)

    def begin(self, path: str, who: str = "poller0", **fields: Any) -> Any:
        return self.world.begin(
            who, "ForwardService/Forward", portal=PORTAL, method="GET", path=ECHO + path, **fields
        )  # fmt: skip

    def await_joined(self, before: float, count: int) -> None:
        """Returns when so many reads more have joined a call."""
        wait_for(f"{count} reads to join", lambda: self.joined() >= before + count)

    def joined(self) -> float:
        """How many reads have joined a call so far."""
        with urllib.request.urlopen(f"http://{self.world.broker.ops_address}/metrics", timeout=30) as reply:
            lines = reply.read().decode().splitlines()
        name = 'lmbroker_shared_reads_total{from="in_flight",portal="acme"} '
        return next(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    def test_a_kept_reply_says_its_age_and_sends_nothing(self) -> None:
        first = self.get("/kept")
        second = self.get("/kept", who="poller1")
        self.assertFalse(first.HasField("age"))
        self.assertEqual((first.status, first.attempts), (200, 1))
        self.assertTrue(second.HasField("age"))
        self.assertEqual((second.status, second.body, second.attempts), (200, first.body, 0))
        self.assertEqual(second.credential, f"{PORTAL}/credentials/reader")
        self.assertNotEqual(first.request_id, second.request_id)
        self.assertEqual(len(self.sent()), 1)
        intent, outcome = self.world.pair(second.request_id)
        self.assertEqual((intent["kind"], intent["decision"]), ("intent", "allowed"))
        self.assertEqual(outcome["identity"], "dns:poller1.corp.example")
        self.assertEqual((outcome["attempts"], outcome["http_status"]), (0, 200))

    def test_a_reply_is_kept_no_longer_than_the_grant_says(self) -> None:
        self.get("/short", who="hasty")
        wait_for("the reply to be too old", lambda: not self.get("/short", who="hasty").HasField("age"))
        self.assertEqual(len(self.sent()), 2)

    def test_reads_in_flight_share_a_call_and_a_cancelled_one_fails_no_other(self) -> None:
        self.world.portal.fault("slow-head", path=ECHO + "/joined", seconds=2)
        before = self.joined()
        first = self.begin("/joined")
        self.world.await_request("/joined")
        others = [self.begin("/joined", who=f"poller{number}") for number in range(5)]
        self.await_joined(before, 5)
        first.cancel()
        for other in others:
            reply = self.world.finish(other)
            self.assertEqual((reply.status, reply.attempts, reply.HasField("age")), (200, 1, True))
        self.assertEqual([request["aborted"] for request in self.sent()], [False])

    def test_a_deadline_ends_the_wait_of_its_own_caller_alone(self) -> None:
        self.world.portal.fault("slow-head", path=ECHO + "/deadline", seconds=3)
        before = self.joined()
        first = self.begin("/deadline", timeout=1.0)
        self.world.await_request("/deadline")
        second = self.begin("/deadline", who="poller1")
        self.await_joined(before, 1)
        with self.assertRaises(Refusal):
            self.world.finish(first)
        self.assertEqual(self.world.finish(second).status, 200)
        self.assertEqual(len(self.sent()), 1)

    def test_when_all_have_left_the_transfer_ends(self) -> None:
        self.world.portal.fault("slow-head", path=ECHO + "/left", seconds=30)
        before = self.joined()
        calls = [self.begin("/left")]
        self.world.await_request("/left")
        calls.append(self.begin("/left"))
        self.await_joined(before, 1)
        for call in calls:
            call.cancel()
        self.world.await_request("/left", aborted=True)

    def test_a_fresh_reply_comes_from_the_portal_and_is_kept(self) -> None:
        self.get("/fresh")
        fresh = self.get("/fresh", fresh=True)
        self.assertFalse(fresh.HasField("age"))
        self.assertEqual(len(self.sent()), 2)
        self.assertTrue(self.get("/fresh").HasField("age"))
        self.assertEqual(len(self.sent()), 2)

    def test_nothing_is_shared_across_rules_credentials_or_requests(self) -> None:
        reader = f"{PORTAL}/credentials/reader"
        reads: list[dict[str, Any]] = [
            {},
            {"who": "neighbour"},
            {"who": "writer", "credential": reader},
            {"who": "writer", "credential": f"{PORTAL}/credentials/writer"},
            {"who": "alone"},
            {"query": [{"name": "size", "value": "1"}]},
            {"query": [{"name": "size", "value": "2"}]},
            {"api_version": 2},
            {"headers": [{"name": "Accept-Language", "value": "de"}]},
        ]
        for fields in reads:
            self.assertFalse(self.get("/apart", **fields).HasField("age"), fields)
        self.assertEqual(len(self.sent()), len(reads))
        for fields in reads:
            self.assertEqual(self.get("/apart", **fields).HasField("age"), fields != {"who": "alone"}, fields)
        traced = [{"name": "X-Request-Id", "value": "seven"}]
        self.assertTrue(self.get("/apart", headers=traced).HasField("age"))

    def test_our_own_writes_drop_what_is_kept_under_their_path(self) -> None:
        paths = ("/w", "/w/x", "/w/x/y", "/v")
        for path in paths:
            self.get(path)
        self.world.forward("writer", "POST", ECHO + "/w/x", body=b"{}")
        self.assertEqual([self.get(path).HasField("age") for path in paths], [False, False, False, True])
        self.world.read_stream(self.world.stream("writer", "DELETE", ECHO + "/w"))
        self.assertEqual([self.get(path).HasField("age") for path in paths], [False, False, False, True])

    def test_the_brokers_own_writes_drop_what_is_kept(self) -> None:
        def age() -> bool:
            reply = self.world.forward(
                "writer", "GET", "/setting/admins/33", credential=f"{PORTAL}/credentials/writer"
            )  # fmt: skip
            return reply.HasField("age")

        token = self.world.portal.new_token(33)
        self.assertEqual([age(), age()], [False, True])
        name = f"{PORTAL}/admins/33/tokens/{token['id']}"
        self.world.call("operator", "TokenService/UpdateToken", token={"name": name, "note": "changed"})
        self.assertEqual([age(), age()], [False, True])

    def test_a_read_that_a_write_overtakes_is_not_kept(self) -> None:
        self.world.portal.fault("slow-head", path=ECHO + "/overtaken", method="GET", seconds=2, count=1)
        slow = self.begin("/overtaken")
        self.world.await_request("/overtaken")
        self.world.forward("writer", "POST", ECHO + "/overtaken", body=b"{}")
        after = self.get("/overtaken")
        self.assertFalse(after.HasField("age"))
        self.assertFalse(self.world.finish(slow).HasField("age"))
        kept = self.get("/overtaken")
        self.assertTrue(kept.HasField("age"))
        self.assertEqual(len(self.sent()), 3)

    def test_an_error_of_the_portal_is_not_kept(self) -> None:
        self.world.portal.fault("status", path=ECHO + "/error", status=404, count=1)
        self.assertEqual(self.get("/error").status, 404)
        self.assertEqual(self.get("/error").status, 200)
        self.assertEqual(len(self.sent()), 2)

    def test_served_calls_count_for_their_callers_limit(self) -> None:
        self.get("/limit", who="limited")
        self.assertTrue(self.get("/limit", who="limited").HasField("age"))
        self.forward_refused("CALLER_LIMIT", "limited", "GET", ECHO + "/limit")

    def test_a_new_policy_serves_nothing_of_the_old_one(self) -> None:
        self.get("/policy")
        self.assertTrue(self.get("/policy").HasField("age"))
        self.world.broker.policy_file.write_text(_POLICY + "# another one\n", "utf-8")
        self.world.broker.signal(signal.SIGHUP)
        wait_for("the policy to change", lambda: not self.get("/policy").HasField("age"))
        self.assertEqual(len(self.sent()), 2)


class PollingTest(BrokerTest):
    """A hundred callers at a time poll one list, at LogicMonitor's limit of 500 calls a minute."""

    POLICY = _POLICY
    PORTAL = ("--rate-limit", "GET /device/devices=500")

    @classmethod
    def prepare(cls) -> None:
        cls.world.credential("reader", 34)

    def test_all_are_served_with_a_twentieth_of_the_portals_calls(self) -> None:
        replies = []
        for _ in range(_ROUNDS):
            calls = [
                self.world.begin(
                    f"poller{number}", "ForwardService/Forward",
                    portal=PORTAL, method="GET", path="/device/devices", query=[{"name": "size", "value": "50"}],
                )
                for _ in range(_POLLS)
                for number in range(_POLLERS)
            ]  # fmt: skip
            replies += [self.world.finish(call) for call in calls]
        self.assertEqual({reply.status for reply in replies}, {200})
        self.assertEqual(len({reply.body for reply in replies}), 1)
        self.assertEqual(len({reply.request_id for reply in replies}), len(replies))
        self.assertGreater(len(replies), 500)
        self.assertLessEqual(20 * len(self.sent()), len(replies))


if __name__ == "__main__":
    unittest.main()
