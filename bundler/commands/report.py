"""`mbundle report`."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, Literal

import click

from ..catalogue import problem
from ..errors import InputError, OutputError

if TYPE_CHECKING:
    from ..report.page.collect import Budgets

Format = Literal["html", "md", "json"]
_MARK = b"mbundle report"


@click.command()
@click.argument("dist", required=False)
@click.option("--config", "-c", default="model.config.py", show_default=True, help="Names DIST and budgets.")
@click.option("--format", "form", type=click.Choice(["html", "md", "json"]), default="html", show_default=True)
@click.option("--output", "-o", metavar="FILE", help="Where to write. [default: mbundle-report.html, else stdout]")
@click.option("--history", metavar="FILE", help="Lines of `mbundle check`. [default: .mbundle/history.jsonl]")
@click.option("--open", "show", is_flag=True, help="Open the page in the browser.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def report(
    dist: str | None, config: str, form: Format, output: str | None, history: str | None, show: bool, as_json: bool
) -> None:
    """Show what an output folder is made of: one HTML file that needs no network.

    With DIST no config is run; budgets are then those of the baseline, if the project has one. What builds, benchmarks
    and checks left in .mbundle/ is shown where it is.
    """
    from .. import process
    from ..report.page.collect import collect
    from ..report.progress import Progress

    form = "json" if as_json else form
    folder, budgets = (dist, _carried(dist)) if dist else _configured(config)
    try:
        with Progress(quiet=form != "html" and output is None) as progress, progress.span("reading graphs"):
            data = collect(folder, budgets, history)
    finally:
        process.stop()
    if form == "html":
        _page(data, output or "mbundle-report.html", show)
    else:
        _text(data, form, output)


def _configured(config: str) -> tuple[str, Budgets]:
    from .folder import built

    place = built(config)
    budgets = {name: entry.budget for name, entry in place.entries.items() if entry.budget is not None}
    return os.path.relpath(place.dist), budgets


def _carried(dist: str) -> Budgets:
    """By the baseline; a damaged one is for `mbundle check` to tell of."""
    from ..measure import baseline
    from ..report.page.facts import project_of

    root = project_of(dist)
    with contextlib.suppress(InputError):
        base = (baseline.find(root, None) if root else None) or {"entries": {}}
        found = {name: baseline.budget(entry) for name, entry in base["entries"].items()}
        return {name: spec for name, spec in found.items() if spec is not None}
    return {}


def _page(data: dict[str, Any], path: str, show: bool) -> None:
    from ..report.page.html import as_html

    page = as_html(data).encode()
    _write(path, page)
    sys.stderr.write(f"report written to {path} ({len(page) / 1e6:.2f} MB)\n")
    if show:
        import webbrowser
        from pathlib import Path

        webbrowser.open(Path(path).resolve().as_uri())


def _text(data: dict[str, Any], form: Format, output: str | None) -> None:
    import json

    from ..report.machine import print_json
    from ..report.page.markdown import as_markdown

    if output is not None:
        text = as_markdown(data) if form == "md" else json.dumps(data, indent=1, ensure_ascii=False) + "\n"
        _write(output, text.encode())
    elif form == "json":
        print_json(data)
    else:
        sys.stdout.write(as_markdown(data))


def _write(path: str, content: bytes) -> None:
    """Replaces a report of ours or nothing: `-o model.onnx` is a slip of the hand."""
    from ..cache import atomic

    try:
        if not _may_replace(path):
            fix = "Move it away, or name another file."
            raise OutputError(problem("MB198", "The report was not written: this is another file.", fix=fix, file=path))
        atomic.write(path, content)
    except OSError as error:
        raise OutputError(problem("MB198", f"The report was not written: {error.strerror}.", file=path)) from error


def _may_replace(path: str) -> bool:
    if not os.path.lexists(path) or path.endswith((".md", ".json")):
        return True
    with open(path, "rb") as file:
        return _MARK in file.read(2048)
