"""Diagnostics of the benchmark, the browser that it drives, and the budgets; joined in `bundler.catalogue`."""

from __future__ import annotations

from ._diagnostic import Diagnostic

BENCH: dict[str, Diagnostic] = {
    "MB510": Diagnostic(
        "Playwright is not installed",
        "mbundle drives a real browser with it; builds do not need it, so it comes as an extra.",
        "Run `pip install 'mbundle[browser]'`, or measure without a browser: `mbundle bench --browser none`.",
    ),
    "MB511": Diagnostic(
        "There is no Chromium",
        "Neither --chromium nor MBUNDLE_CHROMIUM names one, the system has none, and Playwright has not fetched any.",
        "Run `playwright install chromium`, or name one: `--chromium /usr/bin/chromium`.",
    ),
    "MB512": Diagnostic(
        "Chromium did not start, or ended",
        "The browser gave up before it had an answer; often memory is short, or a library is missing.",
        "Start it by hand to see why; in a container give it more shared memory (`--shm-size=1g`).",
    ),
    "MB513": Diagnostic(
        "The model did not run in the browser",
        "The emitted loader was imported in a page and failed there, as it would for a visitor.",
        "See the message; `mbundle preview` serves the same files for a look with the browser's own tools.",
    ),
    "MB514": Diagnostic(
        "There is no such entry, variant or device",
        "What is measured is what the manifest of the output folder names, on a device that the browser has.",
        "See `mbundle inspect DIST` for the names.",
    ),
    "MB515": Diagnostic(
        "Not a benchmark's result",
        "The figures of `mbundle bench` are kept in .mbundle/bench.json; this file is something else, or damaged.",
        "Run `mbundle bench` again, or name another file.",
    ),
}
