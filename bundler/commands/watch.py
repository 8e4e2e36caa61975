"""`mbundle watch`."""

from __future__ import annotations

import threading
from collections.abc import Callable

import click


@click.command()
@click.option("--config", "-c", default="model.config.py", show_default=True, help="The config file.")
@click.option("--mode", default="production", show_default=True, help="production or development.")
@click.option("--jobs", "-j", type=click.IntRange(1, 256), help="Entries worked on at a time. [default: all cores]")
@click.option("--cache-dir", help="Folder of the cache. [default: $MBUNDLE_CACHE_DIR, else .mbundle/cache]")
@click.option("--json", "as_json", is_flag=True, help="Print each event as one JSON object a line to stdout.")
@click.option("--poll", is_flag=True, help="Look at the files again and again: for drives that give no events.")
@click.option("--serve", "served", is_flag=True, help="The same as `mbundle serve`, which has more options.")
@click.option("--exit-with-stdin", is_flag=True, help="End when stdin is closed: for programs that start mbundle.")
@click.pass_context
def watch(
    context: click.Context,
    config: str,
    mode: str,
    jobs: int | None,
    cache_dir: str | None,
    as_json: bool,
    poll: bool,
    served: bool,
    exit_with_stdin: bool,
) -> None:
    """Build, and build again whenever something changes that the build depends on.

    A build that fails leaves the last good output in place; a change during a build starts it again.
    """
    if served:
        from .serve import serve

        del context.params["served"]
        context.forward(serve)
        return
    from ..report.machine import print_line
    from ..serve.choices import told_in_lines
    from ..watch.lines import Lines
    from ..watch.session import WatchOptions
    from ..watch.session import watch as run
    from ..watch.stdin import at_end

    lines = Lines()
    lines.headline(mode)
    stop = threading.Event()
    if exit_with_stdin:
        at_end(stop.set)
    emit = (lambda event: print_line(event.as_json())) if as_json else lines.event
    options = WatchOptions(mode, jobs, cache_dir, poll, quiet=as_json, told=lines.line)
    try:
        with told_in_lines(as_json):
            in_thread(lambda: run(config, options, emit, stop), stop)
    except KeyboardInterrupt:  # how a watch ends: nothing went wrong
        raise click.exceptions.Exit(130) from None


def in_thread(work: Callable[[], None], stop: threading.Event) -> None:
    """Runs `work`, which ends soon after `stop` is set, while this thread waits for Ctrl-C. Raises what it raises."""
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)
        stop.set()

    thread = threading.Thread(target=guarded, name="watch")
    thread.start()
    try:
        stop.wait()
    finally:
        stop.set()
        thread.join()
    if raised:
        raise raised[0]
