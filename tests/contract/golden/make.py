#!/usr/bin/env python3
"""Makes the golden files of the present schema: a database as a released broker left it, what is in it, and its key
ring, whose key is invented. Run once for each version, with the binaries of its release:

    LMBROKER_BINARIES=build/release tests/contract/golden/make.py v1
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).resolve().parent
sys.path.append(str(GOLDEN.parents[1] / "blackbox"))

from broker import wait_for  # noqa: E402
from policies import POLICY  # noqa: E402
from world import PORTAL, World  # noqa: E402

_READER = f"{PORTAL}/admins/33"
_TOKENS = "/setting/admins/33/apitokens"
_RING = {
    "format": "lmbroker-keyring-1",
    "keys": [
        {
            "version": version,
            "state": state,
            "create_time": "2026-01-31T12:00:00Z",
            "key": base64.b64encode(f"key {version} of the golden key rings!!!".encode()).decode(),
        }
        for version, state in ((1, "active"), (2, "primary"))
    ],
}


def fill(world: World) -> dict[str, str]:
    """Something of every kind; the imported secrets by access id or name."""
    world.start()
    secrets = {"acme-root": world.portal.master["accessKey"]}
    for name, admin, kind in (("reader", 34, "LMV1"), ("bearer", 37, "BEARER")):
        secrets[name] = world.credential(name, admin, kind)["accessKey"]
    world.call("operator", "CredentialService/ToggleCredential", name=f"{PORTAL}/credentials/bearer", status=1)
    created = [
        world.call("manager", "TokenService/CreateToken", parent=_READER, token={"note": "Zoë – 東京 ✓"}),
        world.call("manager", "TokenService/CreateToken", parent=_READER, credential_id="writer", token={"type": 2}),
        world.call("handover", "TokenService/CreateToken", parent=_READER, hand_over=True).token,
        world.call("manager", "TokenService/CreateToken", parent=_READER),
    ]
    created = [each.token if hasattr(each, "token") else each for each in created]
    for token in created:
        if token.credential:
            row = next(row for row in world.token_rows(33) if row["id"] == int(token.name.rpartition("/")[2]))
            secrets[token.credential.rpartition("/")[2]] = row["accessKey"]
    world.call("operator", "CredentialService/DeleteCredential", name=created[-1].credential)
    # A create that never ended.
    world.portal.control("POST", "/reset")
    world.portal.control("POST", "/faults", {"name": "slow-head", "seconds": 60, "method": "POST", "path": _TOKENS})
    future = world.begin("manager", "TokenService/CreateToken", parent=_READER, token={"note": "never ended"})
    world.await_request(_TOKENS, method="POST", committed=True)
    world.kill()
    world.restart()
    future.cancel()
    return secrets


def describe(database: Path, secrets: dict[str, str]) -> list[str]:
    """The rows as golden_test.cc prints them, read without any code of the broker."""
    rows = sqlite3.connect(database)
    rows.row_factory = sqlite3.Row
    lines = []
    for row in rows.execute("SELECT * FROM credentials ORDER BY portal, id"):
        token = row["token_id"] and f"portals/{row['portal']}/admins/{row['token_admin']}/tokens/{row['token_id']}"
        digest = hashlib.sha256(secrets[row["id"]].encode()).hexdigest()
        lines.append(_line(
            "credential", f"portals/{row['portal']}/credentials/{row['id']}", row["type"], row["access_id"],
            row["master"], row["status"], row["state"], token, row["version"], row["create_time"], row["rotate_time"],
            row["last_use_time"], row["key_version"], digest,
        ))  # fmt: skip
    for row in rows.execute("SELECT * FROM tokens ORDER BY portal, admin, id"):
        lines.append(_line(
            "token", f"portals/{row['portal']}/admins/{row['admin']}/tokens/{row['id']}", row["type"], row["custody"],
            row["credential"], row["access_id"], row["create_time"],
        ))  # fmt: skip
    for row in rows.execute("SELECT * FROM creates WHERE phase IN ('INTENDED', 'COMMITTED') ORDER BY sequence"):
        lines.append(_line(
            "create", row["marker"], f"portals/{row['portal']}/admins/{row['admin']}", row["type"], row["note"],
            row["status"], row["hand_over"], row["credential"], row["caller"], row["phase"], row["token_id"],
            row["create_time"],
        ))  # fmt: skip
    rows.close()
    return lines


def _line(*values: Any) -> str:
    return " | ".join("-" if value is None else str(value) for value in values)


def main(version: str) -> None:
    world = World(POLICY)
    ring = world.folder / "keys/keyring.json"
    ring.write_text(json.dumps(_RING, indent=1) + "\n")
    secrets = fill(world)
    assert world.stop() == 0
    database = world.folder / "data/lmbroker.db"
    wait_for("one file", lambda: not database.with_name("lmbroker.db-wal").exists())
    shutil.copyfile(database, GOLDEN / f"{version}.db")
    shutil.copyfile(database.with_name("lmbroker.db.counter"), GOLDEN / f"{version}.counter")
    shutil.copyfile(ring, GOLDEN / "keyring.json")
    (GOLDEN / f"{version}.txt").write_text("".join(line + "\n" for line in describe(database, secrets)), "utf-8")
    world.close()


if __name__ == "__main__":
    main(sys.argv[1])
