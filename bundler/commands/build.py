"""`mbundle build`."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import click

from ..report.progress import Progress

if TYPE_CHECKING:
    from ..config.schema import BuildConfig
    from ..config.settle import Place

_PROFILE = "mbundle-trace.json"


@click.command()
@click.option("--config", "-c", default="model.config.py", show_default=True, help="The config file.")
@click.option("--mode", default="production", show_default=True, help="production or development.")
@click.option("--jobs", "-j", type=click.IntRange(1, 256), help="Entries worked on at a time. [default: all cores]")
@click.option("--cache-dir", help="Folder of the cache. [default: $MBUNDLE_CACHE_DIR, else .mbundle/cache]")
@click.option("--no-cache", is_flag=True, help="Run every step, even where its result is known.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object to stdout.")
@click.option("--write", is_flag=True, help="Put what auto() found into the config, in its place.")
@click.option("--profile", is_flag=False, flag_value=_PROFILE, metavar="[FILE]", help="Write a trace for Perfetto.")
def build(
    config: str,
    mode: str,
    jobs: int | None,
    cache_dir: str | None,
    no_cache: bool,
    as_json: bool,
    write: bool,
    profile: str | None,
) -> None:
    """Build every entry of model.config.py into the output folder.

    When nothing changed since the last build, nothing is done. A build that fails leaves the output as it was.
    """
    with Progress(quiet=as_json) as progress:
        progress.line(_headline(mode))
        stats, settings = _built(progress, config, mode, jobs, cache_dir, no_cache)
        if write:
            _settle(settings, stats, progress)
    _write_profile(profile, progress)
    _report(stats, as_json)


def _built(
    progress: Progress, config: str, mode: str, jobs: int | None, cache_dir: str | None, no_cache: bool
) -> tuple[dict[str, Any], BuildConfig]:
    from ..config.load import load_config

    # While the child that evaluates the config starts: a no-change build needs this next, and it takes 20 ms to import.
    ahead = threading.Thread(target=importlib.import_module, args=("bundler.cache.fresh",), daemon=True)
    ahead.start()
    with progress.span("reading the config"):
        settings = load_config(config, mode, "build")
    ahead.join()
    from ..cache import fresh

    last = fresh.check(settings)
    if last.fresh and not no_cache:
        return dict(last.table) | {"fresh": True, "seconds": progress.elapsed(), "returning": 0}, settings
    from .. import process

    process.warm(("onnx", "onnxruntime"))  # every build needs them; meanwhile this process imports the pipeline
    from ..build import BuildOptions, build
    from ..stats import write_stats

    options = BuildOptions(jobs or os.cpu_count() or 1, cache_dir, not no_cache)
    stats = build(settings, options, progress)
    write_stats(settings.root, stats)
    return stats, settings


def _settle(settings: BuildConfig, stats: dict[str, Any], progress: Progress) -> None:
    """Writes found recipes into the config, in place of the calls that found them."""
    from ..config.settle import settle
    from ..loaders.search.recipe import loaders, sources

    recipes: dict[Place, list[str]] = {}
    needs: set[str] = set()
    for spec, entry in zip(settings.entries, stats["entries"], strict=True):
        for variant, built in zip(spec.variants, entry["variants"], strict=True):
            for step, row in zip(variant.steps, built["steps"], strict=True):
                found = row.get("details", {}).get("recipe")
                if step.place is not None and found and row["status"] in ("ok", "cached"):
                    recipes[step.place] = sources(found)
                    needs |= {*loaders(found)}
    for file in settle(recipes, "bundler.loaders", sorted(needs)) if recipes else ():
        progress.line(f"{os.path.relpath(file, settings.root)}: auto() gave way to the steps that it found")


def _headline(mode: str) -> str:
    from .. import __version__
    from ..report.style import stderr_style

    style = stderr_style()
    return f"{style.cyan(f'mbundle v{__version__}')} {style.green(f'building for {mode}...')}"


def _write_profile(path: str | None, progress: Progress) -> None:
    if path is None:
        return
    from ..catalogue import problem
    from ..errors import OutputError
    from ..report.machine import json_bytes

    try:
        if not _may_replace(path):
            fix = "Move it away, or name another file."
            raise OutputError(problem("MB193", "The trace was not written: this is another file.", fix=fix, file=path))
        with open(path, "wb") as file:
            file.write(json_bytes(progress.trace()))
    except OSError as error:
        raise OutputError(problem("MB193", f"The trace was not written: {error.strerror}.", file=path)) from error
    progress.line(f"trace written to {path}; open it at ui.perfetto.dev or chrome://tracing")


def _may_replace(path: str) -> bool:
    """A trace of ours or nothing: `--profile model.onnx` is a slip of the hand."""
    import contextlib

    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        return b'"traceEvents"' in file.read(64)
    return True


def _report(stats: dict[str, Any], as_json: bool) -> None:
    from ..errors import Problem
    from ..report.machine import print_json
    from ..report.problems import print_problems
    from ..report.style import stderr_style
    from ..report.summary import summary_lines

    if as_json:
        print_json(stats)
        return
    sys.stderr.write("\n".join(summary_lines(stats, stderr_style())) + "\n")
    if stats["warnings"] and not stats["fresh"]:
        sys.stderr.write("\n")
        print_problems([Problem(**warning) for warning in stats["warnings"]])
