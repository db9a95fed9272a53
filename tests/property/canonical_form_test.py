"""Paths and queries against the reference: the same verdict and the same bytes on the wire for inputs of every kind."""

import itertools
import random
import time
import unittest

import reference
from wire_probe import CASES, SEED, Call, Keys, ask

# Pieces that decide something: what is refused, what is nearly refused, and UTF-8 that is none.
_PLAIN = (b"a", b"device", b"Z9", b"7", b"-", b"_", b"~", b"...", b"a.", b".a", b"+", b"=", b"&", b"*", b" ", b"'",
          b'"', "é".encode(), "日本".encode(), "😀".encode(), "\u00a0".encode(), "\u2028".encode(), "\ufeff".encode(),
          "\U0010ffff".encode(), "\ufffe".encode(), "\u00ad".encode(), "\ue000".encode())  # fmt: skip
_NOT_PLAIN = (b"", b"/", b"//", b".", b"..", b"%", b"%2e", b"%2F", b"?", b"#", b";", b"\\", b"\0", b"\n", b"\r", b"\t",
              b"\x1f", b"\x7f", b"\xc2\x80", b"\xc2\x85", b"\xc2\x9f")  # fmt: skip
_NOT_UTF8 = (b"\x80", b"\xbf", b"\xc0\xaf", b"\xc1\xbf", b"\xc2", b"\xc2\x20", b"\xe0\x80\xaf", b"\xe0\x9f\xbf",
             b"\xe2\x82", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf0\x80\x80\xaf", b"\xf0\x8f\xbf\xbf", b"\xf0\x9f\x98",
             b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff")  # fmt: skip
_PIECES = _PLAIN * 8 + _NOT_PLAIN + _NOT_UTF8


def exhaustive_paths():
    """Every byte alone and in its places, every pair of bytes, every pair of pieces, every code point at a border."""
    yield from (b"", b"/", b"a", b"device/devices", b"//a", b"/a/", b"/./a", b"/a/.", b"/a/..", b"/..a", b"/.../a")
    for byte in range(256):
        one = bytes([byte])
        yield from (one, b"/" + one, b"/a" + one, b"/a" + one + b"b", b"/" + one + b"/b", b"/a/" + one)
    for pair in itertools.product(range(256), repeat=2):
        yield b"/a/" + bytes(pair)
    for first, second in itertools.product(set(_PIECES), repeat=2):
        yield b"/" + first + second
        yield b"/" + first + b"/" + second
    for code in (0x7F, 0x80, 0x9F, 0xA0, 0x7FF, 0x800, 0xD7FF, 0xD800, 0xDFFF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF):
        yield b"/" + chr(code).encode("utf-8", "surrogatepass")
    for length in range(2040, 2056):
        yield b"/" + b"a" * (length - 1)
        yield b"/" + "é".encode() * ((length - 1) // 2) + b"a" * ((length - 1) % 2)


def random_paths(rng):
    """Pieces in a row, mostly good, and good ones with a few bytes changed."""
    while True:
        segments = [b"".join(rng.choices(_PIECES, k=rng.choice((1, 1, 2, 3)))) for _ in range(rng.randint(1, 4))]
        path = b"/" + b"/".join(segments)
        if rng.random() < 0.3:
            path = b"/" + b"/".join(rng.choices(_PLAIN, k=rng.randint(1, 6)))
            at = rng.randrange(len(path))
            path = path[:at] + rng.randbytes(rng.randint(0, 2)) + path[at + rng.randint(0, 2) :]
        yield path


def exhaustive_queries():
    """Every byte in a name and in a value, names that are refused, and the borders of the two limits."""
    for byte in range(256):
        one = bytes([byte])
        yield from ([(one, b"x")], [(b"x", one)], [(b"a" + one, one + b"b")])
    for name in (b"", b"v", b"V", b"vv", b"v ", b" v"):
        yield from ([(name, b"4")], [(b"a", b""), (name, b"")])
    for text in _NOT_UTF8 + _PLAIN:
        yield from ([(text, b"")], [(b"x", text)], [(b"a", b"b"), (text, text)])
    for count in (99, 100, 101):
        yield [(b"n", b"")] * count
    for length in range(8185, 8200):
        yield [(b"n", b"a" * (length - 2))]
        yield [(b"n", b" " * ((length - 2) // 3) + b"a" * ((length - 2) % 3))]
        yield [(b"n", b"a" * 4000), (b"m", b"a" * (length - 4005))]


def random_queries(rng):
    """Pairs of pieces."""
    pieces = _PIECES[: -len(_NOT_UTF8)]
    while True:
        texts = [b"".join(rng.choices(pieces, k=rng.randint(1, 3))) for _ in range(2 * rng.randint(0, 4))]
        if texts and rng.random() < 0.2:
            texts[rng.randrange(len(texts))] += rng.choice(_NOT_UTF8)
        yield list(zip(texts[::2], texts[1::2], strict=True))


class CanonicalFormTest(unittest.TestCase):
    def setUp(self):
        self.rng = random.Random(SEED)

    def compare(self, calls, wanted, reason):
        """Asks for all; how many were accepted and how many were refused."""
        counts = {True: 0, False: 0}
        began = time.monotonic()
        for call, answer in zip(calls, ask(Keys(self.rng), calls), strict=True):
            target = wanted(call)
            counts[target is not None] += 1
            if target is None:
                self.assertEqual(answer, reason, call)
            else:
                self.assertIsInstance(answer, bytes, f"{call} was refused: {answer!r}")
                self.assertEqual(answer.partition(b"\r\n")[0].decode(), f"GET {target} HTTP/1.1", call)
        print(f"{counts[True]} accepted, {counts[False]} refused, seed {SEED}, {time.monotonic() - began:.1f} s")
        return counts

    def test_a_path_is_accepted_and_encoded_as_the_contract_says(self):
        paths = list(itertools.chain(exhaustive_paths(), itertools.islice(random_paths(self.rng), CASES // 2)))

        def wanted(call):
            path = reference.wire_path(call.path)
            return None if path is None else "/santaba/rest" + path

        counts = self.compare([Call(path) for path in paths], wanted, "PATH_NOT_PLAIN")
        self.assertGreater(min(counts.values()), CASES // 4)

    def test_a_query_is_accepted_and_encoded_as_the_contract_says(self):
        queries = list(itertools.chain(exhaustive_queries(), itertools.islice(random_queries(self.rng), CASES // 5)))

        def wanted(call):
            query = reference.wire_query(call.query)
            return None if query is None else "/santaba/rest/a" + ("?" if query else "") + query

        counts = self.compare([Call(b"/a", query=query) for query in queries], wanted, "FIELD_INVALID")
        self.assertGreater(min(counts.values()), CASES // 50)


if __name__ == "__main__":
    unittest.main()
