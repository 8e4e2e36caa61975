"""JSON of which nothing is believed: a check for the type, range and shape of each field.

A check takes (value, where it stands) and returns the value as what it was checked to be, or raises Invalid.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

from ..catalogue import problem
from ..errors import InputError, printable

T = TypeVar("T")
Check = Callable[[Any, str], T]
_MOST = 2**53 - 1


class Invalid(Exception):
    """(where, what it must be)."""


def json_object(data: bytes, path: str, most: int) -> dict[str, Any]:
    """The object in `data`, each key once. InputError MB420 no JSON object, MB422 content; `path` is for messages."""
    if len(data) > most:
        raise InputError(problem("MB420", f"It has more than {most >> 20} MiB.", file=path))
    try:
        value = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(problem("MB420", "It is not JSON.", file=path)) from error
    except Invalid as invalid:
        where, wanted = invalid.args
        raise InputError(problem("MB422", f"{printable(where)} must be {wanted}.", file=path)) from invalid
    if not isinstance(value, dict):
        raise InputError(problem("MB420", "It is JSON, but not an object.", file=path))
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for index, (key, _) in enumerate(pairs) if key in dict(pairs[:index]))
        raise Invalid(f'the key "{twice}"', "there once")
    return found


def _constant(text: str) -> Any:
    raise Invalid(text, "a number that JSON has")


def require(holds: bool, at: str, wanted: str) -> None:
    if not holds:
        raise Invalid(at, wanted)


def require_unique(names: list[str], at: str) -> None:
    require(len(set(names)) == len(names), at, "free of equal names")


def object_of(value: Any, at: str, needed: set[str]) -> dict[str, Any]:
    fields = table(value, at)
    for key in sorted(needed - fields.keys()):
        raise Invalid(f"{at}.{key}", "there")
    return fields


def table(value: Any, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Invalid(at, "an object")
    return value


def field(fields: dict[str, Any], at: str, key: str, check: Check[T]) -> T:
    return check(fields[key], f"{at}.{key}")


def text(pattern: re.Pattern[str]) -> Check[str]:
    def check(value: Any, at: str) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise Invalid(at, f"text like {pattern.pattern}")
        return value

    return check


def integer(value: Any, at: str) -> int:
    if type(value) is not int or not 0 <= value <= _MOST:
        raise Invalid(at, f"an integer from 0 to {_MOST}")
    return value


def number(value: Any, at: str) -> float:
    if type(value) not in (int, float) or not -1e308 <= value <= 1e308:
        raise Invalid(at, "a finite number")
    return float(value)


def one_of(options: tuple[Any, ...]) -> Check[Any]:
    def check(value: Any, at: str) -> Any:
        if not any(value is option or (isinstance(option, str) and value == option) for option in options):
            raise Invalid(at, f"one of {', '.join(map(str, options))}")
        return value

    return check


def list_of(item: Check[T]) -> Check[tuple[T, ...]]:
    def check(value: Any, at: str) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise Invalid(at, "a list")
        return tuple(item(each, f"{at}[{index}]") for index, each in enumerate(value))

    return check


def nullable(item: Check[T]) -> Check[T | None]:
    return lambda value, at: None if value is None else item(value, at)
