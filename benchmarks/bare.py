"""A Chromium that nobody inspects. What drives a browser over its debugging protocol (Playwright does) has each page
keep what it fetched for the network panel, up to 200 MB of all answers below 20 MB: a third of a large model's weights
would be counted twice, if they come in chunks, and not at all if they come as one file.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bundler.measure.chromium import uninspected

from .load_server import Mounts
from .processes import tree_memory

PROGRAM = "/usr/bin/chromium"
SETTLED = 1.0
"""Seconds until a browser that has just opened an empty page is at rest."""
LONGEST = 600
"""Seconds that a page may take for its answer."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Of one visit. `got`: what the function gave; `sent`: bytes of the server; `peak`: bytes of the whole browser over
    what it held with an empty page."""

    got: dict[str, Any]
    sent: int
    peak: int


def visit(profile: str, origin: str, mounts: Mounts, job: dict[str, Any], *, stay: float = 0.0) -> Seen:
    """A browser on the folder `profile` runs one function of a module: {"module", "name", "given"}.

    stay: seconds that the page is left open afterwards, for what it does behind its answer. RuntimeError when the
    function fails or does not end.
    """
    with uninspected(PROGRAM, profile, "none", f"{origin}/page/index.html"):
        mounts.asked.get(timeout=60)
        time.sleep(SETTLED)
        idle, before = tree_memory(profile), mounts.sent
        with peak_of(profile) as peak:
            mounts.jobs.put(job)
            try:
                told = mounts.told.get(timeout=LONGEST)
            except queue.Empty as error:
                raise RuntimeError(f"{job['name']} gave no answer for {LONGEST} s") from error
        sent = mounts.sent - before
        if "error" in told:
            raise RuntimeError(told["error"])
        time.sleep(stay)
    return Seen(told["value"], sent, peak[0] - idle)


@contextlib.contextmanager
def peak_of(profile: str) -> Iterator[list[int]]:
    """The most memory (bytes, `tree_memory`) of the browser that runs on `profile`, filled in when the block ends."""
    most = [0]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            most[0] = max(most[0], tree_memory(profile))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()
