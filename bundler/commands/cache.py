"""`mbundle cache`: what it holds, what may go, and why a step ran again. Never evaluates a config."""

from __future__ import annotations

import os
import time
from typing import Any

import click

from ..cache import explain, gc
from ..cache.location import cache_folder
from ..cache.store import Store
from ..catalogue import problem
from ..errors import Problem, UsageError, printable
from ..report.machine import print_json
from ..report.problems import print_problems
from ..report.units import plural, size

_MAX_LOADER = 24


@click.group()
@click.option("--config", "-c", default="model.config.py", show_default=True, help="Its folder is the root.")
@click.option("--cache-dir", help="Folder of the cache. [default: $MBUNDLE_CACHE_DIR, else .mbundle/cache]")
@click.pass_context
def cache(context: click.Context, config: str, cache_dir: str | None) -> None:
    """Look into the cache of finished steps, empty it, or ask why a step ran again."""
    root = os.path.dirname(os.path.abspath(config))
    context.obj = Store(cache_folder(root, cache_dir), _warn)


_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object to stdout.")


@cache.command("ls")
@_json
@click.pass_obj
def list_(store: Store, as_json: bool) -> None:
    """List the steps that the cache holds, the most recently used first."""
    contents = gc.scan(store)
    rows = [_step(step, contents) for step in sorted(contents.steps, key=lambda step: -step.used)]
    if as_json:
        print_json({"folder": store.folder, "bytes": contents.size, "steps": rows})
        return
    for row in rows:
        click.echo(f"{row['key'][:12]}  {_fit(row['loader'])}  {size(row['bytes']):>9}  used {_ago(row['used'])}")
    click.echo(f"{plural(len(rows), 'step')}, {size(contents.size)} in {store.folder}")
    others = [os.path.basename(folder) for folder in gc.formats(store) if folder != store.folder]
    if others:
        click.echo(f"Other versions of mbundle left {', '.join(others)}; `mbundle cache clear` removes them too.")


@cache.command("gc")
@click.option("--max-size", type=click.IntRange(min=0), help="Bytes that may stay. [default: 5 GiB]")
@click.option("--max-age", type=click.FloatRange(min=0), help="Days without use that a step may stay. [default: 30]")
@_json
@click.pass_obj
def collect(store: Store, max_size: int | None, max_age: float | None, as_json: bool) -> None:
    """Remove what was not used for long, and the oldest steps where the cache is over its cap.

    A build does the same when it ends. What was used in the last 30 minutes stays.
    """
    default = gc.Limits()
    most = default.size if max_size is None else max_size
    age = default.age if max_age is None else max_age * 86_400
    _report(gc.collect(store, gc.Limits(size=most, age=age)), as_json)


@cache.command("clear")
@_json
@click.pass_obj
def clear(store: Store, as_json: bool) -> None:
    """Remove everything, except what a build that runs now may need."""
    collected = gc.clear(store)
    if collected.left:
        what = f"{size(collected.left)} of the cache were kept: a build is running."
        _warn(problem("MB454", what, file=store.folder, severity="warning"))
    _report(collected, as_json)


@cache.command("why")
@click.argument("name", metavar="ENTRY[/VARIANT]")
@_json
@click.pass_obj
def why(store: Store, name: str, as_json: bool) -> None:
    """Say for each step of the last build of ENTRY whether it came from the cache, and if not, what changed."""
    entry, _, variant = name.partition("/")
    rows = explain.read(store)
    reasons = explain.why(rows, entry, variant or None)
    if not reasons:
        known = sorted({row.entry for row in rows})
        fix = f"Known entries: {', '.join(known)}." if known else None
        raise UsageError(problem("MB453", f"No build of {printable(name)!r} is remembered.", fix=fix))
    if as_json:
        print_json({"entry": entry, "steps": [_reason(reason) for reason in reasons]})
        return
    for reason in reasons:
        label = f"{reason.entry}/{reason.variant}"
        click.echo(f"{label}  {reason.index + 1}. {reason.loader}: {'from the cache' if reason.hit else 'ran'}")
        for phrase in reason.reasons:
            click.echo(f"    {phrase}")


def _step(step: gc.Step, contents: gc.Contents) -> dict[str, Any]:
    nbytes = step.size + sum(contents.blobs[digest].size for digest in step.blobs if digest in contents.blobs)
    key = "".join(step.path.split(os.sep)[-2:]).removesuffix(".json")
    return {"key": key, "loader": step.loader, "bytes": nbytes, "used": int(step.used)}


def _reason(reason: explain.Reason) -> dict[str, Any]:
    return {
        "variant": reason.variant,
        "index": reason.index,
        "loader": reason.loader,
        "cached": reason.hit,
        "reasons": list(reason.reasons),
    }


def _report(collected: gc.Collected, as_json: bool) -> None:
    if as_json:
        print_json(
            {"steps": collected.steps, "blobs": collected.blobs, "freed": collected.freed, "left": collected.left}
        )
    else:
        click.echo(f"Removed {plural(collected.steps, 'step')}, {size(collected.freed)}; {size(collected.left)} stay.")


def _warn(found: Problem) -> None:
    print_problems([found])


def _fit(text: str) -> str:
    shown = printable(text, _MAX_LOADER)
    return f"{shown:<{_MAX_LOADER}}"


def _ago(moment: float) -> str:
    seconds = max(0.0, time.time() - moment)
    for length, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        count = int(seconds // length)
        if count:
            return f"{plural(count, unit)} ago"
    return "just now"
