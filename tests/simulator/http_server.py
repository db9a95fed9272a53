"""HTTPS on the loopback address: one thread for each connection, keep-alive, one write for each reply.

Written on sockets, because the faults need the bytes and because tests need more requests a second than `http.server`
can answer. It reads HTTP/1.1 strictly: what a careful server would refuse is refused with 400 and noted.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from message import ApiError, ClientLeft, Hangup, Headers, Reply, Request

_MOST_HEAD = 256 << 10
_MOST_BODY = 64 << 20
_READ = 256 << 10
_HANDSHAKE_SECONDS = 10.0

_NAME_CHARACTERS = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_TARGET = re.compile("[!-~]+")


class Handler(Protocol):
    """What the server calls."""

    def handle(self, request: Request, server_name: str, read_body: Callable[[], bytes], wire: Connection) -> None:
        """Answers a request by `wire.send`; throws Hangup to end the connection."""

    def note_unreadable(self, line: str, server_name: str, connection: int) -> None:
        """Takes note of a request that cannot be read."""


class HttpServer:
    """Listens from construction on. `port` is the one in use."""

    def __init__(self, port: int, certificate: Path, key: Path, handler: Handler, drop: Callable[[], bool]) -> None:
        """`drop` says of each new connection whether it is closed at once. Throws OSError or ssl.SSLError."""
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._tls.load_cert_chain(certificate, key)
        self._tls.set_alpn_protocols(["http/1.1"])
        self._tls.sni_callback = _keep_server_name  # type: ignore[assignment]
        self._handler = handler
        self._drop = drop
        self._lock = threading.Lock()
        self._open = 0
        self._accepted = 0
        self._listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port: int = self._listener.getsockname()[1]

    def start(self) -> None:
        """Accepts connections on a thread of its own, until the process ends."""
        threading.Thread(target=self._accept, name="accept", daemon=True).start()

    def connections(self) -> dict[str, int]:
        """How many connections are open now, and how many there were."""
        with self._lock:
            return {"open": self._open, "accepted": self._accepted}

    def _accept(self) -> None:
        while True:
            plain, address = self._listener.accept()
            with self._lock:
                self._accepted += 1
                number = self._accepted
            if self._drop():
                plain.close()
                continue
            threading.Thread(target=self._serve, args=(plain, address[0], number), daemon=True).start()

    def _serve(self, plain: socket.socket, peer: str, number: int) -> None:
        with self._lock:
            self._open += 1
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(_HANDSHAKE_SECONDS)
            with self._tls.wrap_socket(plain, server_side=True) as secured:
                secured.settimeout(None)
                Connection(secured, peer, number, self._handler).serve()
        except OSError:  # a failed handshake, or a client that left: its own business
            plain.close()
        finally:
            with self._lock:
                self._open -= 1


class Connection:
    """One TLS connection and the requests on it, one after the other."""

    def __init__(self, tls: ssl.SSLSocket, peer: str, number: int, handler: Handler) -> None:
        self._tls = tls
        self._peer = peer
        self._number = number
        self._handler = handler
        self._server_name: str = getattr(tls, "requested_name", "")
        self._buffer = bytearray()

    def serve(self) -> None:
        """Answers until either side closes."""
        try:
            while self._serve_one():
                pass
            self._say_goodbye()
        except Hangup as end:
            if end.reset:
                self._tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def send(self, data: bytes) -> None:
        """Sends all of it at once."""
        self._tls.sendall(data)

    def wait(self, seconds: float) -> None:
        """Waits. Throws ClientLeft as soon as the client closes the connection."""
        end = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self._tls, select.POLLIN)
        while (left := end - time.monotonic()) > 0:
            if not poll.poll(left * 1000):
                return
            self._tls.setblocking(False)
            try:
                data = self._tls.recv(_READ)
            except ssl.SSLWantReadError:
                continue
            except OSError:
                raise ClientLeft() from None
            finally:
                self._tls.setblocking(True)
            if not data:
                raise ClientLeft()
            self._buffer += data

    def _serve_one(self) -> bool:
        """Reads and answers one request; whether another one may follow."""
        head = self._read_head()
        if head is None:
            return False
        line, _, rest = head.partition("\r\n")
        try:
            method, target, version = _request_line(line)
            headers = _headers(rest)
            request = Request(method, target, headers, self._peer, self._number)
            length = _body_length(request)
        except ApiError as error:
            self._handler.note_unreadable(line, self._server_name, self._number)
            self.send(Reply(error.status, error.message.encode(), [("Connection", "close")]).encode())
            return False
        wants_close = request.header("connection").lower() == "close" or version == "HTTP/1.0"
        self._handler.handle(request, self._server_name, lambda: self._read_body(request, length), self)
        return not wants_close

    def _read_head(self) -> str | None:
        """The head without its last line end; None when the client closed between two requests."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > _MOST_HEAD:
                raise Hangup()
            data = self._tls.recv(_READ)
            if not data:
                return None
            self._buffer += data
        head = self._buffer[:end].decode("latin-1")
        del self._buffer[: end + 4]
        return head

    def _read_body(self, request: Request, length: int | None) -> bytes:
        if request.header("expect").lower() == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if length is not None:
            return self._take(length) if length else b""
        pieces = []
        while size := int(self._line().partition(b";")[0], 16):
            pieces.append(self._take(size))
            if self._line() or sum(map(len, pieces)) > _MOST_BODY:
                raise Hangup()
        while self._line():  # trailers
            pass
        return b"".join(pieces)

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            self._fill(_MOST_HEAD)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _take(self, length: int) -> bytes:
        while len(self._buffer) < length:
            self._fill(_MOST_BODY + _READ)
        data = bytes(self._buffer[:length])
        del self._buffer[:length]
        return data

    def _fill(self, most: int) -> None:
        data = self._tls.recv(_READ) if len(self._buffer) <= most else b""
        if not data:
            raise ClientLeft()
        self._buffer += data

    def _say_goodbye(self) -> None:
        """Ends TLS politely, so that the client knows that nothing was cut off."""
        self._tls.settimeout(0.5)
        with contextlib.suppress(OSError, ValueError):
            self._tls.unwrap()


def _keep_server_name(tls: ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
    tls.requested_name = name or ""  # type: ignore[attr-defined]


def _request_line(line: str) -> tuple[str, str, str]:
    words = line.split(" ")
    if len(words) != 3 or words[2] not in ("HTTP/1.1", "HTTP/1.0") or not words[1].startswith("/"):
        raise ApiError(400, "not a request line")
    if not words[0] or not _NAME_CHARACTERS.issuperset(words[0]):
        raise ApiError(400, "not a method")
    if not _TARGET.fullmatch(words[1]):
        raise ApiError(400, "the target contains characters that must be escaped")
    return words[0], words[1], words[2]


def _headers(text: str) -> Headers:
    headers = []
    for line in text.split("\r\n") if text else ():
        name, colon, value = line.partition(":")
        if not colon or not name or not _NAME_CHARACTERS.issuperset(name):
            raise ApiError(400, "not a header line")
        if "\n" in value or "\r" in value or "\0" in value:
            raise ApiError(400, "a header value contains a control character")
        headers.append((name, value.strip(" \t")))
    return headers


def _body_length(request: Request) -> int | None:
    """The length of the body, None when it comes in chunks. Throws ApiError for framing that could be read two ways."""
    if request.count("host") != 1:
        raise ApiError(400, "exactly one Host is needed")
    coding, length = request.header("transfer-encoding").lower(), request.header("content-length")
    if request.count("content-length") > 1 or request.count("transfer-encoding") > 1 or (coding and length):
        raise ApiError(400, "the framing is ambiguous")
    if coding:
        if coding != "chunked":
            raise ApiError(400, "the transfer coding is not supported")
        return None
    if length and not (length.isascii() and length.isdigit()):
        raise ApiError(400, "not a length")
    if int(length or 0) > _MOST_BODY:
        raise ApiError(413, "the body is too large")
    return int(length or 0)
