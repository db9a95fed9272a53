"""API tokens: the resource, and how the portal shows it.

The secret is in the reply to a create and nowhere else; how much of it a later reply shows is the knob `key_mask`.
"""

from __future__ import annotations

from typing import Any

from body import parse_object
from call import Call
from message import ApiError
from page import fields, page
from seed import new_access_id, new_access_key, new_bearer
from state import Row

DISABLED, ENABLED = 1, 2
LMV1, BEARER = "LMV1", "BEARER"

_CLEAR_CHARACTERS = 20  # of a secret under the mask `prefix`


def list_all(call: Call) -> Any:
    """The tokens of the whole portal: LMv1 ones, or Bearer ones with `type=bearer`."""
    return _page(call, list(call.state.rows("tokens")))


def list_of_user(call: Call) -> Any:
    """The tokens of one user, by the same rules."""
    owner = _owner(call)
    return _page(call, call.state.user_tokens(owner["id"]))


def get(call: Call) -> Any:
    """One token. The real API does not document this call, so it is off by default."""
    if not call.knobs.get_one_token:
        raise ApiError(404, "HTTP 404 Not Found", 1400)
    return fields(render(call, _token(call)), call.query)


def create(call: Call) -> Any:
    """A new token, with its secret in clear."""
    if not call.request.body:
        raise ApiError(400, "The request body must not be empty")
    values = _values(call, parse_object(call.request))
    kind = {"bearer": BEARER, "API Token": LMV1}.get(call.query.get("type", "API Token"))
    if kind is None:
        raise ApiError(400, "type is bearer or API Token")
    owner = _owner(call)
    _check_owner(call, owner)
    token = mint(call, owner, kind, values.get("note", ""), values.get("status", ENABLED))
    call.changed(f"Add new api token - {token['accessId']} for {owner['username']}")
    return render(call, token) | {"accessKey": token["accessKey"]}


def mint(call: Call, owner: Row, kind: str, note: str, status: int, number: int | None = None) -> Row:
    """Makes and keeps a token."""
    access_id = new_access_id()
    row = {
        "type": kind,
        "accessId": access_id,
        "accessKey": new_bearer(access_id) if kind == BEARER else new_access_key(),
        "adminId": owner["id"],
        "note": note,
        "status": status,
        "createdOn": int(call.now),
        "createdBy": call.caller_name,
        "lastUsedOn": 0,
        "lastAuthIp": "",
    }
    return call.state.add("tokens", row, number)


def replace(call: Call) -> Any:
    """PUT: what the body does not name gets its default, so a note alone enables a disabled token."""
    token = _token(call)
    values = _values(call, parse_object(call.request))
    token.update({"status": ENABLED} | values)
    call.changed(f"Update api tokens - {token['accessId']}")
    return render(call, token)


def update(call: Call) -> Any:
    """PATCH: changes what the body names; with `patchFields` only what that names as well."""
    token = _token(call)
    values = _values(call, parse_object(call.request))
    if "patchFields" in call.query:
        wanted = {name.strip() for name in call.query["patchFields"].split(",")}
        values = {name: value for name, value in values.items() if name in wanted}
    token.update(values)
    call.changed(f"Update api tokens - {token['accessId']}")
    return render(call, token)


def delete(call: Call) -> Any:
    """Deletes a token for good."""
    token = _token(call)
    call.state.remove("tokens", token["id"])
    call.changed(f"Delete api tokens - {token['accessId']}")
    return {}


def render(call: Call, token: Row) -> Row:
    """A token as replies show it, without its clear secret unless the mask says so."""
    owner = call.state.table("users")[token["adminId"]]
    shown = {name: token[name] for name in ("id", "accessId")}
    masked = _masked(token, call.knobs.key_mask)
    if masked is not None:
        shown["accessKey"] = masked
    shown |= {"adminId": owner["id"], "adminName": owner["username"], "roles": call.state.role_names(owner)}
    shown |= {name: token[name] for name in ("status", "note", "createdOn", "createdBy", "lastUsedOn", "lastAuthIp")}
    shown["userPermission"] = call.right("useraccess") or "none"
    kind = _type_field(token, call.knobs.token_type_field)
    if kind is not None:
        shown["type"] = kind
    return shown


def _page(call: Call, tokens: list[Row]) -> Any:
    kind = call.query.get("type", "")
    wanted = {"": LMV1, "bearer": BEARER}.get(kind)  # any other value gives an empty list
    rows = [token for token in tokens if token["type"] == wanted]
    if kind == "bearer" and call.query.get("permission") == "traces":
        users = call.state.table("users")
        rows = [token for token in rows if call.rights_of(users[token["adminId"]]).get("traces")]
    shown = page([render(call, token) for token in rows], call.query, call.knobs)
    call.listed_tokens()
    return shown


def _masked(token: Row, mask: str) -> str | None:
    secret = str(token["accessKey"])
    if mask == "default":
        mask = "prefix" if token["type"] == BEARER else "omit"
    if mask == "prefix":
        return secret[:_CLEAR_CHARACTERS] + "*" * (len(secret) - _CLEAR_CHARACTERS)
    return {"omit": None, "stars": "*" * 8, "clear": secret}[mask]


def _type_field(token: Row, mode: str) -> Any:
    bearer = token["type"] == BEARER
    return {
        "off": None,
        "bearer": "bearer" if bearer else None,
        "name": "Bearer" if bearer else "LMv1",
        "number": 1 if bearer else 0,
    }[mode]


def _owner(call: Call) -> Row:
    owner = call.state.table("users").get(call.ids[0])
    if owner is None:
        raise ApiError(404, "No such record")
    return owner


def _token(call: Call) -> Row:
    token = call.state.table("tokens").get(call.ids[1])
    if token is None or token["adminId"] != call.ids[0]:
        raise ApiError(404, "No such record")
    return token


def _check_owner(call: Call, owner: Row) -> None:
    barred = owner["username"] == "lmsupport" or "administrator" in call.state.role_names(owner)
    if barred and not call.knobs.admin_tokens:
        raise ApiError(403, "API tokens cannot be created for users with the Administrator role")
    if len(call.state.user_tokens(owner["id"])) >= call.knobs.tokens_per_user:
        raise ApiError(400, "The user has too many API tokens")


def _values(call: Call, given: Row) -> Row:
    """The writable fields of a body, checked. Everything else in it is ignored."""
    values = {name: given[name] for name in ("note", "status") if given.get(name) is not None}
    if not isinstance(values.get("note", ""), str) or len(values.get("note", "")) > call.knobs.note_limit:
        raise ApiError(400, f"note is text of at most {call.knobs.note_limit} characters")
    if values.get("status", ENABLED) not in (DISABLED, ENABLED) or isinstance(values.get("status"), bool):
        raise ApiError(400, "status is 1 or 2")
    return values
