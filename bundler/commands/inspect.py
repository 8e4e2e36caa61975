"""`mbundle inspect`: looks at a model, its chunk plan, a manifest or an output folder. Never runs a config."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

import click

from ..catalogue import problem
from ..errors import UsageError


@click.command()
@click.argument("path")
@click.option("--chunks", "max_size", default="8 MiB", show_default=True, help="Largest chunk of the plan of a model.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object to stdout.")
def inspect(path: str, max_size: str, as_json: bool) -> None:
    """Show what is in PATH: an .onnx file (with the chunks it would give), a manifest, or an output folder.

    A stranger's files are safe to look at: no config is run, and models are parsed in a child process.
    """
    from ..report.inspection import manifest_lines, model_lines

    if _holds_manifest(path):
        described = _manifest(path)
        _print(described, manifest_lines(described), as_json)
    elif os.path.isfile(path):
        described = _model(path, max_size)
        _print(described, model_lines(described), as_json)
    else:
        raise UsageError(problem("MB192", "It is neither a model, a manifest nor an output folder.", file=path))


def _holds_manifest(path: str) -> bool:
    if os.path.isdir(path):
        return os.path.isfile(os.path.join(path, "model-manifest.json"))
    return path.endswith(".json")


def _manifest(path: str) -> dict[str, Any]:
    from ..emit.inspection import describe_manifest

    return describe_manifest(path)


def _model(path: str, max_size: str) -> dict[str, Any]:
    from .. import process
    from ..chunks.inspection import describe_plan
    from ..graph.read import ReadPolicy, ReadResult

    with tempfile.TemporaryDirectory(prefix="mbundle-") as scratch:
        policy = ReadPolicy(root=os.path.dirname(os.path.abspath(path)), scratch=scratch, external_ops=("*",))
        limits = process.Limits.for_model(os.path.getsize(path))
        target = "bundler.graph.read:read_model"
        try:
            read: ReadResult = process.run(
                target, os.path.abspath(path), policy, limits=limits, label=f"reading {path}"
            )
        finally:
            process.stop()
        return describe_plan(path, read, _bytes(max_size))


def _bytes(size: str) -> int:
    from ..config.findings import Bad
    from ..config.values import size as parse

    try:
        return parse(size)
    except Bad as error:
        raise UsageError(problem("MB191", f"--chunks {error}", fix=error.fix)) from error


def _print(value: Mapping[str, Any], lines: list[str], as_json: bool) -> None:
    if as_json:
        from ..report.machine import print_json

        print_json(value)
    else:
        sys.stdout.write("\n".join(lines) + "\n")
