"""The `filter=` grammar of list calls.

    filter     = group ("||" group)*                 OR of groups
    group      = condition ("," condition)*          AND of conditions
    condition  = field op value ("|" value)*         OR inside one field
    op         = ":" "!:" ">" "<" ">:" "<:" "~" "!~"
    field      = dotted name, or "_all" (only with ~ and !~)
    special    = field ":::" ("empty"|"null"), field "!::" ("empty"|"null")

Values stand bare or in double quotes; `*` is a wildcard with `:` and `!:`; a backslash takes a character literally,
and so does PowerShell's `%5C%28` for `\\(`. Text compares exactly with `:`, without regard to case with `~`.
Through a list, a condition holds when it holds for one of its elements.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from message import ApiError

Row = dict[str, Any]
Predicate = Callable[[Row], bool]

_CONDITION = re.compile(r"\s*([A-Za-z_][\w.]*)(!:|!~|>:|<:|:|~|>|<)(.*)", re.DOTALL)
_SPECIAL = re.compile(r"\s*([A-Za-z_][\w.]*)(:::|!::)(empty|null)\s*")
_DOUBLY_ESCAPED = re.compile(r"%5C%([0-9A-Fa-f]{2})")


def compile_filter(text: str) -> Predicate:
    """A test for rows. Throws ApiError 400 (code 14004) when the text does not follow the grammar."""
    text = _DOUBLY_ESCAPED.sub(lambda match: "\\" + chr(int(match.group(1), 16)), text)
    groups = [[_condition(part) for part in _split(group, ",")] for group in _split(text, "||")]
    return lambda row: any(all(holds(row) for holds in group) for group in groups)


def _split(text: str, separator: str) -> list[str]:
    """Splits at the separator where it is neither quoted nor escaped. A `|` beside another is never a single one."""
    parts, start, at, quoted = [], 0, 0, False
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        if text[at] == '"':
            quoted = not quoted
        elif not quoted and text.startswith(separator, at):
            parts.append(text[start:at])
            at += len(separator)
            start = at
            continue
        at += 1
    if quoted:
        raise ApiError(400, "Bad filter: a quote is not closed", 14004)
    return [*parts, text[start:]]


def _condition(text: str) -> Predicate:
    special = _SPECIAL.fullmatch(text)
    if special:
        field, op, what = special.groups()
        wanted = op == ":::"
        return lambda row: _is_absent(_values(row, field), what) == wanted
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise ApiError(400, "Bad filter: expected a field, an operator and a value", 14004)
    field, op, rest = match.groups()
    tests = [_test(op.lstrip("!") if op in ("!:", "!~") else op, value) for value in _split(rest, "|")]
    if field == "_all" and op not in ("~", "!~"):
        raise ApiError(400, "Bad filter: _all goes with ~ alone", 14004)
    negated = op.startswith("!")

    def holds(row: Row) -> bool:
        values = list(_leaves(row)) if field == "_all" else _values(row, field)
        return any(test(value) for value in values for test in tests) != negated

    return holds


def _test(op: str, text: str) -> Callable[[Any], bool]:
    """What one operator and one value ask of a single field value."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    plain = re.sub(r"\\(.)", r"\1", text)
    if op == "~":
        needle = plain.replace("*", "").lower()
        return lambda value: needle in _text(value).lower()
    if op == ":":
        if "*" in text:
            pieces = [re.escape(re.sub(r"\\(.)", r"\1", piece)) for piece in text.split("*")]
            pattern = re.compile(".*".join(pieces), re.DOTALL)
            return lambda value: pattern.fullmatch(_text(value)) is not None
        return lambda value: _text(value) == plain
    return lambda value: _ordered(value, op, plain)


def _ordered(value: Any, op: str, text: str) -> bool:
    left: Any
    right: Any
    try:
        left, right = float(value), float(text)
    except (TypeError, ValueError):
        left, right = _text(value), text
    if left == right:
        return op in (">:", "<:")
    return bool(left > right) == op.startswith(">")


def _values(row: Any, field: str) -> list[Any]:
    """All values that a dotted name leads to, through lists."""
    found = [row]
    for name in field.split("."):
        found = [item[name] for item in found if isinstance(item, dict) and name in item]
        found = [leaf for item in found for leaf in (item if isinstance(item, list) else [item])]
    return found


def _leaves(value: Any) -> Any:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _is_absent(values: list[Any], what: str) -> bool:
    if what == "null":
        return all(value is None for value in values)
    return all(value in (None, "") for value in values)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
