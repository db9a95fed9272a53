"""The HTTP side and the program: keep-alive, framing, what is refused, the files, the signals, the control API."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest
import warnings
from pathlib import Path

from harness import Running

DEVICE = "/santaba/rest/device/devices/7"
PROGRAM = str(Path(__file__).with_name("simulator.py"))


class HttpTest(unittest.TestCase):
    portal: Running

    @classmethod
    def setUpClass(cls) -> None:
        cls.portal = Running()
        cls.addClassCleanup(cls.portal.stop)

    def tearDown(self) -> None:
        self.portal.control("POST", "/reset")

    def head(self, method: str, path: str, body: bytes = b"", *more: str) -> bytes:
        authorization = self.portal.authorization(method, path, body)
        lines = [f"{method} /santaba/rest{path} HTTP/1.1", "Host: localhost", "X-Version: 3"]
        return "\r\n".join([*lines, f"Authorization: {authorization}", *more, "", ""]).encode()

    def exchange(self, *pieces: bytes) -> tuple[int, bytes]:
        """Sends the pieces on one connection; status and body of the first reply that is not 100."""
        with self.portal.connect().sock as tls:
            for piece in pieces:
                tls.sendall(piece)
            return read_reply(tls)

    def test_a_connection_is_kept_for_many_requests(self) -> None:
        for _ in range(3):
            self.assertEqual(self.portal.call("GET", "/device/devices/7").status, 200)
        self.assertEqual(len({entry["connection"] for entry in self.portal.requests()}), 1)

    def test_connection_close_is_followed(self) -> None:
        with self.portal.connect().sock as tls:
            tls.sendall(self.head("GET", "/device/devices/7", b"", "Connection: close"))
            self.assertEqual(read_reply(tls)[0], 200)
            self.assertEqual(tls.recv(1), b"")

    def test_pipelined_and_split_requests_are_read(self) -> None:
        request = self.head("GET", "/device/devices/7")
        with self.portal.connect().sock as tls:
            tls.sendall(request + request[:40])
            self.assertEqual(read_reply(tls)[0], 200)
            tls.sendall(request[40:])
            self.assertEqual(read_reply(tls)[0], 200)

    def test_chunked_request_is_verified_over_its_content(self) -> None:
        path, body = "/device/devices/1/instances/x", b"hello world"
        head = self.head("POST", path, body, "Transfer-Encoding: chunked")
        chunks = b"5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n"
        status, reply = self.exchange(head, chunks[:9], chunks[9:])
        self.assertEqual((status, json.loads(reply)["bodyLength"]), (200, len(body)))

    def test_content_length_zero_is_an_empty_body(self) -> None:
        head = self.head("POST", "/device/devices/1/instances/x", b"", "Content-Length: 0")
        self.assertEqual(self.exchange(head)[0], 200)

    def test_expect_is_answered_before_the_body_is_sent(self) -> None:
        head = self.head("POST", "/device/devices/1/instances/x", b"abc", "Content-Length: 3", "Expect: 100-continue")
        with self.portal.connect().sock as tls:
            tls.sendall(head)
            self.assertEqual(tls.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
            tls.sendall(b"abc")
            self.assertEqual(read_reply(tls)[0], 200)

    def test_eight_mebibytes_arrive(self) -> None:
        body = b"x" * (8 << 20)
        answer = self.portal.call("POST", "/device/devices/1/instances/x", body)
        self.assertEqual((answer.status, answer.json["bodyLength"]), (200, len(body)))

    def test_what_can_be_read_two_ways_is_refused_and_noted(self) -> None:
        host = "Host: a\r\n"
        for text in (
            "nonsense\r\n\r\n",
            f"GET {DEVICE}\r\n{host}\r\n",
            f"GET  {DEVICE} HTTP/1.1\r\n{host}\r\n",
            f"GET {DEVICE} HTTP/2.0\r\n{host}\r\n",
            f"GET https://a{DEVICE} HTTP/1.1\r\n{host}\r\n",
            f"GET {DEVICE}/\x7f HTTP/1.1\r\n{host}\r\n",
            f"GET {DEVICE}/\xfc HTTP/1.1\r\n{host}\r\n",
            f"G@T {DEVICE} HTTP/1.1\r\n{host}\r\n",
            f"GET {DEVICE} HTTP/1.1\r\n\r\n",
            f"GET {DEVICE} HTTP/1.1\r\n{host}{host}\r\n",
            f"GET {DEVICE} HTTP/1.1\r\n{host}A : b\r\n\r\n",
            f"GET {DEVICE} HTTP/1.1\r\n{host} folded\r\n\r\n",
            f"GET {DEVICE} HTTP/1.1\r\n{host}A: b\nC: d\r\n\r\n",
            f"POST {DEVICE} HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
            f"POST {DEVICE} HTTP/1.1\r\n{host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            f"POST {DEVICE} HTTP/1.1\r\n{host}Transfer-Encoding: gzip, chunked\r\n\r\n",
            f"POST {DEVICE} HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n",
            f"POST {DEVICE} HTTP/1.1\r\n{host}Content-Length: +1\r\n\r\n",
        ):
            with self.subTest(text):
                self.assertEqual(self.exchange(text.encode("latin-1"))[0], 400)
                self.assertEqual(self.portal.requests()[-1]["verdict"], "unreadable")
        self.assertEqual(
            self.exchange(f"POST {DEVICE} HTTP/1.1\r\n{host}Content-Length: 99999999999\r\n\r\n".encode())[0], 413
        )

    def test_two_authorization_headers_are_refused(self) -> None:
        authorization = self.portal.authorization("GET", "/device/devices/7")
        status, _ = self.exchange(self.head("GET", "/device/devices/7", b"", f"Authorization: {authorization}"))
        self.assertEqual((status, self.portal.requests()[-1]["verdict"]), (401, "repeated-authorization"))

    def test_head_reply_has_no_body(self) -> None:
        with self.portal.connect().sock as tls:
            tls.sendall(self.head("HEAD", "/device/devices/7", b"", "Connection: close"))
            data = b""
            while piece := tls.recv(1 << 16):
                data += piece
        self.assertTrue(data.endswith(b"\r\n\r\n"))

    def test_request_is_noted_as_it_came(self) -> None:
        self.portal.call("POST", "/device/devices/1/instances/ü", b"\xffbody", query="a=%20")
        seen = self.portal.requests()[0]
        self.assertEqual(seen["target"], "/santaba/rest/device/devices/1/instances/%C3%BC?a=%20")
        self.assertEqual(seen["path"], "/santaba/rest/device/devices/1/instances/ü")
        self.assertEqual((seen["bodyLength"], seen["body"]), (5, "\ufffdbody"))
        self.assertEqual((seen["accessId"], seen["verdict"]), (self.portal.master["accessId"], "good"))
        self.assertEqual((seen["status"], seen["committed"], seen["serverName"]), (200, True, "localhost"))
        self.assertIn(["X-Version", "3"], seen["headers"])
        since = self.portal.control("GET", f"/requests?since={seen['seq']}")
        self.assertEqual((since["requests"], since["total"] >= 1), ([], True))

    def test_plain_http_is_not_answered(self) -> None:
        with socket.create_connection(("127.0.0.1", self.portal.port)) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            try:
                answer = plain.recv(100)
            except ConnectionResetError:
                answer = b""
        self.assertNotIn(b"HTTP", answer)
        self.assertEqual(self.portal.requests(), [])

    def test_old_tls_is_refused(self) -> None:
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.load_verify_locations(self.portal.directory / "certificate.pem")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", self.portal.port)) as plain:
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                old.wrap_socket(plain, server_hostname="localhost")

    def test_connections_are_counted(self) -> None:
        before = self.portal.control("GET", "/connections")
        with self.portal.connect().sock:
            after = self.portal.control("GET", "/connections")
        self.assertEqual(after["accepted"], before["accepted"] + 1)

    def test_many_connections_at_once(self) -> None:
        statuses = []

        def ask() -> None:
            statuses.append(self.exchange(self.head("GET", "/device/devices/7"))[0])

        threads = [threading.Thread(target=ask) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(statuses, [200] * 40)

    def test_wrong_control_calls_say_what_is_wrong(self) -> None:
        for method, path, body, status in (
            ("GET", "/nothing", None, 404),
            ("POST", "/tokens", {"admin": 999}, 404),
            ("POST", "/tokens", {"type": "x"}, 400),
            ("PATCH", "/knobs", {"bogus": 1}, 400),
            ("PATCH", "/knobs", {"key_mask": "bogus"}, 400),
            ("PATCH", "/knobs", {"clock_window": "x"}, 400),
            ("PATCH", "/tokens/1000", {"id": 1}, 400),
            ("POST", "/shift", {"bogus": 1}, 400),
        ):
            with self.subTest(path):
                content = None if body is None else json.dumps(body).encode()
                answer = self.portal.send(method, "/_control" + path, {}, content)
                self.assertEqual(answer.status, status)
                self.assertTrue(answer.json["error"])


class ProgramTest(unittest.TestCase):
    def test_sigterm_and_sigint_end_it_with_zero(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            with Running() as portal, portal.connect().sock:
                portal.process.send_signal(number)
                self.assertEqual(portal.process.wait(10), 0)

    def test_it_ends_with_its_parent_when_told_to(self) -> None:
        with Running() as portal:  # which says --until-eof
            assert portal.process.stdin
            portal.process.stdin.close()
            self.assertEqual(portal.process.wait(10), 0)

    def test_state_survives_a_restart(self) -> None:
        with Running() as first:
            token = first.call("POST", "/setting/admins/33/apitokens", {"note": "kept"}).json
            first.call("GET", "/device/devices/7", token=token)
            first.call("DELETE", "/device/devices/300")
            first.process.terminate()
            first.process.wait(10)
            state = first.state()
        with Running(state=state) as second:
            self.assertEqual(second.call("GET", "/device/devices/7", token=token).status, 200)
            self.assertEqual(second.call("GET", "/device/devices/300").status, 404)
            kept = next(row for row in second.state()["tokens"] if row["id"] == token["id"])
            self.assertGreater(kept["lastUsedOn"], 0)

    def test_each_new_state_has_keys_of_its_own(self) -> None:
        with Running() as first, Running("--portal", "other") as second:
            self.assertNotEqual(first.master["accessKey"], second.master["accessKey"])
            self.assertEqual(second.state()["portal"]["host"], "other.logicmonitor.com")

    def test_bad_arguments_end_it_with_two(self) -> None:
        with tempfile.TemporaryDirectory() as directory, Running() as portal:
            certificate, key = (str(portal.directory / name) for name in ("certificate.pem", "key.pem"))
            good = {"--certificate": certificate, "--key": key, "--state": directory + "/state.json"}
            broken = Path(directory, "broken.json")
            broken.write_text("{", "utf-8")
            for change in (
                {"--fault": "bogus"},
                {"--fault": "status,bogus=1"},
                {"--knob": "bogus=1"},
                {"--rate-limit": "FETCH=1"},
                {"--certificate": "/nonexistent"},
                {"--key": certificate},
                {"--state": str(broken)},
                {"--port": "99999999"},
                {"--port": str(portal.port)},
            ):
                with self.subTest(change):
                    arguments = [text for pair in (good | change).items() for text in pair]
                    done = subprocess.run(
                        [sys.executable, PROGRAM, *arguments], capture_output=True, text=True, timeout=20
                    )
                    self.assertEqual(done.returncode, 2, done.stderr)
                    self.assertNotIn("Traceback", done.stderr)


def read_reply(tls: ssl.SSLSocket) -> tuple[int, bytes]:
    """The next reply with a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = tls.recv(1 << 16)
        if not piece:
            raise ConnectionError("no reply")
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += tls.recv(1 << 16)
    return int(head.split(b" ")[1]), body


if __name__ == "__main__":
    unittest.main()
