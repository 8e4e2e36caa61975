"""`mbundle export`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ..catalogue import problem
from ..config.checkpoints import EXPORTERS, PRECISIONS
from ..errors import OutputError, UsageError, printable
from ..report.progress import Progress

if TYPE_CHECKING:
    from ..config.schema import ExportSpec
    from ..export.ensure import Made


@click.command()
@click.argument("source", metavar="CHECKPOINT")
@click.option("--out", "-o", metavar="DIR", help="A new folder. [default: the checkpoint's name, with -onnx]")
@click.option("--task", default="auto", show_default=True, help="What for: feature-extraction, text-generation, ...")
@click.option("--exporter", type=click.Choice(EXPORTERS), default="auto", show_default=True)
@click.option("--precision", type=click.Choice(PRECISIONS), default="fp32", help="Of genai.", show_default=True)
@click.option("--python", help="The Python that has torch. [default: $MBUNDLE_EXPORT_PYTHON, else mbundle's own]")
@click.option("--cache-dir", help="Folder of the cache. [default: $MBUNDLE_CACHE_DIR, else .mbundle/cache]")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object to stdout.")
def export(
    source: str,
    out: str | None,
    task: str,
    exporter: str,
    precision: str,
    python: str | None,
    cache_dir: str | None,
    as_json: bool,
) -> None:
    """Export CHECKPOINT, a folder or hf:<owner>/<name>, to ONNX files, and compare them with torch.

    A build does this by itself for such a source; this is for those who want the files.
    """
    from ..report.machine import print_json

    wish: dict[str, Any] = {"exporter": exporter, "precision": precision}
    spec = replace(_spec(source, task, python), **wish)
    name = spec.hub[0].split("/")[-1] or os.path.basename(spec.folder)
    target = os.path.abspath(out or f"{name}-onnx")
    if os.path.lexists(target) and not (os.path.isdir(target) and not os.listdir(target)):
        raise UsageError(problem("MB358", f"{printable(os.path.relpath(target))} is there already.", file=source))
    with Progress(quiet=as_json) as progress:
        made, files = _exported(spec, target, cache_dir, progress)
        progress.line(f"{os.path.relpath(target)}: {', '.join(files)}")
        progress.line(made.note)
    if as_json:
        print_json({"ok": True, "outDir": os.path.relpath(target), "files": files, "export": made.facts})


def _spec(source: str, task: str, python: str | None) -> ExportSpec:
    from ..config.checkpoints import default_python, find_checkpoint, python_at, task_name
    from ..config.findings import Bad

    root = os.getcwd()
    try:
        found = find_checkpoint(source, root)
        if found is None:
            raise Bad(f'needs a folder with a config.json and .safetensors files, and "{printable(source)}" is none')
        return replace(found, python=python_at(python, root) if python else default_python(root), task=task_name(task))
    except Bad as bad:
        raise UsageError(problem("MB191", f"The export {bad.what}.", fix=bad.fix or "See --help.")) from bad


def _exported(spec: ExportSpec, target: str, cache_dir: str | None, progress: Progress) -> tuple[Made, list[str]]:
    from ..cache.location import cache_folder, keep_out_of_git
    from ..cache.memo import Memo
    from ..cache.store import Store
    from ..export.desk import Desk
    from ..export.ensure import export

    root = os.getcwd()
    with Store(cache_folder(root, cache_dir)) as store, progress.steps("exporting") as told:
        memo = Memo(store)
        made = export(spec, Desk(store, memo, store.scratch, progress.alive, told))
        memo.save()
        try:
            keep_out_of_git(root)
            os.makedirs(target, exist_ok=True)
            files = dict(_files(made))
            for name, path in files.items():
                shutil.copyfile(path, os.path.join(target, name))
        except OSError as error:
            raise OutputError(problem("MB358", f"{error.strerror}.", file=target)) from error
    return made, sorted(files)


def _files(made: Made) -> Iterator[tuple[str, Any]]:
    """Name -> path: the models with their weights, and what a page wants beside them, as the checkpoint has it."""
    from ..config.checkpoints import assets_of
    from ..export.kept import RECORD

    for name in os.listdir(made.folder):
        if name != RECORD:
            yield name, os.path.join(made.folder, name)
    for path in assets_of(made.spec):
        yield os.path.basename(path), path
