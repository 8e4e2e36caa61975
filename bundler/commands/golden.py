"""`mbundle golden`: record what the source models give, and check what the emitted variants make of it."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from ..errors import InputError, Problem
from ..report.machine import print_json
from ..report.problems import print_problems
from ..report.progress import Progress
from ..report.style import stderr_style
from ..report.units import plural


@click.group()
def golden() -> None:
    """Keep a golden set of inputs and outputs, and check the emitted variants against it."""


_config = click.option("--config", "-c", default="model.config.py", show_default=True, help="The config file.")
_mode = click.option("--mode", default="production", show_default=True, help="production or development.")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object to stdout.")


@golden.command("record")
@click.argument("entries", nargs=-1)
@_config
@_mode
@_json
def record(entries: tuple[str, ...], config: str, mode: str, as_json: bool) -> None:
    """Run the source models of ENTRIES (default: all) on their golden inputs; write golden/<entry>.npz."""
    from .. import process
    from ..config.load import load_config
    from ..measure.recording import record as record_sets

    settings = load_config(config, mode, "golden")
    with Progress(quiet=as_json) as progress:
        try:
            rows, warnings = record_sets(settings, entries, progress)
        finally:
            process.stop()
    if as_json:
        print_json({"ok": True, "entries": rows, "warnings": [warning.as_json() for warning in warnings]})
        return
    for row in rows:
        state = "written" if row["written"] else "unchanged"
        sys.stderr.write(f"{row['file']} {state}: {plural(row['samples'], 'sample')}\n")
    _tell(warnings)


@golden.command("check")
@click.argument("entries", nargs=-1)
@click.option("--variant", help="This one alone. [default: all]")
@click.option("--browser", type=click.Choice(["chromium", "none"]), default="chromium", show_default=True)
@click.option(
    "--provider",
    "providers",
    type=click.Choice(["wasm", "webgpu"]),
    multiple=True,
    help="Of the browser. [default: both]",
)
@click.option("--chromium", "executable", help="The browser's path. [default: $MBUNDLE_CHROMIUM, else what is found]")
@click.option("--write", is_flag=True, help="Leave wrong variants out where they are wrong, and build again.")
@click.option("--cache-dir", help="Folder of the build cache, for --write.")
@_config
@_mode
@_json
def check(
    entries: tuple[str, ...],
    variant: str | None,
    browser: str,
    providers: tuple[Any, ...],
    executable: str | None,
    write: bool,
    cache_dir: str | None,
    config: str,
    mode: str,
    as_json: bool,
) -> int:
    """Run the emitted variants of ENTRIES (default: all) on the golden inputs, natively and in a real browser.

    Fails (1) when a page would be given wrong answers.
    """
    from .. import process
    from ..config.load import load_config
    from ..emit.manifest import PROVIDERS
    from ..measure import golden as measure
    from ..measure import goldenfile

    settings = load_config(config, mode, "build")
    wanted = tuple(p for p in PROVIDERS if p in providers) or PROVIDERS
    asked = measure.Asked(entries, variant, wanted if browser == "chromium" else (), executable)
    with Progress(quiet=as_json) as progress:
        try:
            done = measure.check(settings, asked, progress)
        finally:
            process.stop()
        goldenfile.save(settings.root, done.rows)
        changed = write and measure.settle(settings, done)
        left = [one for one in done.wrong if " on native: " in one.what] if write else done.wrong
        if changed:
            done.warnings += _rebuilt(progress, config, mode, cache_dir)
    _report(done.rows, done.warnings, left, as_json)
    return InputError.exit_status if left else 0


def _rebuilt(progress: Progress, config: str, mode: str, cache_dir: str | None) -> list[Problem]:
    """Builds again, so that the manifest heeds the verdicts; the steps come from the cache."""
    from ..build import BuildOptions, build
    from ..config.load import load_config

    stats = build(load_config(config, mode, "build"), BuildOptions(os.cpu_count() or 1, cache_dir), progress)
    return [Problem(**warning) for warning in stats["warnings"]]


def _report(rows: dict[str, Any], warnings: list[Problem], wrong: list[Problem], as_json: bool) -> None:
    from ..report.golden import golden_lines

    if as_json:
        told = {"warnings": [one.as_json() for one in warnings], "problems": [one.as_json() for one in wrong]}
        print_json({"ok": not wrong, "entries": rows} | told)
    else:
        sys.stderr.write("\n".join(golden_lines(rows, stderr_style())) + "\n")
    _tell([*warnings, *wrong])


def _tell(problems: list[Problem]) -> None:
    if problems:
        sys.stderr.write("\n")
        print_problems(problems)
