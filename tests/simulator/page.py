"""Lists: filter, sort, page, and the choice of fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from filter import Row, compile_filter
from knobs import Knobs
from message import ApiError

DEFAULT_SIZE = 50
MOST = 1000


def page(rows: Iterable[Row], query: dict[str, str], knobs: Knobs) -> dict[str, Any]:
    """The page of `rows` that the query asks for, in LogicMonitor's wrapper."""
    chosen = list(rows)
    if query.get("filter"):
        chosen = list(filter(compile_filter(query["filter"]), chosen))
    if query.get("sort"):
        chosen = _sorted(chosen, query["sort"])
    elif knobs.default_order == "descending":
        chosen.reverse()
    offset = _number(query, "offset", 0)
    if offset < 0:
        raise ApiError(400, "offset must not be negative", 14004)
    shown = chosen[offset : offset + _size(query, knobs)]
    return {"total": len(chosen), "searchId": None, "items": [fields(row, query) for row in shown]}


def fields(row: Row, query: dict[str, str]) -> Row:
    """The row, reduced to the top-level names in `fields=`; names that it does not have are ignored."""
    names = query.get("fields")
    if not names:
        return row
    wanted = {name.strip() for name in names.split(",")}
    return {name: value for name, value in row.items() if name in wanted}


def _size(query: dict[str, str], knobs: Knobs) -> int:
    size = _number(query, "size", DEFAULT_SIZE)
    if size > MOST and knobs.oversize == "reject":
        raise ApiError(400, f"size must not exceed {MOST}", 14004)
    return MOST if size <= 0 else min(size, MOST)  # 0 and the old clients' -1 mean "as many as you give"


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise ApiError(400, f"{name} must be a number", 14004) from None


def _sorted(rows: list[Row], text: str) -> list[Row]:
    """`+id`, `-id`, `id`, and ` id`, which is what a raw `+` decodes to; several keys with commas."""
    for key in reversed(text.split(",")):
        name = key.lstrip("+- ")

        def order(row: Row, name: str = name) -> tuple[bool, Any]:
            value = row.get(name)
            return isinstance(value, (int, float)), value if isinstance(value, (int, float)) else str(value or "")

        rows.sort(key=order, reverse=key.startswith("-"))
    return rows
