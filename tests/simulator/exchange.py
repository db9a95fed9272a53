"""One request and its answer: the portal's reply, bent by the faults that are on, and noted for the tests."""

from __future__ import annotations

from collections.abc import Callable

from control import Control
from fault_modes import MODES
from faults import Fault, FaultTable, Stage, Wire, apply_reply_faults, first
from knobs import Knobs
from message import CONTROL, ClientLeft, Reply, Request
from portal import Portal
from rate import RateLimits
from recorder import Entry, Recorder
from state import State


class Exchange:
    """Ties the parts together. Thread-safe; one call of `handle` for each request."""

    def __init__(self, state: State, knobs: Knobs, limits: RateLimits) -> None:
        self.faults = FaultTable(MODES)
        self.recorder = Recorder()
        self.portal = Portal(state, knobs, limits)
        self.control = Control(self.portal, self.faults, self.recorder)

    def handle(self, request: Request, server_name: str, read_body: Callable[[], bytes], wire: Wire) -> None:
        """Answers one request. Throws Hangup when the connection must end without more."""
        if request.base == CONTROL:
            request.body = read_body()
            wire.send(self.control.answer(request).encode())
            return
        faults = self.faults.hitting(request)
        entry = self.recorder.begin(request, server_name)
        entry.faults = [fault.mode.name for fault in faults]
        at_head = first(faults, Stage.HEAD)
        if at_head:
            at_head.mode.act(at_head.values, request)
        request.body = read_body()
        entry.set_body(request.body)
        try:
            reply = self._reply(request, entry, faults)
            self._send(request, reply, entry, faults, wire)
        except ClientLeft:
            entry.aborted = True
            raise
        finally:
            request.body = b""  # the entry keeps the request, not its body

    def note_unreadable(self, line: str, server_name: str, connection: int) -> None:
        """Notes a request that is not HTTP, so that a test can see that it came."""
        entry = self.recorder.begin(Request("", line, [], connection=connection), server_name)
        entry.verdict, entry.status = "unreadable", 400

    def _reply(self, request: Request, entry: Entry, faults: list[Fault]) -> Reply:
        instead = first(faults, Stage.INSTEAD)
        if instead is None or instead.values["commit"]:
            reply, caller = self.portal.answer(request)
            entry.committed = reply.status < 400
        else:
            caller = self.portal.judge(request)
        entry.verdict, entry.access_id = caller.verdict, caller.access_id
        if instead is not None:
            reply = instead.mode.act(instead.values, request)
            if reply.status != 503:  # that one comes from in front of the portal
                self.portal.add_common_headers(request, reply)
        reply.headers.insert(0, ("Date", self.portal.date()))
        apply_reply_faults(faults, request, reply)
        entry.status = reply.status
        return reply

    def _send(self, request: Request, reply: Reply, entry: Entry, faults: list[Fault], wire: Wire) -> None:
        on_wire = first(faults, Stage.WIRE)
        if on_wire is not None:
            on_wire.mode.act(on_wire.values, wire, reply)
        elif request.method == "HEAD":
            wire.send(reply.head(f"Content-Length: {len(reply.body)}"))
        else:
            wire.send(reply.encode())
