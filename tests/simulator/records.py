"""Users, roles and devices: three collections with the same six calls and different rules for a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tokens
from body import parse_object
from call import Call
from message import ApiError
from page import fields, page
from state import Row

_SECRET = ("password", "apiTokens")  # taken or ignored in a body, never kept


@dataclass(frozen=True, slots=True)
class Collection:
    """One table. `check` gets the whole new row, `show` gives the form for replies, `before_delete` may refuse."""

    table: str
    noun: str
    check: Callable[[Call, Row], None]
    show: Callable[[Call, Row], Row]
    before_delete: Callable[[Call, Row], None] = lambda call, row: None

    def list(self, call: Call) -> Any:
        """A page of rows."""
        return page([self.show(call, row) for row in call.state.rows(self.table)], call.query, call.knobs)

    def get(self, call: Call) -> Any:
        """One row."""
        return fields(self.show(call, self._row(call)), call.query)

    def create(self, call: Call) -> Any:
        """A new row."""
        row = _writable(parse_object(call.request))
        self.check(call, row)
        row = call.state.add(self.table, row)
        call.changed(f"Add {self.noun} - {row['id']}")
        return self.show(call, row)

    def replace(self, call: Call) -> Any:
        """PUT: the body is the row, but for its id."""
        return self._write(call, {})

    def update(self, call: Call) -> Any:
        """PATCH: the body's fields over those of the row."""
        return self._write(call, self._row(call))

    def delete(self, call: Call) -> Any:
        """Deletes the row."""
        row = self._row(call)
        self.before_delete(call, row)
        call.state.remove(self.table, row["id"])
        call.changed(f"Delete {self.noun} - {row['id']}")
        return {}

    def _write(self, call: Call, base: Row) -> Any:
        row = self._row(call)
        new = base | _writable(parse_object(call.request)) | {"id": row["id"]}
        self.check(call, new)
        row.clear()
        row.update(new)
        call.changed(f"Update {self.noun} - {row['id']}")
        return self.show(call, row)

    def _row(self, call: Call) -> Row:
        row = call.state.table(self.table).get(call.ids[0])
        if row is None:
            raise ApiError(404, "No such record")
        return row


def _writable(given: Row) -> Row:
    return {name: value for name, value in given.items() if name != "id" and name not in _SECRET}


def _text(row: Row, *names: str) -> None:
    for name in names:
        if not isinstance(row.get(name), str) or not row[name]:
            raise ApiError(400, f"{name} is required")


def _unique(call: Call, table: str, row: Row, name: str) -> None:
    if any(other[name] == row[name] and other["id"] != row.get("id") for other in call.state.rows(table)):
        raise ApiError(409, f"The {name} already exists")


def _check_user(call: Call, row: Row) -> None:
    _text(row, "username")
    _unique(call, "users", row, "username")
    roles = row.get("roles")
    if not isinstance(roles, list) or not roles:
        raise ApiError(400, "roles is required")
    row["roles"] = [_role_id(call, role) for role in roles]
    row.setdefault("status", "active")
    if row["status"] not in ("active", "suspended"):
        raise ApiError(400, "status is active or suspended")
    row.setdefault("apionly", False)
    row.setdefault("email", "")
    row.setdefault("createdBy", call.caller_name)


def _role_id(call: Call, role: Any) -> int:
    """A role is named by its id, bare or in an object, or by its name in an object."""
    given = role if isinstance(role, dict) else {"id": role}
    for row in call.state.rows("roles"):
        if row["id"] == given.get("id") or ("id" not in given and row["name"] == given.get("name")):
            return int(row["id"])
    raise ApiError(400, "roles names a role that does not exist")


def _show_user(call: Call, row: Row) -> Row:
    roles = call.state.table("roles")
    named = [{"id": number, "name": roles[number]["name"]} for number in row["roles"] if number in roles]
    kind = "API only" if row.get("apionly") else "Local"
    return row | {
        "name": row["username"],
        "displayName": row["username"],
        "type": "apionly" if row.get("apionly") else "local",
        "preferredCollectorId": 0,
        "roles": named,
        "userType": kind,
        "userPermission": call.right("useraccess") or "none",
        "apiTokens": [tokens.render(call, token) for token in call.state.user_tokens(row["id"])],
    }


def _before_user_delete(call: Call, row: Row) -> None:
    if row["id"] == call.user["id"]:
        raise ApiError(400, "A user cannot delete itself")
    for token in call.state.user_tokens(row["id"]):
        call.state.remove("tokens", token["id"])


def _check_role(call: Call, row: Row) -> None:
    _text(row, "name")
    _unique(call, "roles", row, "name")
    privileges = row.setdefault("privileges", [])
    wanted = {"objectType", "objectId", "operation"}
    if not isinstance(privileges, list) or not all(isinstance(one, dict) and wanted <= set(one) for one in privileges):
        raise ApiError(400, "privileges is a list of objectType, objectId and operation")


def _show_role(call: Call, row: Row) -> Row:
    users = sum(row["id"] in user["roles"] for user in call.state.rows("users"))
    return row | {"associatedUserCount": users, "userPermission": call.right("useraccess") or "none"}


def _before_role_delete(call: Call, row: Row) -> None:
    if any(row["id"] in user["roles"] for user in call.state.rows("users")):
        raise ApiError(400, "The role is still in use")


def _check_device(call: Call, row: Row) -> None:
    _text(row, "name", "displayName")
    _unique(call, "devices", row, "displayName")
    row.setdefault("type", 0)
    row.setdefault("preferredCollectorId", 1)


USERS = Collection("users", "user", _check_user, _show_user, _before_user_delete)
ROLES = Collection("roles", "role", _check_role, _show_role, _before_role_delete)
DEVICES = Collection("devices", "device", _check_device, lambda call, row: row)
