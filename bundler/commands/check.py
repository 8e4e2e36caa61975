"""`mbundle check`: budgets, the baseline, and an exit status for CI."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..errors import BudgetError, UsageError

if TYPE_CHECKING:
    from ..config.schema import BudgetSpec
    from ..measure.check import Check
    from ..measure.project import Place

_FORMATS = ["table", "markdown", "json", "junit", "github"]


@click.command()
@click.argument("dist", required=False, type=click.Path(file_okay=False))
@click.option("--config", "-c", default="model.config.py", show_default=True, help="The config file.")
@click.option("--base", metavar="FILE|REF", help="The baseline: a file, or a git ref that has one committed.")
@click.option("--update", is_flag=True, help="Write mbundle-baseline.json: this is right. Commit it.")
@click.option("--bench", "bench_file", type=click.Path(dir_okay=False), help="Figures. [default: .mbundle/bench.json]")
@click.option("--no-bench", is_flag=True, help="Measure nothing; figures that are missing stay missing.")
@click.option("--max-size", help="Instead of Budget(size=...), for every entry.")
@click.option("--max-first-load", help="Instead of Budget(first_load=...).")
@click.option("--max-growth", help="Instead of Budget(growth=...), against the baseline.")
@click.option("--history", "history_file", is_flag=False, flag_value="", metavar="[FILE]", help="Append a line to it.")
@click.option("--format", "form", type=click.Choice(_FORMATS), default="table", show_default=True)
@click.option("--chromium", "executable", help="The browser. [default: $MBUNDLE_CHROMIUM, else what is installed]")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def check(dist: str | None, config: str, form: str, as_json: bool, **options: Any) -> None:
    """Compare the output with its budgets. Exit status 4 where one is not kept.

    Budgets come from the config; without one, in DIST, from the baseline and the options. What needs figures that no
    benchmark of this output has yet is measured now. A time is over only where its whole noise interval is.
    """
    from ..measure import baseline, history
    from ..measure.project import project

    place = project(config, dist, "check")
    base = baseline.find(place.root, options["base"])
    it = _checked(place, base, options, quiet=as_json or form != "table")
    log = options["history_file"]
    file = log or history.path(place.root)
    if log is not None:
        history.append(file, place.root, it.facts())
    result = it.result(history.read(file))
    _print(result, "json" if as_json else form)
    if not result["compared"] and any(spec.growth is not None for spec in it.budgets.values()):
        sys.stderr.write("no mbundle-baseline.json yet: growth is not judged; `mbundle check --update` writes it\n")
    if options["update"]:
        path = baseline.write(place.root, it.facts(), it.budgets)
        sys.stderr.write(f"wrote {path}; commit it\n")
    if not result["ok"]:
        _fail(result, "json" if as_json else form)


def _checked(place: Place, base: Mapping[str, Any] | None, options: Mapping[str, Any], quiet: bool) -> Check:
    from ..emit.manifest import read_manifest
    from ..measure import benchfile
    from ..measure.check import Check, complete, with_flags

    file = options["bench_file"]
    benches = benchfile.read(file) if file else benchfile.known(place.root)
    names = sorted(read_manifest(place.dist).entries)
    budgets = with_flags(_budgets(place, base), names, _flags(options))
    it = Check(place.dist, place.root, budgets, dict(base) if base else None, benches)
    if file is None and not options["no_bench"] and complete(it, _runner(place, options["executable"], quiet)):
        it.benches = benchfile.known(place.root)
    return it


def _budgets(place: Place, base: Mapping[str, Any] | None) -> dict[str, BudgetSpec]:
    from ..measure.baseline import budget

    if place.entries:
        return {name: spec.budget for name, spec in place.entries.items() if spec.budget is not None}
    carried = {name: budget(entry) for name, entry in base["entries"].items()} if base else {}
    return {name: spec for name, spec in carried.items() if spec is not None}


def _flags(options: Mapping[str, Any]) -> dict[str, Any]:
    from ..catalogue import problem
    from ..config import values
    from ..config.findings import Bad

    found: dict[str, Any] = {}
    for name, key, parse in (
        ("max_size", "size", values.size),
        ("max_first_load", "first_load", values.size),
        ("max_growth", "growth", values.percent),
    ):
        if options[name] is not None:
            try:
                found[key] = parse(options[name])
            except Bad as error:
                flag = "--" + name.replace("_", "-")
                raise UsageError(problem("MB191", f"{flag} {error}.", fix=error.fix)) from error
    return found


def _runner(place: Place, executable: str | None, quiet: bool) -> Any:
    def run(entries: Sequence[str], network: str | None, devices: tuple[Any, ...]) -> None:
        from .. import process
        from ..measure import benchfile
        from ..measure.bench import Bench, Wish
        from ..measure.plan import Settings
        from ..report.progress import Progress

        settings = Settings(network=network)
        wish = Wish(
            place.dist,
            place.root,
            settings,
            entries=tuple(entries),
            devices=devices,
            sources=place.entries,
            native=False,
            baseline=False,
            executable=executable,
            first_only=True,
        )
        with Progress(quiet=quiet) as progress:
            progress.line(f"measuring {', '.join(entries)}{f' @ {network}' if network else ''} for the budgets...")
            try:
                found = Bench(wish, progress).run()
            finally:
                process.stop()
        benchfile.save(place.root, benchfile.described(found, place.dist, place.root, settings))

    return run


def _print(result: dict[str, Any], form: str) -> None:
    from ..report import check_formats
    from ..report.machine import print_json
    from ..report.style import style_for
    from ..report.verdicts import verdict_lines

    if form == "json":
        print_json(result)
    elif form == "table":
        print("\n".join(verdict_lines(result, style_for(sys.stdout))))
    else:
        sys.stdout.write(
            {"markdown": check_formats.markdown, "junit": check_formats.junit, "github": check_formats.github}[form](
                result
            )
        )


def _fail(result: Mapping[str, Any], form: str) -> None:
    """Exit status 4. The result is on stdout already; stderr says what to do about it."""
    from ..catalogue import problem
    from ..report.check_formats import sentence
    from ..report.problems import print_problems

    rows = [row for row in result["verdicts"] if row["state"] in ("over", "unknown")]
    codes = {"over": "MB540", "unknown": "MB541"}
    print_problems([problem(codes[row["state"]], sentence(row) + ".", entry=row["entry"]) for row in rows])
    raise click.exceptions.Exit(BudgetError.exit_status)
