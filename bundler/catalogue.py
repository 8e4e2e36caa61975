"""The diagnostics catalogue: every code that mbundle can print, once.

MB1xx config, sources, command line · MB2xx models · MB3xx loaders and their processes · MB400-449 output ·
MB450-499 cache · MB5xx budgets, golden sets · MB9xx ours. Codes are never reused. `docs/errors.md` is made from this
table and a test compares the two.
"""

from __future__ import annotations

from .codes._diagnostic import Diagnostic
from .codes.bench import BENCH
from .codes.cache import CACHE
from .codes.cli import CLI
from .codes.config import CONFIG
from .codes.emit import EMIT
from .codes.export import EXPORT
from .codes.golden import GOLDEN
from .codes.graph import GRAPH
from .codes.loaders import LOADERS
from .codes.report import REPORT
from .codes.serve import SERVE
from .errors import Problem

CATALOGUE: dict[str, Diagnostic] = (
    CLI | CONFIG | GRAPH | LOADERS | EMIT | CACHE | BENCH | REPORT | SERVE | GOLDEN | EXPORT
)


def problem(
    code: str,
    what: str,
    *,
    fix: str | None = None,
    file: str = "",
    line: int | None = None,
    frame: str = "",
    entry: str = "",
    step: str = "",
    severity: str = "error",
) -> Problem:
    """A Problem whose remedy is the catalogue's unless the caller knows a more exact one."""
    remedy = CATALOGUE[code].fix if fix is None else fix
    return Problem(code, what, remedy, file, line, frame, entry, step, severity)


def as_markdown() -> str:
    """The whole of `docs/errors.md`."""
    lines = ["# Errors and warnings", "", "Made by `python -m bundler.catalogue`; do not edit.", ""]
    for code, row in sorted(CATALOGUE.items()):
        lines += [f"## {code}: {row.title}", "", row.why, "", f"**Fix:** {row.fix}", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(as_markdown(), end="")
