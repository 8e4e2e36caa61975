"""Problems as text for people: what, where, why, what to do. Plain lines on stderr; colour on a terminal only."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Problem, printable
from .style import Style, stderr_style


def render_problem(problem: Problem, style: Style) -> str:
    """One problem as text, ending without a line feed."""
    paint = style.red if problem.severity == "error" else style.yellow
    where = ":".join(str(part) for part in (printable(problem.file, 400), problem.line) if part)
    about = "/".join(printable(part) for part in (problem.entry, problem.step) if part)
    head = paint(f"{problem.severity}[{problem.code}]") + (f" {style.bold(where)}" if where else "")
    lines = [f"{head}: {_block(problem.what)}"]
    if about:
        lines.append(style.dim(f"  in: {about}"))
    lines += ["  " + line for line in problem.frame.splitlines()]
    lines.append(f"  {style.cyan('fix:')} {_block(problem.fix)}")
    return "\n".join(lines)


def print_problems(problems: Sequence[Problem]) -> None:
    import sys

    style = stderr_style()
    text = "\n\n".join(render_problem(problem, style) for problem in problems)
    errors = sum(problem.severity == "error" for problem in problems)
    tail = f"\n\n{errors} errors\n" if errors > 1 else "\n"
    sys.stderr.write(text + tail)


def _block(text: str) -> str:
    """Untrusted text kept to printable lines, continuation lines indented under the first."""
    return "\n       ".join(printable(line, 500) for line in text.splitlines())
