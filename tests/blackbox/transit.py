"""As much of a Transit engine (Vault, OpenBao) as a broker asks, over real TLS: encrypt and decrypt with one key of
several versions. Its cryptography is Python's hashes: a keystream and a MAC."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "hvs.the-brokers-own-transit-token"


class Transit:
    """Serves `transit/lmbroker` until `close`. What goes wrong with it is its attributes, which a test changes."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.token = TOKEN  # who has it may use the key
        self.versions = [os.urandom(32)]  # the last one encrypts
        self.sealed = False  # answers 503
        self.reply: bytes | None = None  # in place of any other, with status 200
        self.redirect: str | None = None
        self.go_on = threading.Event()  # not set: says nothing
        self.go_on.set()
        self.asked: list[str] = []  # paths
        self.said: list[bytes] = []  # bodies of requests
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.address = f"https://localhost:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Ends it; connections are refused from then on."""
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()

    def rotate(self) -> None:
        """A new version of the key."""
        self.versions.append(os.urandom(32))

    def answer(self, path: str, token: str, body: bytes) -> tuple[int, bytes]:
        """Status and body."""
        self.asked.append(path)
        self.said.append(body)
        self.go_on.wait(30)
        if self.redirect is not None:
            return 307, b""
        if self.sealed:
            return 503, b'{"errors":["Vault is sealed"]}'
        if token != self.token:
            return 403, b'{"errors":["permission denied"]}'
        if self.reply is not None:
            return 200, self.reply
        request = json.loads(body)
        data = self._encrypt(request) if path == "/v1/transit/encrypt/lmbroker" else (
            self._decrypt(request) if path == "/v1/transit/decrypt/lmbroker" else {"errors": []})
        if "errors" in data:
            return (400 if data["errors"] else 404), json.dumps(data).encode()
        return 200, json.dumps({"request_id": "", "lease_duration": 0, "data": data, "warnings": None}).encode()

    def _encrypt(self, request: dict[str, str]) -> dict[str, Any]:
        nonce = os.urandom(16)
        key = self.versions[-1]
        text = _mixed(base64.b64decode(request["plaintext"]), key, nonce)
        tag = _tag(key, nonce + text, request["associated_data"])
        sealed = base64.b64encode(nonce + tag + text).decode()
        return {"ciphertext": f"vault:v{len(self.versions)}:{sealed}", "key_version": len(self.versions)}

    def _decrypt(self, request: dict[str, str]) -> dict[str, Any]:
        _, version, sealed = request["ciphertext"].split(":")
        key = self.versions[int(version[1:]) - 1]
        raw = base64.b64decode(sealed)
        nonce, tag, text = raw[:16], raw[16:48], raw[48:]
        if not hmac.compare_digest(tag, _tag(key, nonce + text, request["associated_data"])):
            return {"errors": ["cipher: message authentication failed"]}
        return {"plaintext": base64.b64encode(_mixed(text, key, nonce)).decode()}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        transit = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                status, reply = transit.answer(self.path, self.headers.get("X-Vault-Token", ""), body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(reply)))
                if transit.redirect is not None:
                    self.send_header("Location", transit.redirect)
                self.end_headers()
                with contextlib.suppress(OSError):  # who asked may have had enough
                    self.wfile.write(reply)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def _mixed(text: bytes, key: bytes, nonce: bytes) -> bytes:
    stream = b"".join(hashlib.sha256(key + nonce + bytes([block])).digest() for block in range(len(text) // 32 + 1))
    return bytes(a ^ b for a, b in zip(text, stream, strict=False))


def _tag(key: bytes, sealed: bytes, associated: str) -> bytes:
    return hmac.digest(key, sealed + associated.encode(), "sha256")
