"""The figures of `mbundle bench` beside those of a page written by hand. `python -m benchmarks.bench_overhead`

Both visit the same output, from the same server, with new profiles, in turn; each figure is the median of --rounds
visits, and the ratio the median of those of each round, so that a machine that slows down does so on both sides. The
hand-written page has two clocks around two calls. Exit status 1 when a figure differs by more than 5 %.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from bundler.measure import ort
from bundler.measure.browser import Browser, browsing
from bundler.measure.chromium import profile
from bundler.measure.plan import Settings, Subject
from bundler.measure.tensor import Feeds, Tensor
from bundler.measure.visits import Visits
from bundler.serve.run import serving
from bundler.serve.site import Options, Site

from .bench_project import prepare

PAGE = Path(__file__).resolve().parent / "bench_page"
GOAL = 0.05
DIMS = (1, 2048)
FEEDS: Feeds = {"bytes": Tensor("int32", DIMS, b"\x01\0\0\0" * 2048)}
KEYS = ("loadMs", "firstMs", "latencyMs")


def by_hand(browser: Browser, origin: str, variant: str, settings: Settings) -> dict[str, float]:
    """Load and first inference on an empty profile; inferences on the second visit, as `mbundle bench` takes them."""
    package = ort.find(browser.dist, "/", "magika", browser.root)
    wish: dict[str, Any] = {
        "entry": "/entries/magika.js",
        "ort": package.builds["wasm"]["url"],
        "variant": variant,
        "feeds": [{"name": "bytes", "dims": list(DIMS)}],
    }
    with profile() as folder:
        first = visit(browser, folder, origin, {**wish, "runs": 1, "warmup": 0})
        second = visit(browser, folder, origin, {**wish, "runs": settings.runs, "warmup": settings.warmup})
    return {**first, "latencyMs": second["latencyMs"]}


def visit(browser: Browser, folder: str, origin: str, wish: dict[str, Any]) -> dict[str, float]:
    with browser.chromium.visit(folder) as context:
        page = context.new_page()
        page.goto(origin + "hand/index.html")
        found: dict[str, float] = page.evaluate("(wish) => window.measure(wish)", wish)
        page.wait_for_timeout(2000 if wish["runs"] == 1 else 0)  # what is stored is stored behind the session
        return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    settings = Settings()
    with tempfile.TemporaryDirectory() as name, browsing(str(prepare(Path(name))), root=name) as browser:
        folder = ort.find(browser.dist, "/", "magika", browser.root).folder
        mounts = {"/hand/": str(PAGE), ort.MOUNT: str(folder)}
        with serving(Site(browser.dist, Options(app=None, mounts=mounts))) as hand:
            visits = Visits(browser, settings, 1)
            ours, theirs = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
            for turn in range(rounds):
                sides = [
                    (ours, lambda: visits.measure(Subject("magika", "fp32", "wasm"), FEEDS)),
                    (theirs, lambda: by_hand(browser, hand.url, "fp32", settings)),
                ]
                for taken, measure in sides if turn % 2 else reversed(sides):
                    found = measure()
                    for key in KEYS:
                        taken[key].append(found[key])
    return show(ours, theirs)


def show(ours: dict[str, list[float]], theirs: dict[str, list[float]]) -> int:
    print(f"{'':12}{'bench ms':>10}{'hand ms':>10}{'ratio':>8}")
    worst = 0.0
    for key in KEYS:
        one, other = statistics.median(ours[key]), statistics.median(theirs[key])
        ratio = statistics.median(a / b for a, b in zip(ours[key], theirs[key], strict=True))
        worst = max(worst, abs(ratio - 1))
        print(f"{key:12}{one:10.1f}{other:10.1f}{ratio:8.3f}")
    print(f"largest difference {worst:.1%}, goal {GOAL:.0%}")
    return 0 if worst <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
