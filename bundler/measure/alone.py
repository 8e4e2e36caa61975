"""A visit in a browser that nobody inspects, for the memory of its page.

What drives a browser over its debugging protocol, as Playwright does, has each page keep up to 200 MB of the answers
below 20 MB that it got, for the network panel: a model that comes in chunks would be counted twice.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from . import memory
from .browser import FEEDS, LONGEST, PAGE, Browser
from .chromium import Gpu, profile, uninspected

_SETTLED = 0.5
"""Seconds until a page that has just opened is at rest."""


def held(browser: Browser, wish: Mapping[str, Any], gpu: Gpu) -> int | None:
    """Bytes that a page holds at most over an empty one from the load to the first inference, at the machine's own
    speed; None where that cannot be told. `wish`: as `templates/bench/visit.js` takes it."""
    if not os.path.isdir("/proc/self"):
        return None
    name = f"alone-{time.monotonic_ns()}.json"
    path = os.path.join(browser.scratch, "feeds", name)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(wish, file)
    url = f"{browser.origin}{PAGE}alone.html?wish={FEEDS}{name}"
    start = len(browser.sent)
    with profile() as folder, uninspected(browser.chromium.program, folder, gpu, url) as running:
        if not _wait(browser, start, {"ready"}, running):
            return None
        time.sleep(_SETTLED)
        before = memory.idle(folder)
        open(f"{path}.go", "w").close()
        if _wait(browser, start, {"done", "failed"}, running) != "done":
            return None
        return memory.peak(folder, before)


def _wait(browser: Browser, start: int, words: set[str], running: Callable[[], bool]) -> str | None:
    """The word that the page has said since the answer `start`; None when it says none any more."""
    end = time.monotonic() + LONGEST / 1000
    while running() and time.monotonic() < end:
        for one in browser.sent[start:]:
            if one.path.startswith(PAGE) and one.path.removeprefix(PAGE) in words:
                return one.path.removeprefix(PAGE)
        time.sleep(0.02)
    return None
