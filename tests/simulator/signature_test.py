"""The signature: the published vectors, by the function and through a running portal, and what must not pass."""

from __future__ import annotations

import base64
import gzip
import time
import unittest
import zlib
from typing import Any, NamedTuple

import seed
import signature
from harness import Answer, Running

ACCESS_ID = "aB3dE5fG7hJ9kL2mN4pQ"
KEY = "lma_Invented(Key)For{Tests}=0123456789+^~"
EPOCH = "1700000000000"

TOKENS = "/setting/admins/32/apitokens"
V1_BODY = b'{"note":"broker test","status":2}'
V3A_BODY = '{"note":"Zoë – 東京 ✓","status":1}'.encode()
V3B_BODY = rb'{"note":"Zo\u00eb \u2013 \u6771\u4eac \u2713","status":1}'


class Vector(NamedTuple):
    name: str
    method: str
    path: str  # decoded, signed
    body: bytes
    hex: str
    wire: str  # the target sent
    status: int  # of a portal that has the token, but no token 7


VECTORS = [
    Vector(
        "V1",
        "POST",
        TOKENS,
        V1_BODY,
        "f88a6a5ccbc6d403778810d14259be450191971de19f44ed7f72426cce576f96",
        f"/santaba/rest{TOKENS}?type=bearer",
        200,
    ),
    Vector(
        "V2",
        "GET",
        "/setting/admins/apitokens",
        b"",
        "9a52737d3a590d0bbdb2d976836b454ca684b19f2a42848f9a0ca1152c05f535",
        "/santaba/rest/setting/admins/apitokens?size=50&offset=0&filter=status%3A2",
        200,
    ),
    Vector(
        "V3a",
        "PUT",
        TOKENS + "/7",
        V3A_BODY,
        "a1486fe458cf47cbe022efdbab99f8a293390b9568496dfea788d0ce5f090019",
        f"/santaba/rest{TOKENS}/7",
        404,
    ),
    Vector(
        "V3b",
        "PUT",
        TOKENS + "/7",
        V3B_BODY,
        "9f19c0c47c72e3e042e9a8ed272e178680c659ef43bfab6487d197a695736aee",
        f"/santaba/rest{TOKENS}/7",
        404,
    ),
    Vector(
        "V4a",
        "DELETE",
        TOKENS + "/7",
        b"",
        "0cc5df06a361595ed42a2f088b44bcd3b2b0edab6acf9da3cf4624038ebaad1b",
        f"/santaba/rest{TOKENS}/7",
        404,
    ),
    Vector(
        "V4b",
        "DELETE",
        TOKENS + "/7",
        b"{}",
        "05c016bc1323209ef7255028ea2445400b61f847e3e1724a6342980acd491418",
        f"/santaba/rest{TOKENS}/7",
        404,
    ),
    Vector(
        "V5",
        "POST",
        TOKENS,
        b"{}",
        "75dd3abcce4e11a80ae180d1e5d794871c2bf85a172da43840f13baa915363bd",
        f"/santaba/rest{TOKENS}",
        200,
    ),
    Vector(
        "V6",
        "POST",
        "/log/ingest",
        b'[{"message":"hello"}]',
        "80ec5501015337cab8693964279fda4487720cd8c222c3946da9c660ccea79ab",
        "/rest/log/ingest",
        202,
    ),
    Vector(
        "V7",
        "POST",
        TOKENS,
        V1_BODY + b"\n",
        "078ef3b309346b9f5ce045bc7bb8da4cfbd058b85ad25c9e04ef7f623b93e3ce",
        f"/santaba/rest{TOKENS}?type=bearer",
        200,
    ),
    Vector(
        "V8",
        "GET",
        "/device/devices/1/instances/a b/ü",
        b"",
        "51f43e44798e12bcc3117c6a342fef05c1aae031f3167816b65a8294ad32543b",
        "/santaba/rest/device/devices/1/instances/a%20b/%C3%BC",
        200,
    ),
    Vector(
        "V9",
        "PATCH",
        TOKENS + "/7",
        b'{"status":1}',
        "0cd1c0f451ddbfeca53e923eeac2e3b6995e5e67c7d7c0e0bd1511de3e70ba0b",
        f"/santaba/rest{TOKENS}/7?patchFields=status",
        404,
    ),
]

# Wrong signatures for V2's request, each a mistake that a real client has made.
MISTAKES = {
    "the query is signed": "OGJkNzc5ZDYzNjBjNWU5YmJhMzc2Y2IxYWVmNDJmYjVkNWU0OWViM2ZkYTViYWZiNzhkMTQ3N2NjYWJhOGFmYw==",
    "the raw digest": "mlJzfTpZDQu9stl2g2tFTKaEsZ8qQoSPmgyhFSwF9TU=",
    "upper-case hex": "OUE1MjczN0QzQTU5MEQwQkJEQjJEOTc2ODM2QjQ1NENBNjg0QjE5RjJBNDI4NDhGOUEwQ0ExMTUyQzA1RjUzNQ==",
    "the base is signed": "MTMwN2IyZDE0ZDBlMmJiMDRhYWRlMjJkYzNiMmNmODMwMzFjNDg2YWU3MWI5ODk1MmViNzc5MDFiMzU0MDUzNw==",
    "a trailing slash": "YTY3M2RkZjRmYzI4OGI5YmY0MDkwMTc2YmQyMDI3ZDE1NjllNTljZGE3YWFmMmMwYTllZTAyNjQ0ODYxMmU5MQ==",
}
V8_ENCODED = "MzUzNzM0OGNmMjMyY2M1OTg2NmQ2MDBiZDI3MTc5M2Q0NzU3Y2VmNWU5YzE1NmQ5MTg3MjZkMTc4YjM2ODQ0YQ=="


def header(signed: str, access_id: str = ACCESS_ID, epoch: str = EPOCH) -> str:
    return f"LMv1 {access_id}:{signed}:{epoch}"


def encoded(vector: Vector) -> str:
    return base64.b64encode(vector.hex.encode()).decode()


class FunctionTest(unittest.TestCase):
    def test_sign_gives_the_published_vectors(self) -> None:
        for vector in VECTORS:
            with self.subTest(vector.name):
                made = signature.sign(KEY, vector.method, EPOCH, vector.body, vector.path.encode())
                self.assertEqual(made, encoded(vector))

    def test_string_to_sign_has_the_published_lengths(self) -> None:
        self.assertEqual(len(signature.string_to_sign("POST", EPOCH, V1_BODY, TOKENS.encode())), 78)
        self.assertEqual(len(signature.string_to_sign("GET", EPOCH, b"", b"/setting/admins/apitokens")), 41)
        self.assertEqual(len(signature.string_to_sign("PUT", EPOCH, V3A_BODY, (TOKENS + "/7").encode())), 87)

    def test_only_an_exact_header_is_parsed(self) -> None:
        good = header(encoded(VECTORS[0]))
        self.assertEqual(signature.parse_lmv1(good), (ACCESS_ID, encoded(VECTORS[0]), EPOCH))
        for bad in (
            good + ":1",
            good.replace("LMv1", "lmv1"),
            good.replace("LMv1 ", "LMv1  "),
            good[:-13],
            good + "\n",
            good.replace(EPOCH, "-1"),
            good.replace(EPOCH, "17e11"),
            good.replace(ACCESS_ID, ""),
            "LMv1 a:b",
        ):
            with self.subTest(bad):
                self.assertIsNone(signature.parse_lmv1(bad))


class PortalTest(unittest.TestCase):
    """The same through a running portal whose clock stands at the vectors' time."""

    portal: Running

    @classmethod
    def setUpClass(cls) -> None:
        state: dict[str, Any] = seed.seed("acme")
        state["tokens"][0] |= {"accessId": ACCESS_ID, "accessKey": KEY}
        state["master"] |= {"accessId": ACCESS_ID, "accessKey": KEY}
        offset = int(EPOCH) / 1000 - time.time()
        cls.portal = Running("--knob", f"clock_offset={offset}", state=state)
        cls.addClassCleanup(cls.portal.stop)

    def tearDown(self) -> None:
        self.portal.control("POST", "/reset")

    def ask(self, vector: Vector, authorization: str, body: bytes | None = None, **headers: str) -> Answer:
        headers = {"Authorization": authorization, "X-Version": "3"} | headers
        content = vector.body if body is None else body
        return self.portal.send(vector.method, vector.wire, headers, content or None)

    def verdict(self) -> str:
        return str(self.portal.requests()[-1]["verdict"])

    def test_portal_accepts_the_published_vectors(self) -> None:
        for vector in VECTORS:
            with self.subTest(vector.name):
                self.assertEqual(self.ask(vector, header(encoded(vector))).status, vector.status)
                self.assertEqual(self.verdict(), "good")

    def test_portal_refuses_the_published_mistakes(self) -> None:
        for what, signed in MISTAKES.items():
            with self.subTest(what):
                answer = self.ask(VECTORS[1], header(signed))
                self.assertEqual(answer.status, 401)
                expected = {"errorMessage": "Authentication failed", "errorCode": 1401, "errorDetail": None}
                self.assertEqual(answer.json, expected)
                self.assertIn(self.verdict(), ("bad-signature", "malformed"))

    def test_every_vector_fails_with_another_byte_anywhere(self) -> None:
        for vector in VECTORS:
            with self.subTest(vector.name):
                good = header(encoded(vector))
                if vector.body:
                    self.assertEqual(self.ask(vector, good, vector.body + b" ").status, 401)
                self.assertEqual(
                    self.ask(vector._replace(wire=vector.wire.replace("rest/", "rest//", 1)), good).status, 401
                )
                other = "PUT" if vector.method != "PUT" else "PATCH"
                self.assertEqual(self.ask(vector._replace(method=other), good).status, 401)
                self.assertEqual(self.ask(vector, good[:-1] + "1").status, 401)

    def test_query_is_not_part_of_the_signature(self) -> None:
        vector = VECTORS[1]._replace(wire="/santaba/rest/setting/admins/apitokens?size=1&x=y")
        self.assertEqual(self.ask(vector, header(encoded(vector))).status, 200)

    def test_path_form_decides_over_encoded_paths(self) -> None:
        v8 = next(vector for vector in VECTORS if vector.name == "V8")
        for form, decoded_status, raw_status in (("either", 200, 200), ("decoded", 200, 401), ("raw", 401, 200)):
            with self.subTest(form):
                self.portal.control("PATCH", "/knobs", {"path_form": form})
                self.assertEqual(self.ask(v8, header(encoded(v8))).status, decoded_status)
                self.assertEqual(self.ask(v8, header(V8_ENCODED)).status, raw_status)

    def test_compressed_bodies_are_verified_inflated(self) -> None:
        v6 = next(vector for vector in VECTORS if vector.name == "V6")
        raw_deflate = zlib.compressobj(wbits=-15)
        forms = {
            "gzip": [gzip.compress(v6.body)],
            "deflate": [zlib.compress(v6.body), raw_deflate.compress(v6.body) + raw_deflate.flush()],
        }
        for encoding, bodies in forms.items():
            for body in bodies:
                answer = self.ask(v6, header(encoded(v6)), body, **{"Content-Encoding": encoding})
                self.assertEqual((encoding, answer.status), (encoding, 202))
        broken = self.ask(v6, header(encoded(v6)), b"\x1f\x8b not gzip", **{"Content-Encoding": "gzip"})
        self.assertEqual(broken.status, 401)

    def test_of_a_multipart_body_the_files_are_signed(self) -> None:
        body = (
            b'--b\r\nContent-Disposition: form-data; name="kind"\r\n\r\nignored\r\n'
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\none\r\n two\r\n--b--\r\n'
        )
        path = "/device/devices/1/instances/upload"
        for content, status in ((b"one\r\n two", 200), (body, 401), (b"", 401)):
            value = header(signature.sign(KEY, "POST", EPOCH, content, path.encode()))
            headers = {"Authorization": value, "X-Version": "3", "Content-Type": "multipart/form-data; boundary=b"}
            self.assertEqual(self.portal.send("POST", f"/santaba/rest{path}", headers, body).status, status)

    def test_epoch_must_lie_in_the_window(self) -> None:
        path = "/device/devices/7"
        for minutes, status in ((-31, 401), (-29, 200), (0, 200), (29, 200), (31, 401)):
            with self.subTest(minutes):
                epoch = str(int(EPOCH) + minutes * 60000)
                value = header(signature.sign(KEY, "GET", epoch, b"", path.encode()), epoch=epoch)
                headers = {"Authorization": value, "X-Version": "3"}
                self.assertEqual(self.portal.send("GET", f"/santaba/rest{path}", headers).status, status)
                self.assertEqual(self.verdict(), "good" if status == 200 else "stale")

    def test_seconds_instead_of_milliseconds_are_stale(self) -> None:
        epoch = EPOCH[:-3]
        value = header(signature.sign(KEY, "GET", epoch, b"", b"/device/devices/7"), epoch=epoch)
        answer = self.portal.send("GET", "/santaba/rest/device/devices/7", {"Authorization": value, "X-Version": "3"})
        self.assertEqual((answer.status, self.verdict()), (401, "stale"))

    def test_a_signature_may_be_used_again(self) -> None:
        value = header(encoded(VECTORS[1]))
        self.assertEqual([self.ask(VECTORS[1], value).status for _ in range(3)], [200] * 3)

    def test_unreadable_and_missing_headers_are_refused(self) -> None:
        good = encoded(VECTORS[1])
        for value, verdict in (
            ("", "no-authorization"),
            ("Basic YTpi", "malformed"),
            (f"lmv1 {ACCESS_ID}:{good}:{EPOCH}", "malformed"),
            (f"LMv1 {ACCESS_ID}:{good}", "malformed"),
            (header(good, access_id="unknown"), "unknown-id"),
            ("Bearer lmb_unknown", "unknown-id"),
            (f"Bearer {KEY}", "unknown-id"),
        ):
            with self.subTest(value):
                self.assertEqual(self.ask(VECTORS[1], value).status, 401)
                self.assertEqual(self.verdict(), verdict)


if __name__ == "__main__":
    unittest.main()
