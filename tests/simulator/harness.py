"""A running simulator and a client for it, for the tests of this folder and for scripts that want the same.

with Running() as portal:
    answer = portal.call("GET", "/device/devices/7")
"""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import signature

_HERE = Path(__file__).resolve().parent
_START_SECONDS = 20.0


@dataclass(frozen=True)
class Answer:
    """An HTTP reply. Header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


class Running:
    """A simulator process in a directory of its own, with a throwaway certificate."""

    def __init__(self, *arguments: str, state: dict[str, Any] | None = None) -> None:
        """`arguments` are added to the command line; `state`, when given, is the state file to begin with."""
        self._directory = tempfile.TemporaryDirectory(prefix="simulator-")
        self.directory = Path(self._directory.name)
        self.state_file = self.directory / "state.json"
        if state is not None:
            self.state_file.write_text(json.dumps(state), "utf-8")
        self._certify()
        self.process = self._start(arguments)
        self.port = self._await_port()
        self.tls = ssl.create_default_context(cafile=str(self.directory / "certificate.pem"))
        self.master = self.state()["master"]
        self._connection: http.client.HTTPSConnection | None = None

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> int:
        """Ends the process; its exit code."""
        if self._connection:
            self._connection.close()
        self.process.terminate()
        code = self.process.wait(10)
        if self.process.stdin:
            self.process.stdin.close()
        self._directory.cleanup()
        return code

    def state(self) -> dict[str, Any]:
        """What the state file says now."""
        content: dict[str, Any] = json.loads(self.state_file.read_text("utf-8"))
        return content

    def connect(self) -> http.client.HTTPSConnection:
        """A new connection, for raw bytes or for keep-alive tests. Verifies the certificate."""
        connection = http.client.HTTPSConnection("localhost", self.port, context=self.tls, timeout=20)
        connection.connect()
        return connection

    def send(
        self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """One request with exactly these headers (and Host, and Content-Length for a body)."""
        if self._connection is None:
            self._connection = self.connect()
        try:
            self._connection.request(method, target, body, headers or {})
            reply = self._connection.getresponse()
            headers = {name.lower(): value for name, value in reply.getheaders()}
            return Answer(reply.status, headers, reply.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = None
            raise

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: str = "",
        headers: dict[str, str] | None = None,
        token: dict[str, Any] | None = None,
        base: str = "/santaba/rest",
    ) -> Answer:
        """One signed request of the master or another token; `path` is decoded, a `body` that is not bytes is JSON."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return self.send(
            method,
            base + quote(path) + ("?" + query if query else ""),
            {"Authorization": self.authorization(method, path, content or b"", token), "X-Version": "3"}
            | (headers or {}),
            content,
        )

    def authorization(self, method: str, path: str, body: bytes = b"", token: dict[str, Any] | None = None) -> str:
        """The header value with which the master or another token signs."""
        token = token or self.master
        access_id, key = str(token["accessId"]), str(token["accessKey"])
        if key.startswith("lmb_"):
            return "Bearer " + key
        return signature.authorization(access_id, key, method, path, body)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A control call's answer. Throws AssertionError when it is refused."""
        answer = self.send(method, "/_control" + path, {}, None if body is None else json.dumps(body).encode())
        assert answer.status == 200, answer
        return answer.json

    def fault(self, name: str, **fields: Any) -> None:
        """Switches a fault on."""
        self.control("POST", "/faults", {"name": name} | fields)

    def requests(self) -> list[dict[str, Any]]:
        """What the simulator has seen since the last reset."""
        found: list[dict[str, Any]] = self.control("GET", "/requests")["requests"]
        return found

    def new_token(self, admin: int, kind: str = "LMV1", **fields: Any) -> dict[str, Any]:
        """A token for a user, made past the API: id, accessId, accessKey."""
        made: dict[str, Any] = self.control("POST", "/tokens", {"admin": admin, "type": kind} | fields)["tokens"][0]
        return made

    def _certify(self) -> None:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            + ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
            + ["-keyout", str(self.directory / "key.pem"), "-out", str(self.directory / "certificate.pem")],
            check=True,
            capture_output=True,
        )

    def _start(self, arguments: tuple[str, ...]) -> subprocess.Popen[bytes]:
        files = {"port-file": "port", "certificate": "certificate.pem", "key": "key.pem", "state": "state.json"}
        options = [text for name, file in files.items() for text in (f"--{name}", str(self.directory / file))]
        command = [sys.executable, str(_HERE / "simulator.py"), "--port", "0", "--until-eof", *options, *arguments]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def _await_port(self) -> int:
        port_file = self.directory / "port"
        deadline = time.monotonic() + _START_SECONDS
        while not port_file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self._directory.cleanup()
                raise RuntimeError("the simulator did not start")
            time.sleep(0.01)
        return int(port_file.read_text("ascii"))
