"""Random calls that are good by the contract and as odd as it lets them be."""

from __future__ import annotations

import gzip
import random
import zlib

from wire_probe import Call, Pairs

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_MOST_PATH = 2048
_MOST_QUERY = 8 << 10
_RECORD = 16 << 10  # of TLS: where framing goes from one write to two

# What some parser, somewhere, takes for something else.
_ODD = (
    "... .a a. ~ + ++ & = a=b &amp * ' \" < > {} {id} | ^ ` @ : :443 ! $ , ( ) [ ] - _ .env ..a a.. 0 7 -1 1e9 NaN "
    "null santaba rest HTTP/1.1 LMv1 Bearer é e\u0301 ß İ ﬁ Å \u212b 日本語 😀 👩\u200d👩\u200d👧 ⁄ ∕ ／ ． ‥ ％ ＃ ？ "
    "\u202e \ufeff \u2028 \u2029 \u00a0 \u00ad \u3000 \ufffd \uffff \U0010ffff"
).split(" ")
_ODD_TEXT = (*_ODD, " ", "  x ", "a b", "/", "//", "%", "%2F", "%00", "?", "#", ";", "\\", "a/../b", "\r\n", "\t",
             "\x7f", "\x85")  # fmt: skip
_ODD_BODIES = (
    b"", b"{}", b"{}\n", b"null\n", b'{"name":"\xc3\xa9"}', b'{"name":"\\u00e9"}', b"\x00", b"\xff\xfe", b"\r\n\r\n",
    b"0\r\n\r\nGET /santaba/rest/setting/admins HTTP/1.1\r\nHost: x\r\n\r\n", b'[{"message":"LMv1 a:b:1"}]',
)  # fmt: skip
_HEADERS = ("Accept", "Accept-Language", "Content-Type", "If-Match", "If-None-Match", "If-Modified-Since",
            "X-Request-Id", "traceparent", "tracestate")  # fmt: skip
# No multipart: of that LogicMonitor signs the files alone.
_HEADER_VALUES = (
    "application/json", "text/plain; charset=utf-8", "*/*", 'W/"67ab43"', '"a", "b"', "a,b;q=0.5", "x:y", "LMv1 a:b:1",
    "~!@#$%^&*()_+{}|:<>?", "Thu, 01 Jan 1970 00:00:00 GMT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "a  b", "v" * 8192, "%0d%0aX: y",
)  # fmt: skip


class RandomCalls:
    """Draws calls from pools that it fills once."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        segments = [self._plain(rng.choice((1, 2, 4, 8, 24))) for _ in range(3000)] + [each for each in _ODD if each]
        self._segments = [each.encode() for each in segments if each not in (".", "..")]
        texts = [self._text(rng.choice((0, 1, 2, 4, 16))) for _ in range(3000)]
        self._texts = [each.encode() for each in (*texts, *_ODD_TEXT)]
        bodies = [rng.randbytes(rng.randint(0, 400)) for _ in range(400)] + [*_ODD_BODIES] * 20
        bodies += [rng.randbytes(_RECORD + by) for by in (-900, -600, -450, -1, 0, 1)]
        self._bodies = [(body, b"") for body in bodies]
        self._bodies += [(gzip.compress(body, 1), b"gzip") for body in bodies[::4]]
        self._bodies += [(zlib.compress(body, 1), b"deflate") for body in bodies[::4]]

    def draw(self) -> Call:
        """The next one."""
        rng = self._rng
        method = rng.choice(_METHODS)
        body, coding = rng.choice(self._bodies) if method != "GET" else (b"", b"")
        api = rng.choice(("management", "management", "ingest"))
        return Call(
            path=self._path(),
            method=method,
            api=api,
            version=rng.choice((0, 2, 3, 4)) if api == "management" else rng.choice((0, 0, 1, 2, 3, 4)),
            query=self._query(),
            headers=self._headers(coding),
            body=body,
            scheme=rng.choice(("LMv1", "LMv1", "LMv1", "Bearer")),
            time_ms=rng.randint(1_000_000_000_000, 9_999_999_999_999),
        )

    def _path(self) -> bytes:
        rng = self._rng
        path = b"/" + b"/".join(rng.choices(self._segments, k=rng.choice((1, 2, 2, 3, 3, 4, 6, 12))))
        if rng.random() < 0.01:  # as long as it may be
            path += b"/" + b"a" * max(0, _MOST_PATH - len(path) - 1)
        return path if len(path) <= _MOST_PATH and path[-1:] != b"/" else b"/device/devices"

    def _query(self) -> Pairs:
        rng = self._rng
        count = rng.choice((0, 0, 1, 1, 2, 3, 5)) if rng.random() < 0.99 else 100
        drawn = rng.choices(self._texts, k=2 * count)
        query, room = [], _MOST_QUERY
        for name, value in zip(drawn[::2], drawn[1::2], strict=True):
            room -= 3 * (len(name) + len(value)) + 2  # more than they take
            if name not in (b"", b"v") and room > 0:
                query.append((name, value))
        return query

    def _headers(self, coding: bytes) -> Pairs:
        rng = self._rng
        names = rng.sample(_HEADERS, rng.choice((0, 0, 0, 1, 1, 2, 3, 9)))
        # A long value in each of nine would be no ordinary call.
        headers = [(_in_some_case(rng, name), rng.choice(_HEADER_VALUES).encode()) for name in names]
        if coding:
            headers.append((_in_some_case(rng, "Content-Encoding"), coding))
        return headers

    def _plain(self, length: int) -> str:
        """A segment of a path: no control character, and none of those that the contract refuses."""
        while True:
            text = self._text(length)
            if text and not any(char in "/%?#;\\" or char < " " or "\x7f" <= char <= "\x9f" for char in text):
                return text

    def _text(self, length: int) -> str:
        """Any Unicode but NUL."""
        rng = self._rng
        widest = rng.choice((0x7F, 0x7F, 0xFF, 0x7FF, 0xFFFF, 0x10FFFF))
        codes = [rng.randint(1, widest) for _ in range(length)]
        return "".join(chr(code) for code in codes if not 0xD800 <= code <= 0xDFFF)


def _in_some_case(rng: random.Random, name: str) -> bytes:
    return rng.choice((name, name, name.lower(), name.upper())).encode()
