"""The default portal: what a state file holds when the simulator has to make it.

| user id | username        | what for |
|---------|-----------------|----------|
| 1       | admin           | a person with the built-in administrator role, which may not own new tokens |
| 2       | lmsupport       | LogicMonitor's own account, which may not own tokens either |
| 32      | svc-broker      | API only; user access and devices: write. Owns the master token (id 1000) |
| 33      | svc-reader      | API only; user access and devices: read |
| 34      | svc-devices     | API only; devices: read, no user access |
| 35      | svc-suspended   | API only, suspended |
| 36      | svc-ingest      | API only; traces and ingest alone |
| 37      | inventory       | API only; devices: write. For the keys of an ordinary service |
"""

from __future__ import annotations

import base64
import secrets
import string
import time
import uuid
from typing import Any

MASTER_TOKEN = 1000
MASTER_USER = 32
DEVICES = 300

_LETTERS = string.ascii_letters + string.digits
_KEY_ALPHABET = _LETTERS + "{}()[]^~=+%$&!"  # what real keys contain, hostile to shells and templates as it is


def new_access_id() -> str:
    """20 alphanumerics."""
    return "".join(secrets.choice(_LETTERS) for _ in range(20))


def new_access_key() -> str:
    """An LMv1 key: `lma_`, then 40 characters of which at least two are special."""
    while True:
        key = "".join(secrets.choice(_KEY_ALPHABET) for _ in range(40))
        if sum(not char.isalnum() for char in key) >= 2:
            return "lma_" + key


def new_bearer(access_id: str) -> str:
    """A Bearer value of 120 characters, from which the access id can be had back, like a real one."""
    nonce = base64.b64encode(secrets.token_bytes(16)).decode()
    owner = base64.b64encode(f"{access_id}:{nonce}".encode()).decode()
    number = base64.b64encode(str(uuid.uuid4()).encode()).decode()
    return f"lmb_{owner}L{number}L" + "".join(secrets.choice(_LETTERS) for _ in range(6))


def seed(portal: str) -> dict[str, Any]:
    """A new state, see README.md for its keys."""
    now = int(time.time())
    master = {
        "id": MASTER_TOKEN,
        "type": "LMV1",
        "accessId": new_access_id(),
        "accessKey": new_access_key(),
        "adminId": MASTER_USER,
        "note": "the broker's master token",
        "status": 2,
        "createdOn": now,
        "createdBy": "admin",
        "lastUsedOn": 0,
        "lastAuthIp": "",
    }
    return {
        "portal": {"name": portal, "host": f"{portal}.logicmonitor.com", "serverVersion": "231-7"},
        "master": {
            "accessId": master["accessId"],
            "accessKey": master["accessKey"],
            "adminId": MASTER_USER,
            "tokenId": MASTER_TOKEN,
        },
        "roles": _roles(),
        "users": _users(),
        "tokens": [master],
        "devices": [_device(number) for number in range(1, DEVICES + 1)],
    }


def _privilege(kind: str, thing: str, operation: str) -> dict[str, str]:
    return {"objectType": kind, "objectId": thing, "operation": operation}


def _roles() -> list[dict[str, Any]]:
    def role(number: int, name: str, *privileges: dict[str, str]) -> dict[str, Any]:
        return {"id": number, "name": name, "description": "", "privileges": list(privileges)}

    user_access, devices = ("setting", "useraccess.*"), ("host_group", "*")
    return [
        role(1, "administrator", _privilege("setting", "*", "write"), _privilege(*devices, "write")),
        role(2, "manager", _privilege(*devices, "write")),
        role(3, "readonly", _privilege(*user_access, "read"), _privilege(*devices, "read")),
        role(4, "ackonly", _privilege(*devices, "ack")),
        role(
            10,
            "broker",
            _privilege("setting", "*", "read"),
            _privilege(*user_access, "write"),
            _privilege(*devices, "write"),
        ),
        role(11, "devices-readonly", _privilege(*devices, "read")),
        role(12, "ingest", _privilege("traces", "*", "write")),
    ]


def _users() -> list[dict[str, Any]]:
    def user(number: int, name: str, role: int, **more: Any) -> dict[str, Any]:
        person = {"id": number, "username": name, "email": f"{name}@example.com", "roles": [role], "status": "active"}
        return person | {"apionly": True, "note": "", "createdBy": "admin"} | more

    return [
        user(1, "admin", 1, apionly=False),
        user(2, "lmsupport", 3, apionly=False),
        user(32, "svc-broker", 10),
        user(33, "svc-reader", 3),
        user(34, "svc-devices", 11),
        user(35, "svc-suspended", 3, status="suspended"),
        user(36, "svc-ingest", 12),
        user(37, "inventory", 2),
    ]


def _device(number: int) -> dict[str, Any]:
    name = f"10.0.{number // 250}.{number % 250 + 1}"
    return {
        "id": number,
        "name": name,
        "displayName": f"device-{number:03}",
        "type": 0,
        "deviceType": 0,
        "preferredCollectorId": 1 + number % 3,
        "hostGroupIds": "1",
        "description": "" if number % 5 else "東京 – rack ✓",
        "customProperties": [{"name": "site", "value": ("berlin", "austin", "pune")[number % 3]}],
    }
