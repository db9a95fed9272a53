"""The ingest API below `/rest`: logs, push metrics, properties. It has its own reply shapes, without error codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from body import inflated, parse_json
from message import ApiError, Reply, Request, json_reply

_LOG_BYTES = 8 << 20
_MESSAGE_BYTES = 32 << 10
_METRIC_BYTES = 1 << 20
_PROPERTY_METHODS = ("PUT", "PATCH")


def answer(request: Request) -> Reply:
    """The reply to an authenticated ingest call. Throws ApiError for unknown routes and bad bodies."""
    routes: dict[str, tuple[tuple[str, ...], Callable[[Request], Reply]]] = {
        "/log/ingest": (("POST",), _logs),
        "/metric/ingest": (("POST",), _metric),
        "/v2/metric/ingest": (("POST",), _metrics),
        "/resource_property/ingest": (_PROPERTY_METHODS, _metric),
        "/instance_property/ingest": (_PROPERTY_METHODS, _metric),
    }
    methods, handler = routes.get(request.decoded_resource, ((), _logs))
    if not methods:
        raise ApiError(404, "HTTP 404 Not Found")
    if request.method not in methods:
        raise ApiError(405, "HTTP 405 Method Not Allowed")
    return handler(request)


def error_reply(error: ApiError, now: float) -> Reply:
    """A refusal in the shape of this API."""
    if error.status == 400:
        return json_reply(400, {"success": False, "message": error.message, "errors": []})
    return json_reply(error.status, {"message": error.message, "timestamp": int(now * 1000)})


def _logs(request: Request) -> Reply:
    events = _body(request, list, _LOG_BYTES)
    errors = [problem for problem in map(_log_problem, events) if problem]
    if errors and len(errors) == len(events):
        return json_reply(400, {"success": False, "message": "Bad request", "errors": errors})
    if errors:
        return json_reply(207, {"success": False, "message": "Some events were not accepted", "errors": errors})
    return json_reply(202, {"success": True, "message": "Accepted"})


def _log_problem(event: Any) -> dict[str, Any] | None:
    if not isinstance(event, dict) or not isinstance(event.get("message", event.get("msg")), str):
        return {"code": 4001, "error": "an event is an object with a message", "event": event}
    if len(str(event.get("message", event.get("msg"))).encode("utf-8", "replace")) > _MESSAGE_BYTES:
        return {"code": 4002, "error": "the message is too long", "event": {}}
    return None


def _metric(request: Request) -> Reply:
    _body(request, dict, _METRIC_BYTES)
    return _accepted()


def _metrics(request: Request) -> Reply:
    _body(request, list, _METRIC_BYTES)
    return _accepted()


def _accepted() -> Reply:
    return json_reply(202, {"success": True, "message": "The payload has been accepted for processing", "errors": []})


def _body(request: Request, kind: type, most: int) -> Any:
    if len(inflated(request)) > most:
        raise ApiError(413, "The payload is too large")
    value = parse_json(request)
    if not isinstance(value, kind):
        raise ApiError(400, f"The payload must be a JSON {'array' if kind is list else 'object'}")
    return value
