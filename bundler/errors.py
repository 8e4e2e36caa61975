"""Everything that can go wrong, as data.

    MbundleError                 what a user can mend; carries Problems
    ├── ConfigError       (2)    model.config.py: cannot be read, or says something we refuse
    ├── UsageError        (2)    the command line
    ├── InputError        (1)    a model or a file it needs
    ├── StepError         (1)    a loader failed, broke the model, or died in its child process
    ├── OutputError       (1)    the output or cache folder cannot be written
    ├── BudgetError       (4)    a budget is over
    └── Interrupted     (130)    Ctrl-C
    BugError              (3)    an invariant of ours does not hold

The number is the exit status. One catalogue (`catalogue.py`) holds every code with what it means, why
it matters and how to mend it; a Problem adds where. Messages are written for a front-end developer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. `code` is a key of the catalogue; `severity` is "error" or "warning"."""

    code: str
    what: str
    """One sentence: what is wrong, with the tensor, node or option named."""
    fix: str
    """One sentence, imperative: what the user does about it."""
    file: str = ""
    """Path as the user wrote it, relative to the project root where that is possible."""
    line: int | None = None
    frame: str = ""
    """Code frame into model.config.py, already rendered as plain text."""
    entry: str = ""
    step: str = ""
    severity: str = "error"

    def as_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if value not in ("", None)}


class MbundleError(Exception):
    """A failure that the user can mend. Never shown with a traceback."""

    exit_status = 1

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(f"{p.code}: {p.what}" for p in problems))
        self.problems: tuple[Problem, ...] = problems

    def __reduce__(self) -> tuple[Any, ...]:  # crosses process boundaries
        return (type(self), self.problems)


class ConfigError(MbundleError):
    exit_status = 2
    inputs: tuple[str, ...] = ()
    """Absolute paths whose change makes another try worth while; for watch mode."""


class UsageError(MbundleError):
    exit_status = 2


class InputError(MbundleError):
    exit_status = 1


class StepError(MbundleError):
    exit_status = 1


class OutputError(MbundleError):
    exit_status = 1


class BudgetError(MbundleError):
    exit_status = 4


class Interrupted(MbundleError):
    exit_status = 130


class BugError(Exception):
    """An invariant of mbundle itself does not hold: exit status 3, with a log to paste into an issue."""

    exit_status = 3


def printable(text: str, limit: int = 120) -> str:
    """`text` from an untrusted file made safe for a terminal: no control characters, no bidi overrides, bounded."""
    shown = "".join(c if c.isprintable() and c not in _BIDI else f"\\u{ord(c):04x}" for c in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


def merge(errors: Sequence[MbundleError]) -> MbundleError:
    """One error that carries all problems of `errors`; its class is that of the gravest (highest exit status)."""
    worst = max(errors, key=lambda error: error.exit_status)
    return type(worst)(*(problem for error in errors for problem in error.problems))
