"""The fault modes: every way in which a portal, or something in front of it, is known to misbehave."""

from __future__ import annotations

import functools
import gzip
import json
import time
import zlib
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, NoReturn

from faults import Mode, Parameters, Stage, Wire
from message import Hangup, Reply, Request, json_reply
from portal import v1_refusal

Act = Callable[..., Any]

MODES: dict[str, Mode] = {}

_MIB = 1 << 20
_KIB = 1 << 10
_UNAVAILABLE = b"<html><body><h1>503</h1><p>The portal is temporarily unavailable.</p></body></html>\n"


def _mode(name: str, stage: Stage, about: str, /, **defaults: Any) -> Callable[[Act], Act]:
    def register(act: Act) -> Act:
        MODES[name] = Mode(name, stage, about, defaults, act)
        return act

    return register


# --- The connection ends without an answer --------------------------------------------------------


@_mode("drop-on-accept", Stage.ACCEPT, "closes a new connection before TLS; counts connections, not requests")
@_mode("drop-before-body", Stage.HEAD, "closes once the head is read, without reading the body")
@_mode("drop-before-commit", Stage.INSTEAD, "reads the request, closes without having carried it out", commit=0)
@_mode("drop-after-commit", Stage.INSTEAD, "carries the request out, closes without an answer", commit=1)
def _drop(values: Parameters, request: Request) -> NoReturn:
    raise Hangup()


@_mode("reset", Stage.INSTEAD, "ends the connection with a TCP reset instead of an answer", commit=0)
def _reset(values: Parameters, request: Request) -> NoReturn:
    raise Hangup(reset=True)


# --- Instead of the portal's reply ----------------------------------------------------------------


@_mode("unavailable", Stage.INSTEAD, "503 with an HTML page, as during an upgrade", retry_after=0, commit=0)
def _unavailable(values: Parameters, request: Request) -> Reply:
    return _retry_after(values, Reply(503, _UNAVAILABLE, [("Content-Type", "text/html;charset=UTF-8")]))


@_mode("internal-error", Stage.INSTEAD, "500 with errorCode 1500", commit=0)
def _internal_error(values: Parameters, request: Request) -> Reply:
    return json_reply(500, _error("Internal server error", 1500))


@_mode("rate-limited", Stage.INSTEAD, "429, nothing remaining", retry_after=0, limit=500, window=60, commit=0)
def _rate_limited(values: Parameters, request: Request) -> Reply:
    reply = _retry_after(values, json_reply(429, _error("Too many requests", 1429)))
    _rate_headers({"limit": values["limit"], "remaining": "0", "window": values["window"]}, request, reply)
    return reply


@_mode("status", Stage.INSTEAD, "any status, with an error body", status=401, code=0, message="Refused", commit=0)
def _status(values: Parameters, request: Request) -> Reply:
    status = values["status"]
    return json_reply(status, _error(values["message"], values["code"] or 1000 + status))


@_mode(
    "error-in-200", Stage.INSTEAD, "200 with an errorCode in the body", code=1069, message="No such record", commit=0
)
def _error_in_200(values: Parameters, request: Request) -> Reply:
    return json_reply(200, _error(values["message"], values["code"]))


@_mode("redirect", Stage.INSTEAD, "a redirect to another host", status=302, to="https://elsewhere.example", commit=0)
def _redirect(values: Parameters, request: Request) -> Reply:
    reply = json_reply(values["status"], {"moved": True})
    reply.set("Location", values["to"] + request.target)
    return reply


@_mode("malformed-json", Stage.INSTEAD, "200 with a body that is not JSON", text='{"total":1,"items":[', commit=0)
def _malformed_json(values: Parameters, request: Request) -> Reply:
    return Reply(200, values["text"].encode(), [("Content-Type", "application/json")])


# --- On the portal's reply ------------------------------------------------------------------------


@_mode("secret-echo", Stage.REPLY, "puts the Authorization header and the caller's key into body and headers")
def _secret_echo(values: Parameters, request: Request, reply: Reply) -> None:
    authorization, key = request.header("authorization"), request.secret
    echo = {
        "authorization": authorization,
        "accessKey": key,
        "message": f"the caller sent {authorization} and its key is {key}",
        "items": [{"id": 1, "accessKey": key, "nested": {"apiTokens": [{"accessKey": key}]}}],
    }
    reply.body = json.dumps(echo, ensure_ascii=False).encode("utf-8", "surrogatepass")
    reply.set("Content-Type", "application/json")
    for name, value in (("X-Echo-Authorization", authorization), ("X-Echo-Access-Key", key)):
        reply.set(name, value)
    reply.set("ETag", f'"{authorization}"')  # headers that a proxy would pass on
    reply.set("X-Request-Id", key)


@_mode("set-cookie", Stage.REPLY, "adds a session cookie", value="JSESSIONID=5A7F; Path=/santaba; Secure; HttpOnly")
def _set_cookie(values: Parameters, request: Request, reply: Reply) -> None:
    reply.set("Set-Cookie", values["value"])


@_mode("wrong-date", Stage.REPLY, "a Date header that is off; signatures are judged by the right clock", seconds=600)
def _wrong_date(values: Parameters, request: Request, reply: Reply) -> None:
    reply.set("Date", formatdate(time.time() + values["seconds"], usegmt=True))


@_mode("v1-envelope", Stage.REPLY, "answers as API v1, whatever version was asked for")
def _v1_envelope(values: Parameters, request: Request, reply: Reply) -> None:
    content = _object(reply)
    if reply.status >= 400:
        envelope = v1_refusal(content.get("errorCode", 1000 + reply.status), content.get("errorMessage", "Failed"))
    else:
        envelope = {"status": 200, "errmsg": "OK", "data": content}
    reply.status, reply.body = 200, json.dumps(envelope).encode()


@_mode(
    "rate-headers",
    Stage.REPLY,
    "other X-Rate-Limit headers; empty ones are left out",
    limit="",
    remaining="",
    window="",
)
def _rate_headers(values: Parameters, request: Request, reply: Reply) -> None:
    reply.remove("x-rate-limit-")
    for name in ("limit", "remaining", "window"):
        if str(values[name]):
            reply.set(f"X-Rate-Limit-{name.title()}", str(values[name]))


@_mode("header", Stage.REPLY, "sets one more header", header="X-Extra", value="1")
def _header(values: Parameters, request: Request, reply: Reply) -> None:
    reply.set(values["header"], values["value"])


@_mode("huge-header", Stage.REPLY, "adds header lines of this size", kib=256, lines=1)
def _huge_header(values: Parameters, request: Request, reply: Reply) -> None:
    reply.headers += [(f"X-Filler-{line}", "f" * (values["kib"] * _KIB)) for line in range(values["lines"])]


@_mode("omit-field", Stage.REPLY, "takes a top-level field out of the JSON body", field="accessKey")
def _omit_field(values: Parameters, request: Request, reply: Reply) -> None:
    content = _object(reply)
    content.pop(values["field"], None)
    reply.body = json.dumps(content).encode()


@_mode("gzip-body", Stage.REPLY, "compresses the body, asked or not; with `mib` it is a bomb", mib=0)
def _gzip_body(values: Parameters, request: Request, reply: Reply) -> None:
    reply.body = _bomb(values["mib"]) if values["mib"] else gzip.compress(reply.body)
    reply.set("Content-Encoding", "gzip")


@functools.lru_cache(maxsize=2)
def _bomb(mib: int) -> bytes:
    """JSON of so many MiB, compressed to a thousandth."""
    squeeze = zlib.compressobj(level=9, wbits=31)
    pieces = [squeeze.compress(b'{"filler":"')]
    pieces += [squeeze.compress(b"f" * _MIB) for _ in range(mib)]
    return b"".join([*pieces, squeeze.compress(b'"}'), squeeze.flush()])


# --- While sending --------------------------------------------------------------------------------


@_mode("truncated-body", Stage.WIRE, "closes after a part of the body", keep=0.5)
def _truncated_body(values: Parameters, wire: Wire, reply: Reply) -> NoReturn:
    data = reply.encode()
    wire.send(data[: len(data) - len(reply.body) + int(len(reply.body) * values["keep"])])
    raise Hangup()


@_mode("wrong-length", Stage.WIRE, "a Content-Length that is off by so many bytes", by=-3)
def _wrong_length(values: Parameters, wire: Wire, reply: Reply) -> None:
    wire.send(reply.head(f"Content-Length: {len(reply.body) + values['by']}") + reply.body)


@_mode("conflicting-length", Stage.WIRE, "two framings at once: two lengths, or a length and chunked", chunked=0)
def _conflicting_length(values: Parameters, wire: Wire, reply: Reply) -> None:
    other = "Transfer-Encoding: chunked" if values["chunked"] else f"Content-Length: {len(reply.body) + 7}"
    body = _chunks(reply.body, len(reply.body)) if values["chunked"] else reply.body
    wire.send(reply.head(f"Content-Length: {len(reply.body)}\r\n{other}") + body)


@_mode("slow-head", Stage.WIRE, "waits before it answers what it has carried out", seconds=1.0)
def _slow_head(values: Parameters, wire: Wire, reply: Reply) -> None:
    wire.wait(values["seconds"])
    wire.send(reply.encode())


@_mode("slow-body", Stage.WIRE, "sends head and body in dribbles", bytes=1, seconds=0.05)
def _slow_body(values: Parameters, wire: Wire, reply: Reply) -> None:
    data = reply.encode()
    step = max(1, values["bytes"])
    for at in range(0, len(data), step):
        wire.send(data[at : at + step])
        wire.wait(values["seconds"])


@_mode("close-after-reply", Stage.WIRE, "a good reply, then the connection closes", announce=0)
def _close_after_reply(values: Parameters, wire: Wire, reply: Reply) -> NoReturn:
    if values["announce"]:
        reply.set("Connection", "close")
    wire.send(reply.encode())
    raise Hangup()


@_mode("huge-body", Stage.WIRE, "a JSON body of this size", mib=64, chunked=0)
def _huge_body(values: Parameters, wire: Wire, reply: Reply) -> None:
    pieces, opening, closing = values["mib"], b'{"filler":"', b'"}'
    length = len(opening) + pieces * _MIB + len(closing)
    wire.send(reply.head("Transfer-Encoding: chunked" if values["chunked"] else f"Content-Length: {length}"))
    for piece in (opening, *[b"f" * _MIB] * pieces, closing):
        wire.send(b"%x\r\n%b\r\n" % (len(piece), piece) if values["chunked"] else piece)
    if values["chunked"]:
        wire.send(b"0\r\n\r\n")


@_mode("chunked-body", Stage.WIRE, "the same body in chunks of this size", size=7)
def _chunked_body(values: Parameters, wire: Wire, reply: Reply) -> None:
    wire.send(reply.head("Transfer-Encoding: chunked") + _chunks(reply.body, values["size"]))


@_mode("garbage", Stage.WIRE, "bytes that are not HTTP, then closes", text="\x00\x01SSH-2.0-not-a-portal\r\n")
def _garbage(values: Parameters, wire: Wire, reply: Reply) -> NoReturn:
    wire.send(values["text"].encode())
    raise Hangup()


@_mode("two-replies", Stage.WIRE, "two replies to one request")
def _two_replies(values: Parameters, wire: Wire, reply: Reply) -> None:
    wire.send(reply.encode() + json_reply(200, {"smuggled": True}).encode())


@_mode("continue-first", Stage.WIRE, "an unasked 100 Continue, then the reply", times=1)
def _continue_first(values: Parameters, wire: Wire, reply: Reply) -> None:
    wire.send(b"HTTP/1.1 100 Continue\r\n\r\n" * values["times"] + reply.encode())


def help_text() -> str:
    """The modes with their parameters, by stage."""
    lines = []
    for stage in Stage:
        lines.append(f"  {stage.value}:")
        for mode in MODES.values():
            if mode.stage is stage:
                values = " ".join(f"{name}={value!r}" for name, value in mode.defaults.items())
                lines.append(f"    {mode.name:<19}{mode.help}" + (f"  [{values}]" if values else ""))
    return "\n".join(lines)


def _error(message: str, code: int) -> dict[str, Any]:
    return {"errorMessage": message, "errorCode": code, "errorDetail": None}


def _object(reply: Reply) -> dict[str, Any]:
    """The body as a JSON object; an empty one when it is none."""
    try:
        content = json.loads(reply.body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _retry_after(values: Parameters, reply: Reply) -> Reply:
    if values["retry_after"]:
        reply.set("Retry-After", str(values["retry_after"]))
    return reply


def _chunks(body: bytes, size: int) -> bytes:
    step = max(1, size)
    pieces = [body[at : at + step] for at in range(0, len(body), step)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
