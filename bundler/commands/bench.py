"""`mbundle bench`: what the output costs and does, beside the source."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from ..measure.plan import DEVICES, Settings
from ..serve.networks import NETWORKS

if TYPE_CHECKING:
    from ..config.schema import EntrySpec
    from ..report.progress import Progress


@click.command()
@click.argument("entries", nargs=-1)
@click.option("--config", "-c", default="model.config.py", show_default=True, help="The config file.")
@click.option("--dist", type=click.Path(file_okay=False), help="Output folder. [default: the config's, else dist]")
@click.option("--variant", "variants", multiple=True, help="Measure this one only; may be repeated.")
@click.option("--device", "devices", multiple=True, type=click.Choice(DEVICES), help="[default: all that there are]")
@click.option("--browser", type=click.Choice(["chromium", "none"]), default="chromium", show_default=True)
@click.option("--native/--no-native", default=True, help="Native onnxruntime, too. [default: yes]")
@click.option("--baseline/--no-baseline", default=True, help="Measure the source beside it. [default: yes]")
@click.option("--network", type=click.Choice(list(NETWORKS)), help="As slow as that. [default: as fast as it is]")
@click.option("--cpu-throttle", type=click.FloatRange(1, 100), default=1.0, help="Times slower the page's CPU is.")
@click.option("--runs", type=click.IntRange(1, 1000), default=5, show_default=True, help="Rounds: visits of each kind.")
@click.option("--inferences", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Timed in a round.")
@click.option("--warmup", type=click.IntRange(0, 100_000), default=3, show_default=True, help="Not timed, before.")
@click.option("--chromium", "executable", help="The browser. [default: $MBUNDLE_CHROMIUM, else what is installed]")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object to stdout.")
def bench(entries: tuple[str, ...], config: str, dist: str | None, as_json: bool, **options: Any) -> None:
    """Measure ENTRIES (default: all) of the last build through the emitted runtime, in a real browser.

    Bytes on the wire, cold and warm load, session, first and steady inference, long tasks, blocking time and peak
    memory, each beside the source model loaded from one URL in the same run. The result is kept in .mbundle/bench.json.
    """
    from ..measure.project import project
    from ..report.progress import Progress

    with Progress(quiet=as_json) as progress:
        place = project(config, dist, "bench")
        found = _measured(place.dist, place.root, place.entries, entries, options, progress)
    _print(found, as_json)


def _measured(
    dist: str,
    root: str,
    sources: dict[str, EntrySpec],
    entries: tuple[str, ...],
    options: dict[str, Any],
    progress: Progress,
) -> dict[str, Any]:
    from .. import process
    from ..measure import benchfile
    from ..measure.bench import Bench, Wish

    settings = Settings(
        options["network"], options["cpu_throttle"], options["runs"], options["warmup"], options["inferences"]
    )
    wish = Wish(
        dist=dist,
        root=root,
        settings=settings,
        entries=entries,
        variants=options["variants"],
        devices=options["devices"],
        sources=sources,
        browser=options["browser"] == "chromium",
        native=options["native"],
        baseline=options["baseline"],
        executable=options["executable"],
    )
    process.warm(("onnx", "onnxruntime"))
    try:
        found = Bench(wish, progress).run()
    finally:
        process.stop()
    return benchfile.save(root, benchfile.described(found, dist, root, settings))


def _print(found: dict[str, Any], as_json: bool) -> None:
    from ..measure.metrics import METRICS
    from ..report.bench import bench_lines
    from ..report.machine import print_json
    from ..report.style import stderr_style, style_for

    if as_json:
        print_json(found)
        return
    metrics = {key: (one.title, one.unit) for key, one in METRICS.items()}
    print("\n".join(bench_lines(found, metrics, style_for(sys.stdout))))
    path = os.path.join(".mbundle", "bench.json")
    sys.stderr.write(stderr_style().dim(f"\nkept in {path}; `mbundle check` reads it\n"))
