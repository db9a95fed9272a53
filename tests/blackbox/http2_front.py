"""A front that speaks HTTP/2, as portals' load balancers do: nginx before the simulator, which speaks HTTP/1.1."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker import wait_for
from world import World, harness

# What it passes on is what it got, to the byte. Of its own it repeats nothing and keeps nothing back.
_CONFIGURATION = """
daemon off;
master_process off;  # one process: a signal to it ends all of it
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
  log_format calls escape=json
    '{{"connection":"$connection","protocol":"$server_protocol","method":"$request_method","target":"$request_uri"}}';
  access_log calls.jsonl calls;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  client_max_body_size 0;
  keepalive_requests {requests};
  http2_max_concurrent_streams {streams};
  upstream simulator {{
    server 127.0.0.1:{upstream_port};
    keepalive 64;
    keepalive_requests 1000000;
  }}
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {certificates}/certificate.pem;
    ssl_certificate_key {certificates}/key.pem;
    merge_slashes off;
    location / {{
      proxy_pass https://simulator;  # without a path: the target goes on unread
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_ssl_name localhost;
      proxy_ssl_server_name on;
      proxy_ssl_trusted_certificate {certificates}/certificate.pem;
      proxy_ssl_verify on;
      proxy_buffering off;
      proxy_next_upstream off;
    }}
  }}
}}
"""


@dataclass(frozen=True)
class FrontCall:
    """A request as the front's access log has it. `connection` is the number of the broker's connection to it."""

    connection: str
    protocol: str
    method: str
    target: str


class Front:
    """The process, as often as it is started; always on the same port."""

    def __init__(self, folder: Path, portal: harness.Running, requests: int = 1_000_000, streams: int = 128) -> None:
        """It takes so many `requests` on one connection, and so many of them at once (`streams`)."""
        self.folder = folder
        self.folder.mkdir()
        self.process: subprocess.Popen[bytes] | None = None
        # nginx must be told a port. This one is bound, and so nobody else's; but nobody listens on it, so nginx may.
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self.port: int = self._place.getsockname()[1]
        configuration = _CONFIGURATION.format(
            requests=requests,
            streams=streams,
            upstream_port=portal.port,
            port=self.port,
            certificates=portal.directory,
        )
        (folder / "nginx.conf").write_text(configuration, "utf-8")

    def start(self) -> None:
        """Starts it, and waits until it listens. Throws AssertionError with its log when it ends instead."""
        program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        assert program is not None, "there is no nginx; deploy/packages.sh test installs it"
        with (self.folder / "stderr").open("ab") as log:
            self.process = subprocess.Popen(
                # Ends with its parent, should that be killed.
                ["setpriv", "--pdeathsig", "TERM", program, "-e", "stderr", "-p", str(self.folder), "-c", "nginx.conf"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for("nginx that listens", self._listens)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ends it and, with that, every connection to it."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def close(self) -> None:
        """Ends it for good."""
        if self.process is not None:
            self.end()
        self._place.close()

    def calls(self, part: str = "") -> list[FrontCall]:
        """The requests that have ended, and whose target contains this."""
        lines = (self.folder / "calls.jsonl").read_bytes().split(b"\n")[:-1]
        every = [FrontCall(**json.loads(line)) for line in lines]
        return [call for call in every if part in call.target]

    def await_calls(self, count: int, part: str = "") -> list[FrontCall]:
        """The same once there are so many: a request is logged a little after its reply was sent."""

        def find() -> list[FrontCall] | None:
            found = self.calls(part)
            return found if len(found) >= count else None

        found: list[FrontCall] = wait_for(f"{count} requests of {part or 'anything'} at the front", find)
        return found

    def _listens(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"nginx ended with {self.process.returncode}:\n{(self.folder / 'stderr').read_text()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class FrontedWorld(World):
    """A world whose portal `acme` is the simulator behind a front."""

    front: Front

    def __init__(self, *arguments: Any, limits: dict[str, int]) -> None:
        """`limits` are those of the front."""
        self._limits = limits
        super().__init__(*arguments)

    def start(self, *, master: bool = True) -> None:
        self.front.start()
        super().start(master=master)

    def close(self) -> int:
        try:
            if self.broker.process is not None:
                self.stop()
        finally:
            self.front.close()
        return super().close()

    def _config(self) -> dict[str, Any]:
        config = super()._config()
        self.front = Front(self.folder / "front", self.portal, **self._limits)
        config["portals"]["acme"]["port"] = self.front.port
        return config
