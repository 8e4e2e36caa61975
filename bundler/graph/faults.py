"""Collects what is wrong with one model file, so that a user sees it all at once, up to a bound."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..catalogue import problem
from ..errors import InputError, Problem, printable

MOST = 10


@dataclass
class Faults:
    file: str
    problems: list[Problem] = field(default_factory=list)

    def add(self, code: str, what: str, fix: str | None = None) -> None:
        """Notes a problem; the last one that fits raises at once."""
        found = problem(code, what, fix=fix, file=self.file)
        if found not in self.problems:
            self.problems.append(found)
        if len(self.problems) >= MOST:
            self.check()

    def check(self) -> None:
        """Raises InputError when anything was noted."""
        if self.problems:
            raise InputError(*self.problems)


def quote(name: object) -> str:
    """A name from the model as messages show it. Invalid UTF-8 arrives from protobuf as bytes."""
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else str(name)
    return f'"{printable(text)}"'


def describe(node: Any) -> str:
    """A NodeProto for people: its operator and its name, or what it computes when it has none."""
    operator = quote(node.op_type)[1:-1] or "unnamed operator"
    if node.name:
        return f"node {quote(node.name)} ({operator})"
    outputs = [name for name in node.output if name]
    return f"the {operator} node that makes {quote(outputs[0])}" if outputs else f"a {operator} node without a name"
