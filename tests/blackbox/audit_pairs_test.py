"""Every RPC × {ok, refused, invalid, deadline, cancelled, killed}: exactly one intent and one outcome, whatever happens.

The methods are those of the method table: a new one without a case here fails.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc

from broker import run_tool, wait_for
from case import ECHO, ForwardCase
from schema import ROOT, refusal_of, schema
from world import PORTAL, World

READER = f"{PORTAL}/admins/33"
WRITER = f"{PORTAL}/credentials/writer"
_FORWARD = {"method": "GET", "path": "/device/devices/7"}
_NUMBERS = itertools.count(1)


@dataclass
class Case:
    """How a method is called so that it works, and so that it cannot."""

    fields: Callable[[World], dict[str, Any]]
    invalid: dict[str, Any] | None  # None: any message of the method is valid
    waits: bool = False  # for the portal: so it can be held up
    who: str = "operator"
    undo: str = ""  # a method that takes back what it did to the broker


def _token(world: World) -> dict[str, Any]:
    return {"name": f"{READER}/tokens/{world.portal.new_token(33, 'LMV1')['id']}"}


def _leased_token(world: World) -> dict[str, Any]:
    created = world.call("operator", "TokenService/CreateToken", parent=READER, ttl={"seconds": 3600})
    return {"name": created.token.name}


def _forward(_: World) -> dict[str, Any]:
    return {"portal": PORTAL, "method": "POST", "path": f"{ECHO}/{next(_NUMBERS)}"}


def _new_credential(world: World) -> dict[str, Any]:
    token = world.portal.new_token(33, "LMV1")
    return {
        "parent": PORTAL, "credential_id": f"spare-{next(_NUMBERS)}", "type": "LMV1", "access_id": token["accessId"],
        "secret": token["accessKey"],
    }  # fmt: skip


def _spare_credential(world: World) -> dict[str, Any]:
    fields = _new_credential(world)
    world.call("operator", "CredentialService/ImportCredential", **fields)
    return {"name": f"{PORTAL}/credentials/{fields['credential_id']}"}


def _kept_token(world: World) -> dict[str, Any]:
    """One whose secret is in the broker."""
    return {"name": world.call("operator", "TokenService/CreateToken", parent=READER).token.name}


def _kept_credential(world: World) -> dict[str, Any]:
    return {"name": world.call("operator", "TokenService/CreateToken", parent=READER).token.credential}


_BAD_FORWARD = {"portal": PORTAL, "method": "GET", "path": "/device/.."}
CASES = {
    "ForwardService/Forward": Case(_forward, _BAD_FORWARD, True, "writer"),
    "ForwardService/ForwardStream": Case(_forward, _BAD_FORWARD, True, "writer"),
    "TokenService/CreateToken": Case(lambda _: {"parent": READER}, {"parent": "x"}, True),
    "TokenService/GetToken": Case(_token, {"name": "x"}, True),
    "TokenService/ListTokens": Case(lambda _: {"parent": READER}, {"parent": "x"}, True),
    "TokenService/UpdateToken": Case(
        lambda world: {"token": _token(world) | {"note": "a"}}, {"token": {"name": "x"}}, True
    ),
    "TokenService/ToggleToken": Case(
        lambda world: _token(world) | {"status": "DISABLED"}, {"name": "x", "status": "DISABLED"}, True
    ),
    "TokenService/RotateToken": Case(_kept_token, {"name": "x"}, True),
    "TokenService/DeleteToken": Case(_token, {"name": "x"}, True),
    "CredentialService/ImportCredential": Case(_new_credential, {"parent": "x"}),
    "CredentialService/GetCredential": Case(lambda _: {"name": WRITER}, {"name": "x"}),
    "CredentialService/ListCredentials": Case(lambda _: {"parent": PORTAL}, {"parent": "x"}),
    "CredentialService/ToggleCredential": Case(
        lambda _: {"name": WRITER, "status": "ENABLED"}, {"name": "x", "status": "ENABLED"}
    ),
    "CredentialService/RotateCredential": Case(_kept_credential, {"name": "x"}, True),
    "CredentialService/DeleteCredential": Case(_spare_credential, {"name": "x"}),
    "CredentialService/ProbeCredential": Case(lambda _: {"name": WRITER}, {"name": "x"}, True),
    "PolicyService/ExplainAccess": Case(
        lambda _: {"caller": "inventory", "token": {"verb": "list", "parent": PORTAL}}, {"caller": "inventory"}
    ),
    "PolicyService/ExplainSignature": Case(lambda _: {"forward": _FORWARD | {"portal": PORTAL}}, {}, who="inventory"),
    "PolicyService/DiffPolicy": Case(lambda _: {"policy_yaml": "callers: []"}, {"policy_yaml": "callers: 7"}),
    "PolicyService/ListGrants": Case(lambda _: {"caller": "inventory"}, {}),
    "OperatorService/GetStatus": Case(lambda _: {}, None),
    "OperatorService/Seal": Case(lambda _: {}, None, undo="OperatorService/Unseal"),
    "OperatorService/Unseal": Case(lambda _: {}, None),
    "OperatorService/ListLeases": Case(lambda _: {"portal": PORTAL}, {"portal": "x"}),
    "OperatorService/RevokeLease": Case(_leased_token, {"name": "x"}, True),
}
_OURS = "lmbroker.v1."


class Stream:
    """A call that is answered in pieces, in the shape of one that is not."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.cancel = call.cancel

    def result(self) -> list[Any]:
        """All pieces."""
        return list(self._call)


def methods() -> list[str]:
    """Those that are served, as `TokenService/GetToken`: the rows of the method table, each of which is in the protoset."""
    table = (ROOT / "service/rpc/method_table.cc").read_text("utf-8")
    rows = re.findall(r'"/lmbroker\.v1\.(\w+/\w+)"', table)
    assert {_OURS + row for row in rows} <= set(schema().methods()), rows
    return rows


class PairsTest(ForwardCase):
    def setUp(self) -> None:
        super().setUp()
        self.set_mark()

    def set_mark(self) -> None:
        """What is looked at comes after this: when every call so far has its outcome in the file."""

        def settled() -> int:
            records = self.world.broker.audit()
            ids = {kind: {r["id"] for r in records if r["kind"] == kind} for kind in ("intent", "outcome")}
            return records[-1]["seq"] if ids["intent"] <= ids["outcome"] else 0

        self.mark = wait_for("outcomes of all calls", settled, 60)

    def begin(self, who: str, method: str, fields: dict[str, Any], timeout: float = 60.0) -> Any:
        """The call as an object of gRPC, whether it streams or not."""
        if method.endswith("Stream"):
            path, request_type, reply_type = schema().method(method)
            stub = self.world.channel(who).unary_stream(path, response_deserializer=reply_type.FromString)
            return Stream(stub(request_type(**fields).SerializeToString(), timeout=timeout))
        return self.world.begin(who, method, timeout=timeout, **fields)

    @staticmethod
    def code_of(call: Any) -> str:
        """How the call ended."""
        try:
            call.result()
        except grpc.RpcError as error:
            return refusal_of(error).code
        except grpc.FutureCancelledError:
            return "CANCELLED"
        return "OK"

    def call(self, who: str, method: str, fields: dict[str, Any], timeout: float = 60.0) -> str:
        """Calls; how it ended."""
        return self.code_of(self.begin(who, method, fields, timeout))

    def calls_since(self, method: str = "") -> dict[str, list[dict[str, Any]]]:
        """The records behind the mark by the ids of their calls; without what the broker does by itself."""
        calls: dict[str, list[dict[str, Any]]] = {}
        for record in self.world.broker.audit():
            if record["seq"] <= self.mark or not record.get("method", "").startswith("/"):
                continue
            if record.get("id") and record["method"].endswith(method):
                calls.setdefault(record["id"], []).append(record)
        return calls

    def assert_pairs(self, calls: dict[str, list[dict[str, Any]]]) -> None:
        for records in calls.values():
            self.assertEqual([record["kind"] for record in records], ["intent", "outcome"], records)

    def the_outcome(self, method: str) -> dict[str, Any]:
        """Of the one call of this method since the mark."""

        def ended() -> bool:
            return any(records[-1]["kind"] == "outcome" for records in self.calls_since(method).values())

        wait_for(f"outcome of {method}", ended)
        calls = self.calls_since(method)
        self.assertEqual(len(calls), 1, calls)
        self.assert_pairs(calls)
        (records,) = calls.values()
        self.mark = records[-1]["seq"]
        return records[-1]

    def served(self) -> list[tuple[str, Case]]:
        """The methods that are served, and their cases."""
        cases = []
        for method in methods():
            self.assertIn(method, CASES, f"{method} has no case")
            cases.append((method, CASES[method]))
        self.assertGreater(len(cases), 10)
        return cases

    def test_law4_every_method_is_a_pair_however_it_ends(self) -> None:
        for method, case in self.served():
            with self.subTest(method=method, how="ok"):
                fields = case.fields(self.world)
                self.set_mark()
                self.assertEqual(self.call(case.who, method, fields), "OK")
                outcome = self.the_outcome(method)
                self.assertEqual((outcome["code"], outcome["decision"]), ("OK", "allowed"))
                if case.undo:
                    self.world.call(case.who, case.undo)
            with self.subTest(method=method, how="refused"):
                # One for each service: beyond twenty refusals a second of one identity they are only counted.
                stranger = f"stranger-to-{method.partition('Service/')[0].lower()}"
                self.assertEqual(self.call(stranger, method, fields), "PERMISSION_DENIED")
                outcome = self.the_outcome(method)
                self.assertEqual((outcome["code"], outcome["decision"]), ("PERMISSION_DENIED", "refused"))
            if case.invalid is not None:
                with self.subTest(method=method, how="invalid"):
                    self.assertEqual(self.call(case.who, method, case.invalid), "INVALID_ARGUMENT")
                    self.assertEqual(self.the_outcome(method)["code"], "INVALID_ARGUMENT")

    def test_a_call_that_waits_for_the_portal_is_a_pair_when_its_time_is_up_and_when_it_is_given_up(self) -> None:
        for method, case in self.served():
            if not case.waits:
                continue
            with self.subTest(method=method, how="deadline"):
                fields = case.fields(self.world)
                self.set_mark()
                self.world.portal.fault("slow-head", seconds=30)
                self.assertEqual(self.call(case.who, method, fields, timeout=1.0), "DEADLINE_EXCEEDED")
                self.assertIn(self.the_outcome(method)["code"], ("DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN"))
            with self.subTest(method=method, how="cancelled"):
                call = self.begin(case.who, method, fields)
                wait_for("intent", lambda wanted=method: self.calls_since(wanted))
                call.cancel()
                self.assertIn(self.the_outcome(method)["code"], ("CANCELLED", "UNKNOWN"))
            self.world.portal.control("POST", "/reset")

    def test_a_call_that_waits_for_nothing_is_a_pair_or_never_came_when_it_is_given_up_at_once(self) -> None:
        calls = []
        for method, case in self.served():
            if case.waits or case.undo:
                continue
            fields = case.fields(self.world)
            calls += [self.begin(case.who, method, fields, timeout=0.001 * each) for each in range(1, 6)]
            for _ in range(5):
                call = self.begin(case.who, method, fields)
                call.cancel()
                calls.append(call)
        for call in calls:
            self.code_of(call)
        # A call later than all of those, so that they have ended.
        self.world.forward("writer", "POST", ECHO + "/last")
        wait_for("outcomes", lambda: all(len(records) > 1 for records in self.calls_since().values()))
        self.assert_pairs(self.calls_since())

    def test_what_a_kill_interrupts_is_a_pair_after_the_next_start(self) -> None:
        waiting = [(method, case) for method, case in self.served() if case.waits]
        others = [(method, case) for method, case in self.served() if not case.waits and not case.undo]
        prepared = [(method, case, case.fields(self.world)) for method, case in waiting + others]
        self.set_mark()
        self.world.portal.fault("slow-head", seconds=60)
        calls = [self.begin(case.who, method, fields) for method, case, fields in prepared[: len(waiting)]]
        wait_for("intents", lambda: len(self.calls_since()) == len(waiting))
        calls += [self.begin(case.who, method, fields) for method, case, fields in prepared[len(waiting):]]
        self.world.kill()
        self.world.portal.control("POST", "/reset")
        self.world.restart()
        for call in calls:
            call.cancel()
        after = self.calls_since()
        self.assert_pairs(after)
        for method, _ in waiting:
            ends = [records[-1] for records in after.values() if records[0]["method"].endswith("." + method)]
            self.assertEqual(
                [(end["code"], end["reason"]) for end in ends], [("UNKNOWN", "OUTCOME_UNKNOWN")], method
            )
        done = self.verify()
        self.assertEqual(done.returncode, 0, done.stdout)

    def verify(self) -> subprocess.CompletedProcess[str]:
        """What anyone can find out about the file."""
        return run_tool("audit", "verify", str(self.world.folder / "audit/audit.jsonl"))


if __name__ == "__main__":
    unittest.main()
