"""The row of the diagnostics catalogue."""

from __future__ import annotations

from typing import NamedTuple


class Diagnostic(NamedTuple):
    title: str
    why: str
    fix: str
    """Default remedy; a call may give a more exact one."""
