"""Collects everything that is wrong with a config, each finding with its place in the user's code."""

from __future__ import annotations

import os

from ..catalogue import problem
from ..errors import ConfigError, Problem
from .frame import Path, Sources, Span
from .site import Site


class Bad(Exception):
    """A value that a check refuses. `what` continues the sentence "`size` of Budget ..."."""

    def __init__(self, what: str, fix: str | None = None, *, code: str = "MB112", path: Path = ()) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix
        self.code = code
        self.path = path


class Findings:
    def __init__(self, root: str) -> None:
        self.root = root
        self.sources = Sources()
        self.problems: list[Problem] = []
        self.missing: list[str] = []
        """Absolute paths that do not exist yet; once one appears, the config is worth another look."""

    def at(
        self,
        code: str,
        what: str,
        site: Site,
        path: Path = (),
        *,
        fix: str | None = None,
        key: bool = False,
        positional: tuple[str, ...] = (),
        entry: str = "",
    ) -> None:
        """Adds a problem at what `path` leads to from the call at `site` (see Sources.locate)."""
        self.add(code, what, self.sources.locate(site, path, key=key, positional=positional), fix=fix, entry=entry)

    def add(self, code: str, what: str, span: Span | None, *, fix: str | None = None, entry: str = "") -> None:
        if span is None:
            self.problems.append(problem(code, what, fix=fix, entry=entry))
            return
        frame = self.sources.render(span)
        file = relative(span.file, self.root)
        self.problems.append(problem(code, what, fix=fix, file=file, line=span.line, frame=frame, entry=entry))

    def refuse(self) -> None:
        """Raises ConfigError with everything found, in the order of the files and their lines."""
        if self.problems:
            unique = dict.fromkeys(self.problems)
            raise ConfigError(*sorted(unique, key=lambda p: (p.file, p.line or 0)))


def relative(path: str, root: str) -> str:
    """`path` as the user knows it: relative below `root`, otherwise as it is."""
    inside = path.startswith(root.rstrip(os.sep) + os.sep)
    return os.path.relpath(path, root) if inside else path
