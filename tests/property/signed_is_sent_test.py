"""Law 3, what was authorised is what is signed is what is sent: random calls, read and judged by the simulator's own
server and signature check, as one stream of requests on one connection."""

import collections
import random
import sys
import time
import unittest
from urllib.parse import parse_qsl

from random_calls import RandomCalls
from wire_probe import CASES, ROOT, SEED, Call, Keys, ask

sys.path.append(str(ROOT / "tests/simulator"))
import body  # noqa: E402
import http_server  # noqa: E402
import signature  # noqa: E402

_BASES = {"management": "/santaba/rest", "ingest": "/rest"}


class Socket:
    """In place of a TLS socket: gives what the broker would send, one request with each read."""

    def __init__(self, wires):
        self._wires = wires

    def recv(self, size):
        return next(self._wires, b"")

    def settimeout(self, seconds):
        pass

    def unwrap(self):
        pass


class Portal:
    """Compares each request that arrives with the call that it was made of."""

    def __init__(self, keys, calls):
        self._keys = keys
        self._calls = calls  # those that are on their way, oldest first
        self.seen = collections.Counter()

    def handle(self, request, server_name, read_body, wire):
        call = self._calls.popleft()
        request.body = read_body()
        for wrong in self._differences(request, call):
            raise AssertionError(f"{wrong} differs: {request} is not {call}")
        self.seen[call.scheme, call.api, call.method] += 1

    def note_unreadable(self, line, server_name, connection):
        raise AssertionError(f"this is no HTTP: {line!r}")

    def _differences(self, request, call):
        headers = collections.Counter(name.lower() for name, _ in request.headers)
        version = str(call.version or (3 if call.api == "management" else ""))
        path = request.decoded_resource.encode("utf-8", "surrogateescape")
        query = parse_qsl(request.query_text, keep_blank_values=True, strict_parsing=bool(request.query_text))
        same = {
            "method": request.method == call.method,
            "base": request.base == _BASES[call.api],
            "path": path == call.path,
            "query": [(name.encode(), value.encode()) for name, value in query] == call.query,
            "body": request.body == call.body,
            "version": request.header("x-version") == version,
            "host": request.header("host") == "acme.example",
            "a header's number": set(headers.values()) == {1},
            "a header": all(request.header(name.decode().lower()).encode() == value for name, value in call.headers),
            "signature": self._is_signed(request, path, call),
        }
        return [what for what, is_same in same.items() if not is_same]

    def _is_signed(self, request, path, call):
        value = request.header("authorization")
        if call.scheme == "Bearer":
            return value == f"Bearer {self._keys.bearer}"
        given = signature.parse_lmv1(value)
        return (
            given.access_id == self._keys.access_id
            and given.epoch == str(call.time_ms)
            and signature.verify(given, self._keys.access_key, request.method, body.signed(request), [path])
        )


class SignedIsSentTest(unittest.TestCase):
    def setUp(self):
        self.rng = random.Random(SEED)
        self.keys = Keys(self.rng)

    def send(self, calls):
        """Lets the portal judge the calls; what it has seen."""
        on_their_way = collections.deque()

        def remembered():
            for call in calls:
                on_their_way.append(call)
                yield call

        def wires():
            for wire in ask(self.keys, remembered()):
                self.assertIsInstance(wire, bytes, on_their_way[0])
                yield wire

        portal = Portal(self.keys, on_their_way)
        http_server.Connection(Socket(wires()), "127.0.0.1", 1, portal).serve()
        self.assertFalse(on_their_way, "not all calls came through")
        return portal.seen

    def test_law3_what_was_authorised_is_what_is_signed_is_what_is_sent(self):
        calls = RandomCalls(self.rng)
        began = time.monotonic()
        seen = self.send(calls.draw() for _ in range(CASES))
        print(f"{seen.total()} calls, seed {SEED}, {time.monotonic() - began:.1f} s")
        self.assertEqual(seen.total(), CASES)
        self.assertEqual(len(seen), 2 * 2 * 5, "each scheme, API and method")

    def test_a_request_that_is_not_what_was_asked_for_would_be_found(self):
        call = Call(b"/device/devices", "POST", query=[(b"a", b"b")], body=b"{}")
        (wire,) = ask(self.keys, [call])
        head, _, sent_body = wire.partition(b"\r\n\r\n")
        for other in (
            wire.replace(b"POST", b"PUT "),
            wire.replace(b" HTTP/1.1", b"/x HTTP/1.1"),
            wire.replace(b"a=b", b"a=c"),
            wire.replace(b"/santaba/rest", b"/rest"),
            head + b"\r\nAccept: x\r\n\r\n" + sent_body,
            head + b"\r\n\r\n[]",
            head[:-1] + b"0\r\n\r\n" + sent_body,
        ):
            portal = Portal(self.keys, collections.deque([call]))
            with self.assertRaises(AssertionError, msg=other):
                http_server.Connection(Socket(iter([other])), "127.0.0.1", 1, portal).serve()
                self.assertTrue(portal.seen == {}, "it was taken for good")


if __name__ == "__main__":
    unittest.main()
