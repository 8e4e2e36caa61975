"""`mbundle serve`: watch, and a server whose pages get each new build without a reload."""

from __future__ import annotations

from typing import Any

import click

from ..serve.choices import Choices, server_options, told_in_lines


@click.command()
@click.option("--config", "-c", default="model.config.py", show_default=True, help="The config file.")
@click.option("--mode", default="production", show_default=True, help="production or development.")
@click.option("--jobs", "-j", type=click.IntRange(1, 256), help="Entries worked on at a time. [default: all cores]")
@click.option("--cache-dir", help="Folder of the cache. [default: $MBUNDLE_CACHE_DIR, else .mbundle/cache]")
@click.option("--poll", is_flag=True, help="Look at the files again and again: for drives that give no events.")
@server_options(port=4177)
def serve(config: str, mode: str, jobs: int | None, cache_dir: str | None, poll: bool, **chosen: Any) -> None:
    """Build, serve the app, and build again whenever something changes. The same as `mbundle watch --serve`.

    A page that has loaded a model gets the new one in place, with no reload and no lost state; what is wrong with a
    build is shown over the page until it is mended. The output folder itself always holds production output.
    """
    from ..serve.dev import develop
    from ..watch.session import WatchOptions

    choices = Choices(**chosen)
    options = WatchOptions(mode, jobs, cache_dir, poll, command="serve", quiet=choices.as_json)
    with told_in_lines(choices.as_json):
        develop(config, options, choices)
