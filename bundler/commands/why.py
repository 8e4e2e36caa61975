"""`mbundle why`: why something is in the output."""

from __future__ import annotations

import sys

import click


@click.command()
@click.argument("thing", metavar="TENSOR|CHUNK|OPERATOR|bytes")
@click.option("--dist", metavar="DIR", help="The output folder; no config is run then.")
@click.option("--config", "-c", default="model.config.py", show_default=True, help="Names the output folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object to stdout.")
def why(thing: str, dist: str | None, config: str, as_json: bool) -> None:
    """Say why a tensor, a chunk or an operator is in the output, who shares it, or where all the bytes are.

    A tensor by its name or a part of it, a chunk by its file name or how that begins, an operator as `MatMul`.
    """
    from .. import process
    from ..measure.why import read_output
    from ..measure.why import why as answer_of
    from ..report.machine import print_json
    from ..report.page.facts import project_of
    from ..report.style import style_for
    from ..report.why import why_lines
    from .folder import built

    folder = dist or built(config).dist
    process.warm(("onnx", "bundler.graph.anatomy"))
    try:
        answer = answer_of(read_output(folder, project_of(folder)), thing)
    finally:
        process.stop()
    if as_json:
        print_json(answer)
    else:
        sys.stdout.write("\n".join(why_lines(answer, style_for(sys.stdout))) + "\n")
