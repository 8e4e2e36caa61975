"""Fills templates with JSON data, and does nothing else.

A template is a file of its own language in which `"__NAME__"` stands for a JSON value and `"__NAME__/rest"` for a text
that begins with one. A line that ends in `//@each items` is repeated for each item. Values go in as JSON whose
every character is ASCII and none is `<`, `>` or `&`, so that no name can end a script, a string or a comment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_PLACE = re.compile(r'"__([A-Z]+)__([^"\n]*)"')
_EACH = re.compile(r" *//@each ([a-z]+)\n")


def literal(value: Any) -> str:
    """`value` as JSON that is also JavaScript and TypeScript, safe inside HTML."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def fill(template: str, values: Mapping[str, Any], lists: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """`template` with `values` in its places and each marked line once for each item of its list."""
    return "".join(_line(line, values, lists) for line in template.splitlines(keepends=True))


def _line(line: str, values: Mapping[str, Any], lists: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    marked = _EACH.search(line)
    if marked is None:
        return _places(line, values)
    plain = line[: marked.start()] + "\n"
    return "".join(_places(plain, {**values, **item}) for item in lists[marked[1]])


def _places(line: str, values: Mapping[str, Any]) -> str:
    def put(match: re.Match[str]) -> str:
        value = values[match[1]]
        return literal(value + match[2] if match[2] else value)

    return _PLACE.sub(put, line)
