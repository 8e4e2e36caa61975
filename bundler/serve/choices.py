"""What the command line says about a server; the same for every verb that starts one. Imports no server."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..errors import MbundleError
from ..report.machine import print_line
from ..report.problems import print_problems
from .networks import NETWORKS

if TYPE_CHECKING:
    from .site import Options

_EVERYWHERE = {"0.0.0.0", "::"}


@dataclass(frozen=True, slots=True)
class Choices:
    """`throttle`: a key of NETWORKS; `app`: a folder, None: the nearest one."""

    app: str | None
    host: str
    port: int
    strict_port: bool
    allowed_host: tuple[str, ...]
    allowed_origin: tuple[str, ...]
    throttle: str | None
    isolated: bool
    open: bool
    as_json: bool
    exit_with_stdin: bool

    def site_options(self, root: str) -> Options:
        """`root`: the app is looked for from the output folder up to here."""
        from .site import Options

        own = () if self.host in _EVERYWHERE else (f"[{self.host}]" if ":" in self.host else self.host,)
        return Options(
            app=self.app or "nearest",
            root=os.path.abspath(root),
            hosts=(*own, *self.allowed_host),
            origins=self.allowed_origin,
            isolated=self.isolated,
            throttle=NETWORKS[self.throttle] if self.throttle else None,
        )


@contextlib.contextmanager
def told_in_lines(as_json: bool) -> Iterator[None]:
    """With --json stdout is one object a line to its end: what ends a server is an event, too."""
    try:
        yield
    except MbundleError as error:
        if not as_json:
            raise
        print_line({"type": "error", "build": 0, "problems": [one.as_json() for one in error.problems]})
        print_problems(error.problems)
        raise click.exceptions.Exit(error.exit_status) from error


def server_options(port: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of a verb that serves, as `Choices` takes them. `port`: the first one that is tried."""
    folder = click.Path(exists=True, file_okay=False)
    options = [
        click.option("--app", type=folder, help="The app's folder. [default: the nearest one with an index.html]"),
        click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
        click.option("--port", "-p", default=port, show_default=True, type=click.IntRange(0, 65535), help="0: any."),
        click.option("--strict-port", is_flag=True, help="Fail when the port is taken, instead of taking the next."),
        click.option("--allowed-host", multiple=True, metavar="NAME", help="A host name that requests may use, too."),
        click.option("--allowed-origin", multiple=True, metavar="URL", help="An origin whose pages may read, too."),
        click.option("--throttle", type=click.Choice(list(NETWORKS)), help="A network as slow as that."),
        click.option("--isolated/--no-isolated", default=True, help="Send COOP and COEP. [default: they are sent]"),
        click.option("--open", is_flag=True, help="Open the page in the browser."),
        click.option("--exit-with-stdin", is_flag=True, help="End when the standard input is closed."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line to stdout."),
    ]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate
