"""One authenticated call: what a resource needs to answer it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from knobs import Knobs
from message import Request
from state import Row, State

# What a privilege (objectType, objectId) gives access to.
_MEANING = {
    ("setting", "*"): ("settings", "useraccess"),
    ("setting", "useraccess.*"): ("useraccess",),
    ("host_group", "*"): ("devices",),
    ("traces", "*"): ("traces",),
}


@dataclass(slots=True)
class Call:
    """A request whose caller is known. Lives while the state's lock is held."""

    state: State
    knobs: Knobs
    request: Request
    now: float  # the portal's clock, Unix seconds
    user: Row  # who calls
    access_id: str  # with which token
    ids: list[int] = field(default_factory=list)  # the numbers in the path
    rest: str = ""  # what stands for {rest} in the path, decoded
    query: dict[str, str] = field(default_factory=dict)
    audit: Callable[[str, str], None] = lambda username, text: None
    listed_tokens: Callable[[], None] = lambda: None  # after each page of tokens
    _rights: dict[str, str] | None = None

    @property
    def caller_name(self) -> str:
        """The calling user's name."""
        return str(self.user["username"])

    def right(self, what: str) -> str | None:
        """The caller's right on a kind of thing: `write`, `read` or None."""
        if self._rights is None:
            self._rights = self.rights_of(self.user)
        return self._rights.get(what)

    def rights_of(self, user: Row) -> dict[str, str]:
        """A user's rights, from the privileges of all its roles."""
        rights: dict[str, str] = {}
        roles = self.state.table("roles")
        for number in user["roles"]:
            for privilege in roles[number]["privileges"] if number in roles else []:
                if privilege["operation"] not in ("read", "write"):
                    continue
                for what in _MEANING.get((privilege["objectType"], privilege["objectId"]), ()):
                    if rights.get(what) != "write":
                        rights[what] = privilege["operation"]
        return rights

    def changed(self, text: str) -> None:
        """Writes the audit line of a change, and the state."""
        self.audit(self.caller_name, f"{text} via API token {self.access_id}")
        self.state.save()
