"""Every way in which a portal can misbehave, for each kind of call, with time to spare and with little of it: what the
caller is told, what the portal has seen of the call, what the audit says, and that no key comes out on the way.

A cell is one call to a portal entry of its own, which is the simulator, too; so no cell has another's breaker, budget,
connections or quarantined key. All cells run at once, as far as the broker lets them.
"""

import concurrent.futures
import itertools
import sys
import unittest
from dataclasses import dataclass, field

import grpc

from broker import wait_for
from case import CODE_OF, ECHO, BrokerTest
from pki import ROOT
from schema import Refusal

sys.path.append(str(ROOT / "tests/simulator"))
from fault_modes import MODES  # noqa: E402

SHORT, LONG = 2.0, 12.0  # seconds that a caller gives
SLOW, SILENT = 5.0, 3600.0  # seconds that a portal takes: in time for a patient caller, and for nobody
AT_ONCE = 16

# What a caller may be told. A number is the status of a reply that was handed on.
LOST = {"PORTAL_UNREACHABLE", "PORTAL_ERROR"}
TOO_LATE = {"DEADLINE", "DEADLINE_TOO_SHORT"}
UNKNOWN = {"OUTCOME_UNKNOWN"}
OK = {200, 202, 404}  # the simulator's own answers


@dataclass(frozen=True)
class Row:
    """A fault, and what it means for a call that may be repeated and for one that may not. `patience` is how much the
    portal asks for."""

    fault: dict
    get: set
    post: set
    patience: float = 0.0
    sent: range | None = None  # how often a GET may be seen; None: once or more
    drops: bool = False  # a fault of connections, not of requests: it hits every cell while it is on
    portal: str = ""  # another portal than the simulator

    def __str__(self):
        return " ".join([self.portal, *(str(value) for value in self.fault.values())])


def row(name, get, post=None, /, **parameters):
    patience = parameters.pop("patience", 0.0)
    return Row({"name": name} | parameters, get, post or get, patience)


def lost(name, **parameters):
    """An answer that is lost for good."""
    return row(name, LOST, UNKNOWN, **parameters)


def lost_once(name, **parameters):
    """An answer that is lost, and there when one asks again."""
    return row(name, OK, UNKNOWN, count=1, **parameters)


def handed_on(name, *statuses, **parameters):
    """A strange answer is an answer."""
    return row(name, set(statuses) or OK, **parameters)


ROWS = (
    lost("drop-before-body"),
    lost("drop-before-commit"),
    lost("drop-after-commit"),
    lost("reset"),
    lost("reset", commit=1),
    lost("truncated-body"),
    lost("truncated-body", keep=0.0),
    lost("conflicting-length"),
    lost("conflicting-length", chunked=1),
    lost("huge-header"),
    lost("huge-header", kib=1, lines=101),
    lost("garbage"),
    lost("garbage", text="HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"),
    lost("garbage", text="HTTP/1.1 2000 OK\r\n\r\n"),
    lost("garbage", text="HTTP/1.1 200 OK\r\n Content-Length: 2\r\n\r\n{}"),
    lost("garbage", text=""),
    lost("continue-first", times=11),
    lost_once("drop-before-body"),
    lost_once("drop-before-commit"),
    lost_once("drop-after-commit"),
    lost_once("reset"),
    handed_on("unavailable", 503),
    handed_on("unavailable", 503, commit=1),
    handed_on("unavailable", 503, retry_after=3600),
    row("unavailable", OK | {503}, {503}, count=1),
    handed_on("internal-error", 500),
    row("internal-error", OK | {500}, {500}, count=1),
    handed_on("rate-limited", 429),
    row("rate-limited", OK | {429}, retry_after=1, count=1),
    handed_on("rate-limited", 429, retry_after=3600),
    *(handed_on("status", status, status=status) for status in (204, 301, 400, 401, 403, 404, 409, 412, 413, 418, 599)),
    handed_on("error-in-200", 200),
    handed_on("redirect", 302),
    handed_on("redirect", 307, status=307),
    handed_on("malformed-json", 200),
    handed_on("malformed-json", 200, text='{"accessKey":"lma_'),
    handed_on("secret-echo"),
    handed_on("set-cookie"),
    handed_on("wrong-date"),
    handed_on("wrong-date", seconds=-86400),
    handed_on("v1-envelope"),
    handed_on("rate-headers"),
    handed_on("rate-headers", limit="many", remaining="-1", window="9" * 30),
    handed_on("header"),
    handed_on("header", header="Content-Type", value="text/plain"),
    handed_on("omit-field", field="path"),
    handed_on("gzip-body"),
    handed_on("wrong-length", by=-3),
    handed_on("close-after-reply"),
    handed_on("close-after-reply", announce=1),
    handed_on("chunked-body", size=1),
    handed_on("two-replies"),
    handed_on("continue-first", times=3),
    handed_on("slow-body", bytes=64, seconds=0.01),
    row("header", LOST, UNKNOWN, header="Content-Encoding", value="br"),
    row("huge-body", {"REPLY_TOO_LARGE"}, mib=2),
    row("huge-body", {"REPLY_TOO_LARGE"}, mib=2, chunked=1),
    handed_on("slow-head", seconds=SLOW, patience=SLOW),
    row("slow-head", TOO_LATE, UNKNOWN, seconds=SILENT, patience=SILENT),
    row("slow-body", TOO_LATE, UNKNOWN, bytes=1, seconds=1.0, patience=SILENT),
    row("wrong-length", TOO_LATE, UNKNOWN, by=3, patience=SILENT),
    Row({"name": "drop-on-accept"}, {"PORTAL_UNREACHABLE"}, {"PORTAL_UNREACHABLE"}, sent=range(1), drops=True),
    *(
        # One portal for the cells of a row, so its breaker may open.
        Row({"about": about}, {"PORTAL_UNREACHABLE", "BREAKER_OPEN"}, {"PORTAL_UNREACHABLE", "BREAKER_OPEN"},
            sent=range(1), portal=portal)
        for portal, about in (("down", "no listener"), ("misnamed", "another's certificate"), ("forged", "a forger's"))
    ),
)

# api, method. Each is a call that means nothing to the simulator but that it came.
CALLS = (("MANAGEMENT", "GET"), ("MANAGEMENT", "POST"), ("INGEST", "POST"))


@dataclass
class Cell:
    """One call, and what became of it."""

    row: Row
    api: str
    method: str
    timeout: float
    name: str  # of its own, by which the portal and the audit know it
    outcome: object = None  # a status, or a reason
    by_grpc: bool = False  # whether it was gRPC's own deadline that ended it
    code: str = "OK"
    attempts: int = 0
    sent: list = field(default_factory=list)  # what the portal has seen of it
    audit: list = field(default_factory=list)

    def __str__(self):
        return f"{self.row}, {self.api} {self.method}, {self.timeout:g} s"

    @property
    def portal(self):
        return self.row.portal or self.name

    @property
    def path(self):
        return f"/{self.name}" if self.api == "INGEST" else f"{ECHO}/{self.name}"

    @property
    def wanted(self):
        """What the caller may be told."""
        wanted = self.row.get if self.method == "GET" else self.row.post
        late = TOO_LATE if self.method == "GET" else TOO_LATE | UNKNOWN
        if self.row.patience >= self.timeout:
            return late
        # On a busy machine a short time may also be too short for a portal that answers at once.
        return wanted | late if self.timeout == SHORT else wanted


def cells():
    every = itertools.product(ROWS, CALLS, (SHORT, LONG))
    return [Cell(row, *call, timeout, f"cell-{number}") for number, (row, call, timeout) in enumerate(every)]


_GRANTS = """
      - {{ portal: {portal}, credential: cell, methods: [GET, POST], paths: ["/**"] }}
      - {{ portal: {portal}, credential: cell, api: ingest, methods: [POST], paths: ["/**"] }}"""


class FaultMatrixTest(BrokerTest):
    CELLS = cells()
    ALIASES = (*(cell.portal for cell in CELLS if not cell.row.portal), "healthy")
    PORTALS = (*ALIASES, "down", "misnamed", "forged")
    POLICY = (
        'callers:\n  - { name: operators, identities: ["dns:ops.corp.example"], operator: true }\n'
        + '  - name: writer\n    identities: ["dns:writer.corp.example"]\n    forward:'
        + "".join(_GRANTS.format(portal=portal) for portal in PORTALS)
    )
    CONFIG = {"listen": {"limits": {"reply_body": "1MiB"}}}

    @classmethod
    def prepare(cls):
        key = cls.world.portal.new_token(32)
        imports = [
            cls.world.begin(
                "operator", "CredentialService/ImportCredential", parent=f"portals/{portal}", credential_id="cell",
                type="LMV1", access_id=key["accessId"], secret=key["accessKey"],
            )
            for portal in cls.PORTALS
        ]  # fmt: skip
        for each in imports:
            cls.world.finish(each)
        cls.world.learn_secrets()
        cls.world.channel("writer")  # made here, for it is not made for threads
        cls.world.portal.control("POST", "/reset")
        cls.run_cells([cell for cell in cls.CELLS if not cell.row.drops])
        # Those who are let in before stay connected.
        cls.world.portal.fault("drop-on-accept")
        cls.run_cells([cell for cell in cls.CELLS if cell.row.drops])
        cls.collect()

    @classmethod
    def run_cells(cls, chosen):
        """Calls, and notes what the callers are told. The longest begin first."""
        for cell in chosen:
            if cell.row.fault.get("name") and not cell.row.drops:
                cls.world.portal.control("POST", "/faults", cell.row.fault | {"path": f"*/{cell.name}"})
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as threads:
            in_order = sorted(chosen, key=lambda cell: -min(cell.row.patience, cell.timeout))
            for done in [threads.submit(cls.run_cell, cell) for cell in in_order]:
                done.result()

    @classmethod
    def run_cell(cls, cell):
        try:
            reply = cls.world.call(
                "writer", "ForwardService/Forward", portal=f"portals/{cell.portal}", api=cell.api, method=cell.method,
                path=cell.path, body=b"{}" if cell.method == "POST" else b"", timeout=cell.timeout,
            )  # fmt: skip
            cell.outcome, cell.attempts = reply.status, reply.attempts
        except Refusal as refusal:
            cell.by_grpc = not refusal.reason and refusal.code == grpc.StatusCode.DEADLINE_EXCEEDED.name
            cell.outcome, cell.code = "DEADLINE" if cell.by_grpc else refusal.reason, refusal.code

    @classmethod
    def collect(cls):
        """What the portal and the audit say of each cell."""
        by_name = {cell.name: cell for cell in cls.CELLS}
        for request in cls.world.portal.requests():
            by_name[request["path"].rpartition("/")[2]].sent.append(request)

        def audited():
            for cell in cls.CELLS:
                cell.audit = []
            for record in cls.world.broker.audit():
                if record.get("method") == "/lmbroker.v1.ForwardService/Forward":
                    by_name[record["path"].rpartition("/")[2]].audit.append(record)
            # A caller who gives up early may never have come to a busy broker.
            return all(len(cell.audit) >= 2 or (cell.by_grpc and not cell.audit) for cell in cls.CELLS)

        wait_for("outcome of every cell", audited)

    def each(self):
        for cell in self.CELLS:
            with self.subTest(str(cell)):
                yield cell

    def test_every_fault_of_the_simulator_is_in_the_matrix(self):
        self.assertEqual({row.fault["name"] for row in ROWS if "name" in row.fault}, MODES.keys())

    def test_a_caller_is_told_what_happened(self):
        for cell in self.each():
            self.assertIn(cell.outcome, cell.wanted)
            if isinstance(cell.outcome, str):
                self.assertEqual(cell.code, CODE_OF[cell.outcome])

    def test_law6_what_may_not_be_repeated_reaches_the_portal_at_most_once(self):
        for cell in self.each():
            if cell.method == "POST":
                # What is over the rate limit is not carried out.
                self.assertLessEqual(sum(request["status"] != 429 for request in cell.sent), 1)
            if cell.outcome == "PORTAL_UNREACHABLE" and cell.method == "POST":
                self.assertEqual(cell.sent, [], "the caller was told that it did not come so far")

    def test_attempts_are_what_the_portal_has_seen(self):
        for cell in self.each():
            if isinstance(cell.outcome, int):
                self.assertEqual(cell.attempts, len(cell.sent))
            if cell.row.sent is not None:
                self.assertIn(len(cell.sent), cell.row.sent)

    def test_every_attempt_has_a_signature_of_its_own(self):
        for cell in self.each():
            signatures = [dict(request["headers"])["Authorization"] for request in cell.sent]
            self.assertEqual({request["verdict"] for request in cell.sent} - {"good", ""}, set())
            self.assertEqual(len(set(signatures)), len(signatures))

    def test_law4_every_call_has_one_intent_and_one_outcome(self):
        for cell in self.each():
            if not cell.audit:
                self.assertTrue(cell.by_grpc and not cell.sent)
                continue
            self.assertEqual([record["kind"] for record in cell.audit], ["intent", "outcome"])
            outcome = cell.audit[1]
            if cell.by_grpc:
                self.assertIn(outcome["code"], {"DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN"})
            else:
                self.assertEqual(outcome["code"], cell.code)
            if isinstance(cell.outcome, int):
                self.assertEqual((outcome["http_status"], outcome["attempts"]), (cell.outcome, cell.attempts))

    def test_law1_no_key_comes_out_on_the_way(self):
        self.world.gather()
        self.assertGreater(len(self.world.evidence.outputs), len(self.CELLS))
        self.assertEqual(sorted(self.world.evidence.leaks()), [])

    def test_the_broker_serves_as_before(self):
        for api, method in CALLS:
            reply = self.world.call(
                "writer", "ForwardService/Forward", portal="portals/healthy", api=api, method=method,
                path=ECHO + "/after" if api == "MANAGEMENT" else "/after",
            )  # fmt: skip
            self.assertIn(reply.status, OK)
            self.assertEqual(reply.attempts, 1)


if __name__ == "__main__":
    unittest.main()
