"""Rows that shift between two pages of a token list, as they do on a portal that others use at the same time."""

from __future__ import annotations

from dataclasses import dataclass

import tokens
from call import Call
from knobs import Knobs
from message import Request
from state import Row, State


@dataclass(slots=True)
class Shift:
    """After each of the next `pages` pages: deletes the `delete` tokens with the lowest ids (never the caller's own
    nor the master's), adds `front` tokens below the lowest id and `append` ones behind the highest."""

    pages: int = 0
    delete: int = 0
    front: int = 0
    append: int = 0
    user: int = 0  # whose tokens; 0 = anybody's for deleting, the master's owner for adding
    type: str = tokens.LMV1

    def clear(self) -> None:
        """No more shifts."""
        self.pages = 0

    def after_page(self, state: State, caller: str, now: float) -> None:
        """Shifts once, if a shift is pending."""
        if self.pages <= 0:
            return
        self.pages -= 1
        for token in self._oldest(state, {caller, state.master["accessId"]}):
            state.remove("tokens", token["id"])
        owner = state.table("users")[self.user or state.master["adminId"]]
        for _ in range(self.front):
            lowest = min(state.table("tokens"))
            if lowest > 1:
                add_token(state, owner, self.type, "shifted in front", now=now, number=lowest - 1)
        for _ in range(self.append):
            add_token(state, owner, self.type, "shifted behind", now=now)
        state.save()

    def _oldest(self, state: State, spared: set[str]) -> list[Row]:
        rows = [
            token
            for token in state.rows("tokens")
            if token["accessId"] not in spared and token["type"] == self.type and self.user in (0, token["adminId"])
        ]
        return rows[: self.delete]


def add_token(
    state: State, owner: Row, kind: str, note: str, status: int = 2, now: float = 0.0, number: int | None = None
) -> Row:
    """Adds a token past the API, as if an operator had made it in the portal's own pages."""
    operator = state.table("users")[min(state.table("users"))]
    call = Call(state, Knobs(), Request("POST", "/", []), now, operator, "")
    return tokens.mint(call, owner, kind, note, status, number)
