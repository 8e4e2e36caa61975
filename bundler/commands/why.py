"""`mbundle why`: why something is in the output. Never runs a config."""

from __future__ import annotations

import os
import sys

import click


@click.command()
@click.argument("thing", metavar="TENSOR|CHUNK|OPERATOR|bytes")
@click.option("--dist", default="dist", show_default=True, help="The output folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object to stdout.")
def why(thing: str, dist: str, as_json: bool) -> None:
    """Say why a tensor, a chunk or an operator is in the output, who shares it, or where all the bytes are.

    A tensor by its name or a part of it, a chunk by its file name or how that begins, an operator as `MatMul`.
    """
    from .. import process
    from ..measure.why import read_output
    from ..measure.why import why as answer_of
    from ..report.style import style_for
    from ..report.why import why_lines

    process.warm(("onnx", "bundler.graph.contents"))
    try:
        answer = answer_of(read_output(dist, _root(dist)), thing)
    finally:
        process.stop()
    if as_json:
        import orjson

        sys.stdout.write(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        sys.stdout.write("\n".join(why_lines(answer, style_for(sys.stdout))) + "\n")


def _root(dist: str) -> str:
    """The project: the nearest folder above the output that a build has worked in."""
    folder = os.path.dirname(os.path.abspath(dist))
    while not os.path.isdir(os.path.join(folder, ".mbundle")) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder
