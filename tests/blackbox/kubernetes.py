"""As much of a Kubernetes API server as a broker asks: discovery, key set and TokenReview, over real TLS."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from caller_tokens import AUDIENCE, ISSUER, TokenKey, jwks

DOCUMENT = "/.well-known/openid-configuration"
KEYS = "/openid/v1/jwks"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A broker that hangs up, or trusts no one here, is what some tests are about."""


class KubernetesApi:
    """Serves until `close`. What it says is its attributes, which a test changes."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.keys: list[TokenKey] = []
        self.broker_token = "the-brokers-own-token"  # who has it may ask
        self.gone_pods: set[str] = set()  # uids
        self.broken = False  # answers 500
        self.hang = threading.Event()  # set: answers
        self.hang.set()
        self.jwks_uri: str | None = None
        self.issuer = ISSUER
        self.asked: list[str] = []  # paths
        self.reviewed: list[str] = []  # tokens
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.address = f"https://localhost:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends it; connections are refused from then on."""
        self.hang.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, authorization: str, body: bytes) -> tuple[int, str]:
        """Status and body."""
        self.asked.append(path)
        self.hang.wait(30)
        if authorization != f"Bearer {self.broker_token}":
            return 403, json.dumps({"kind": "Status", "status": "Failure", "code": 403})
        if self.broken:
            return 500, "{}"
        if (method, path) == ("GET", DOCUMENT):
            uri = self.jwks_uri or f"{self.address}{KEYS}"
            return 200, json.dumps({"issuer": self.issuer, "jwks_uri": uri})
        if (method, path) == ("GET", KEYS):
            return 200, jwks(*self.keys)
        if (method, path) == ("POST", REVIEWS):
            return 201, json.dumps(self._review(json.loads(body)))
        return 404, "{}"

    def _review(self, review: dict[str, Any]) -> dict[str, Any]:
        token = review["spec"]["token"]
        self.reviewed.append(token)
        payload = token.split(".")[1]
        said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        cluster = said["kubernetes.io"]
        if cluster["pod"]["uid"] in self.gone_pods or AUDIENCE not in review["spec"]["audiences"]:
            return review | {"status": {"user": {}, "error": "[invalid bearer token, the pod is gone]"}}
        user = {
            "username": said["sub"],
            "uid": cluster["serviceaccount"]["uid"],
            "groups": ["system:serviceaccounts", "system:authenticated"],
            "extra": {"authentication.kubernetes.io/pod-uid": [cluster["pod"]["uid"]]},
        }
        return review | {"status": {"authenticated": True, "audiences": [AUDIENCE], "user": user}}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self, method: str) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                status, text = api.answer(method, self.path, self.headers.get("Authorization", ""), body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def do_GET(self) -> None:
                self._serve("GET")

            def do_POST(self) -> None:
                self._serve("POST")

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
