"""Checks of single values: each takes what the user wrote and returns what the build uses, or raises Bad."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import printable
from .findings import Bad
from .suggest import closest, listing

T = TypeVar("T")
Check = Callable[[Any], T]

_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_QUANTITY = r"\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([A-Za-z%]*)\s*"
_LARGEST = 1 << 53
_UNIT_FIX = 'Write a number and a unit, such as "16 MiB": B, kB, MB, GB, KiB, MiB or GiB.'


def shown(value: Any) -> str:
    """`value` for a message: bounded, printable, and with its type where the text does not tell."""
    try:
        text = printable(repr(value), 60)
    except Exception:  # a __repr__ of the user's
        text = "an object"
    if value is None or isinstance(value, bool | int | float | str | list | tuple | dict):
        return text
    return f"{text} ({type(value).__name__})"


def text(value: Any) -> str:
    """A non-empty string without control characters."""
    if not isinstance(value, str):
        raise Bad(f"must be a string, not {shown(value)}", "Write it in quotes.")
    if not value.strip():
        raise Bad("must not be empty", "Fill it in.", code="MB113")
    if len(value) > 4096 or any(ord(c) < 32 for c in value):
        raise Bad(f"must be one line of at most 4096 characters, not {shown(value)}", "Shorten it.", code="MB113")
    return str(value)


def path(value: Any) -> str:
    """A path as a string; `pathlib.Path` is one too."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise Bad(f"must be a path, not {shown(value)}", "Write the path in quotes, relative to the config.")
    return text(value)


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Bad(f"must be True or False, not {shown(value)}", "Write True or False.")
    return value


def choice(*known: str) -> Check[Any]:
    def check(value: Any) -> Any:
        if isinstance(value, str) and value in known:
            return str(value)
        near = closest(value, known) if isinstance(value, str) else None
        fix = f'Did you mean "{near}"?' if near else f"Write one of {listing(known)}, in quotes."
        raise Bad(f"must be {listing(known)}, not {shown(value)}", fix, code="MB113")

    return check


def whole(low: float, high: float) -> Check[int]:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Bad(f"must be a whole number, not {shown(value)}", f"Write a whole number {_limits(low, high)}.")
        return int(_within(value, low, high))

    return check


def number(low: float, high: float = math.inf) -> Check[float]:
    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Bad(f"must be a number, not {shown(value)}", f"Write a number {_limits(low, high)}.")
        if not math.isfinite(value):
            raise Bad(f"must be finite, not {value}", f"Write a number {_limits(low, high)}.", code="MB113")
        return float(_within(value, low, high))

    return check


def _within(value: float, low: float, high: float) -> float:
    if low <= value <= high:
        return value
    limits = _limits(low, high)
    raise Bad(f"must be a number {limits}, not {shown(value)}", f"Write a number {limits}.", code="MB113")


def _limits(low: float, high: float) -> str:
    if math.isinf(high):
        return "of any sign" if math.isinf(low) else f"of at least {low:g}"
    return f"from {low:g} to {high:g}"


def size(value: Any) -> int:
    """Bytes of 16777216, "16 MiB" or "25 MB" (kB, MB, GB count in thousands)."""
    if isinstance(value, str):
        amount, unit = _quantity(value, _UNITS, "a size", _UNIT_FIX)
        return _bytes(amount * _UNITS[unit], value)
    if isinstance(value, bool) or not isinstance(value, int):
        what = f'must be a size such as "16 MiB" or a whole number of bytes, not {shown(value)}'
        raise Bad(what, _UNIT_FIX)
    return _bytes(value, value)


def _bytes(amount: float, value: Any) -> int:
    if not 1 <= amount <= _LARGEST:
        raise Bad(f"must be at least 1 byte and at most 8 PiB, not {shown(value)}", _UNIT_FIX, code="MB113")
    return round(amount)


_TIMES = {"ms": 1.0, "s": 1000.0}
_TIME_FIX = 'Write a number and a unit, such as "50 ms" or "2 s".'


def milliseconds(value: Any) -> float:
    """50.0 of "50 ms", 2000.0 of "2 s"."""
    amount, unit = _quantity(text(value), _TIMES, "a time", _TIME_FIX)
    if amount <= 0:
        raise Bad(f"must be longer than nothing, not {shown(value)}", _TIME_FIX, code="MB113")
    return amount * _TIMES[unit]


def percent(value: Any) -> float:
    """0.02 of "2%"."""
    amount, _ = _quantity(text(value), {"%": 1}, "a percentage", 'Write a percentage, such as "2%".')
    return amount / 100


def _quantity(value: str, units: dict[str, Any], kind: str, fix: str) -> tuple[float, str]:
    match = re.fullmatch(_QUANTITY, value)
    if match is None:
        raise Bad(f"must be {kind}, not {shown(value)}", fix)
    unit = match[2].lower()
    if unit not in units:
        what = f'"{printable(match[2])}" is no unit' if unit else "the unit is missing"
        raise Bad(f"must be {kind}, not {shown(value)}: {what}", fix)
    return float(match[1]), unit


def sequence(check: Check[T]) -> Check[tuple[T, ...]]:
    """A list or tuple whose elements pass `check`."""

    def checked(value: Any) -> tuple[T, ...]:
        if isinstance(value, str):
            raise Bad(f"must be a list, not {shown(value)}", f"Write [{shown(value)}].")
        if not isinstance(value, list | tuple):
            raise Bad(f"must be a list, not {shown(value)}", "Write a list: [...].")
        return tuple(_element(check, index, element) for index, element in enumerate(value))

    return checked


def _element(check: Check[T], index: int, element: Any) -> T:
    try:
        return check(element)
    except Bad as bad:
        raise Bad(f"[{index}] {bad.what}", bad.fix, code=bad.code, path=(index, *bad.path)) from None


def optional(check: Check[T]) -> Check[T | None]:
    return lambda value: None if value is None else check(value)


def matching(expression: str, description: str) -> Check[str]:
    def check(value: Any) -> str:
        if not re.fullmatch(expression, text(value), re.ASCII):
            raise Bad(f"must be {description}, not {shown(value)}", "Mend the spelling.", code="MB113")
        return str(value)

    return check


def base_url(value: Any) -> str:
    """A URL prefix: "./", "/models/" or "https://cdn.example/models/"."""
    url = text(value)
    if not re.fullmatch(r"(\./|/(?!/)|https?://[^/\s\\?#]+/)[^\s\\?#]*", url):
        fix = 'Write "./" for files beside the loader, or a URL such as "/models/".'
        raise Bad(f'must start with "./", "/" or "https://", not {shown(value)}', fix, code="MB113")
    if not url.endswith("/"):
        raise Bad(f"must end with a slash, not {shown(value)}", f'Write "{url}/".', code="MB113")
    return url
