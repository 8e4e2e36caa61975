"""Reads one declaration: its options come out checked, what is wrong goes to the findings."""

from __future__ import annotations

from typing import Any, TypeVar

from . import values
from .declare import Config, Declaration
from .files import Missing
from .findings import Bad, Findings
from .frame import Path
from .options import unknown
from .site import Site
from .steps import Reading
from .values import Check

T = TypeVar("T")

_NOTHING: Any = ""
"""Stands for a required option that is missing; the build never sees it."""


class Part:
    """One declaration while it is read: its options come out checked, or as their default with a finding."""

    def __init__(self, declared: Declaration, reading: Reading, entry: str = "") -> None:
        raw = declared.__dict__
        self.kind = type(declared)
        self.label = self.kind.__name__ if self.kind is not Config else "define_config"
        self.given: dict[str, Any] = raw["_given"]
        self.site: Site = raw["_site"]
        self.reading = reading
        self.findings: Findings = reading.findings
        self.entry = entry
        self._report_shape(raw["_extra"], raw["_twice"])

    def _report_shape(self, extra: tuple[Any, ...], twice: tuple[str, ...]) -> None:
        for name in self.given:
            if name not in self.kind.options:
                unknown(self.label, name, self.kind.options, self.findings, self.site, self.entry)
        for name in self.kind.required:
            if name not in self.given and not extra:
                self.report("MB111", f"{self.label} needs the option `{name}`.", fix=f"Write {self.label}({name}=...).")
        for name in twice:
            self.report("MB114", f"`{name}` of {self.label} is given twice.", (name,), key=True)
        if extra:
            first = self.kind.options[min(len(self.kind.positional), len(self.kind.options) - 1)]
            what = f"{self.label} takes its options by name, not by position."
            self.report("MB114", what, (len(self.kind.positional),), fix=f"Write {self.label}({first}=...).")

    def report(self, code: str, what: str, path: Path = (), *, fix: str | None = None, key: bool = False) -> None:
        """Adds a finding at `path` inside this declaration."""
        positional = self.kind.positional
        self.findings.at(code, what, self.site, path, fix=fix, key=key, positional=positional, entry=self.entry)

    def get(self, name: str, check: Check[T]) -> T:
        """The checked value of an option; its default when it is absent, and, with a finding, when it is wrong."""
        default: T = getattr(self.kind, name, _NOTHING)
        if name not in self.given:
            return default
        try:
            return check(self.given[name])
        except Bad as bad:
            if isinstance(bad, Missing):
                self.findings.missing.append(bad.missing)
            self.report(bad.code, f"`{name}` of {self.label} {bad.what}.", (name, *bad.path), fix=bad.fix)
            return default

    def part(self, name: str, kind: type[Declaration]) -> Part | None:
        """The declaration that is the value of an option, or None when there is none."""
        value = self.given.get(name)
        if value is None:
            return None
        if isinstance(value, kind):
            return Part(value, self.reading, self.entry)
        fix = f"Write {name}={kind.__name__}(...)."
        self.report(
            "MB112",
            f"`{name}` of {self.label} must be {kind.__name__}(...), not {values.shown(value)}.",
            (name,),
            fix=fix,
        )
        return None
