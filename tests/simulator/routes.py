"""The management API's routes: which path and method leads to which function, and what right it takes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import tokens
from call import Call
from page import page
from records import DEVICES, ROLES, USERS, Collection

Handler = Callable[[Call], Any]


@dataclass(frozen=True)
class Route:
    """A pattern of a decoded resource path. Its text is also the key of the rate limit.

    `{id}` stands for a positive number, `{rest}` for everything. `right` is needed as `read` for GET and as `write`
    for other methods; "" means that every caller may.
    """

    pattern: str
    right: str
    handlers: dict[str, Handler]
    regex: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        text = re.escape(self.pattern).replace(r"\{id\}", r"([1-9]\d{0,9})").replace(r"\{rest\}", "(.+)")
        object.__setattr__(self, "regex", re.compile(text, re.DOTALL | re.ASCII))


def alert_stat(call: Call) -> Any:
    """Counts of alerts. Clients read the portal's version from the headers of this reply."""
    return {"total": 0, "critical": 0, "errors": 0, "warns": 0}


def company_setting(call: Call) -> Any:
    """The account's name and sizes."""
    return {
        "companyDisplayName": call.state.portal["name"],
        "numberOfDevices": len(call.state.table("devices")),
        "numOfWebsites": 0,
    }


def echo(call: Call) -> Any:
    """Says what arrived: the decoded path, the query pairs in order, and the body's length and SHA-256."""
    return {
        "method": call.request.method,
        "deviceId": call.ids[0],
        "path": call.request.decoded_resource,
        "segments": call.rest.split("/"),
        "query": [list(pair) for pair in parse_qsl(call.request.query_text, keep_blank_values=True)],
        "bodyLength": len(call.request.body),
        "bodySha256": hashlib.sha256(call.request.body).hexdigest(),
    }


def _collection(path: str, right: str, rows: Collection) -> list[Route]:
    one: dict[str, Handler] = {"GET": rows.get, "PUT": rows.replace, "PATCH": rows.update, "DELETE": rows.delete}
    return [Route(path, right, {"GET": rows.list, "POST": rows.create}), Route(path + "/{id}", right, one)]


def management_routes(access_log: Callable[[], list[dict[str, Any]]]) -> list[Route]:
    """All routes, the most used ones first."""

    def access_logs(call: Call) -> Any:
        return page(access_log(), call.query, call.knobs)

    one_token: dict[str, Handler] = {
        "GET": tokens.get,
        "PUT": tokens.replace,
        "PATCH": tokens.update,
        "DELETE": tokens.delete,
    }
    return [
        *_collection("/device/devices", "devices", DEVICES),
        Route("/device/devices/{id}/instances/{rest}", "devices", dict.fromkeys(_METHODS, echo)),
        Route("/setting/admins/apitokens", "useraccess", {"GET": tokens.list_all}),
        Route("/setting/admins/{id}/apitokens", "useraccess", {"GET": tokens.list_of_user, "POST": tokens.create}),
        Route("/setting/admins/{id}/apitokens/{id}", "useraccess", one_token),
        *_collection("/setting/admins", "useraccess", USERS),
        *_collection("/setting/roles", "useraccess", ROLES),
        Route("/alert/stat", "", {"GET": alert_stat}),
        Route("/setting/companySetting", "settings", {"GET": company_setting}),
        Route("/setting/accesslogs", "settings", {"GET": access_logs}),
    ]


_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
