"""`mbundle preview`: an output folder as production should serve it. Never builds, never evaluates a config."""

from __future__ import annotations

import os
from typing import Any

import click

from ..catalogue import problem
from ..emit.ownership import MANIFEST
from ..errors import UsageError
from ..serve.choices import Choices, server_options


@click.command()
@click.argument("folder", default="dist", type=click.Path(file_okay=False))
@server_options(port=4178)
def preview(folder: str, **chosen: Any) -> None:
    """Serve the output FOLDER (and the app around it) exactly as production should. [default: dist]

    Hashed files are immutable, pointers are asked for again, compressed twins and ranges are answered, and what is not
    there is a 404. The app is the nearest folder from FOLDER up to the current one that holds an index.html.
    """
    if not os.path.isfile(os.path.join(folder, MANIFEST)):
        raise UsageError(problem("MB652", f"There is no {MANIFEST} in it.", file=folder))
    from ..serve.desk import Desk
    from ..serve.site import Site

    choices = Choices(**chosen)
    with Desk("preview", choices).open(Site(folder, choices.site_options(os.getcwd()))) as desk:
        desk.wait()
