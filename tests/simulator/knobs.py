"""Knobs: how the portal behaves where LogicMonitor's own behaviour varies or is not known.

Each default is the decision of the project's fact sheet. Knobs are set with `--knob NAME=VALUE` or, while the
simulator runs, with `PATCH /_control/knobs`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

_CHOICES: dict[str, tuple[str, ...]] = {
    "path_form": ("either", "decoded", "raw"),
    "key_mask": ("default", "omit", "stars", "prefix", "clear"),
    "token_type_field": ("off", "bearer", "name", "number"),
    "oversize": ("clamp", "reject"),
    "default_order": ("ascending", "descending"),
}


@dataclass(slots=True)
class Knobs:
    """All knobs. Times are in seconds."""

    clock_offset: float = 0.0  # the portal's clock minus this machine's
    clock_window: float = 1800.0  # accepted age, either way, of an LMv1 epoch
    path_form: str = "either"  # over which form of the path a signature may be made
    bearer_any_version: bool = False  # Bearer also without X-Version 3 or 4 on the management API
    key_mask: str = "default"  # accessKey in lists; default: LMv1 omit, Bearer prefix
    token_type_field: str = "off"  # `type` in token replies
    get_one_token: bool = False  # GET of a single token works
    admin_tokens: bool = False  # users with the Administrator role, and lmsupport, may own new tokens
    note_limit: int = 1024  # characters
    tokens_per_user: int = 100000
    oversize: str = "clamp"  # what a page size above 1000 leads to
    default_order: str = "ascending"  # of ids in a list without `sort`
    lockout_failures: int = 0  # failed calls in a row that lock an access id; 0 = never
    lockout_seconds: float = 300.0
    rate_window: float = 60.0
    retry_after: int = 0  # Retry-After on 429 replies of the management API; 0 = none

    def assign(self, name: str, value: Any) -> None:
        """Sets one knob from text or from JSON. Throws ValueError with a sentence that names the knob."""
        types: dict[str, type[Any]] = {field.name: type(field.default) for field in fields(self)}
        if name not in types:
            raise ValueError(f"no knob is named {name!r}; there are {', '.join(sorted(types))}")
        if types[name] is bool:
            if str(value).lower() not in ("true", "false", "1", "0"):
                raise ValueError(f"knob {name} is true or false")
            value = str(value).lower() in ("true", "1")
        try:
            converted = types[name](value)
        except (TypeError, ValueError):
            raise ValueError(f"knob {name} takes a {types[name].__name__}") from None
        if name in _CHOICES and converted not in _CHOICES[name]:
            raise ValueError(f"knob {name} is one of {', '.join(_CHOICES[name])}")
        setattr(self, name, converted)

    def to_json(self) -> dict[str, Any]:
        """Names and values."""
        return asdict(self)


def help_text() -> str:
    """One line for each knob."""
    lines = []
    for field in fields(Knobs):
        choices = f"  ({' | '.join(_CHOICES[field.name])})" if field.name in _CHOICES else ""
        lines.append(f"  {field.name}={field.default}{choices}")
    return "\n".join(lines)
