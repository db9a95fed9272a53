"""The portal's data: a JSON file, the rows in it, and the indexes over them.

The file is replaced in one step after every change, so a test may read it at any time. Use alone (`lastUsedOn`,
`lastAuthIp`) is only written together with the next change, or at the end.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seed import seed

Row = dict[str, Any]

_TABLES = ("roles", "users", "tokens", "devices")


class State:
    """All rows, in the order of their ids. `lock` covers every access; the portal takes it once for a request."""

    def __init__(self, path: Path, portal_name: str = "acme") -> None:
        """Reads the file, or makes it with the default seed when there is none."""
        self.path = path
        self.lock = threading.RLock()
        content: Row = json.loads(path.read_text("utf-8")) if path.exists() else seed(portal_name)
        self.portal: Row = content["portal"]
        self.master: Row = content["master"]
        self._tables: dict[str, dict[int, Row]] = {
            name: {row["id"]: row for row in sorted(content.get(name, []), key=lambda row: row["id"])}
            for name in _TABLES
        }
        self._next_ids: dict[str, int] = content.get("nextIds", {})
        self._by_access_id: dict[str, Row] = {}
        self._by_bearer: dict[str, Row] = {}
        for token in self._tables["tokens"].values():
            self._index(token)
        self.save()

    def table(self, name: str) -> dict[int, Row]:
        """The rows of a table by id, ascending. Changed only through `add` and `remove`; rows may be edited."""
        return self._tables[name]

    def rows(self, name: str) -> Iterator[Row]:
        """The rows of a table in the order of their ids."""
        return iter(self._tables[name].values())

    def add(self, name: str, row: Row, number: int | None = None) -> Row:
        """Gives the row an id that was never used before (or the given free one) and keeps it."""
        table = self._tables[name]
        if number is None:
            number = max(self._next_ids.get(name, 1), next(reversed(table), 0) + 1)
            self._next_ids[name] = number + 1
        row = {"id": number} | row
        in_order = number > next(reversed(table), 0)
        table[number] = row
        if not in_order:
            self._tables[name] = dict(sorted(table.items()))
        if name == "tokens":
            self._index(row)
        return row

    def remove(self, name: str, number: int) -> None:
        """Takes a row away; its id is not used again."""
        self._next_ids[name] = max(self._next_ids.get(name, 1), next(reversed(self._tables[name])) + 1)
        row = self._tables[name].pop(number)
        if name == "tokens":
            self._by_access_id.pop(row["accessId"], None)
            self._by_bearer.pop(row["accessKey"], None)

    def lmv1_token(self, access_id: str) -> Row | None:
        """The LMv1 token with this access id."""
        return self._by_access_id.get(access_id)

    def bearer_token(self, value: str) -> Row | None:
        """The Bearer token with this value."""
        return self._by_bearer.get(value)

    def user_tokens(self, user_id: int) -> list[Row]:
        """All tokens of a user, of both types."""
        return [token for token in self.rows("tokens") if token["adminId"] == user_id]

    def role_names(self, user: Row) -> list[str]:
        """The names of a user's roles."""
        roles = self._tables["roles"]
        return [roles[number]["name"] for number in user["roles"] if number in roles]

    def save(self) -> None:
        """Replaces the file: one line for each row, readable by its owner alone, since it holds secrets."""
        scratch = self.path.with_name(self.path.name + ".new")
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(self.to_json())
        os.replace(scratch, self.path)

    def to_json(self) -> str:
        """The text of the file."""
        parts = [f'"{name}": {json.dumps(value)}' for name, value in self._head().items()]
        for name in _TABLES:
            rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in self.rows(name))
            parts.append(f'"{name}": [\n{rows}\n]')
        return "{\n" + ",\n".join(parts) + "\n}\n"

    def _head(self) -> Row:
        return {"portal": self.portal, "master": self.master, "nextIds": self._next_ids}

    def _index(self, token: Row) -> None:
        if token["type"] == "BEARER":
            self._by_bearer[token["accessKey"]] = token
        else:
            self._by_access_id[token["accessId"]] = token
