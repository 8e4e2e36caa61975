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
    "MB540": Diagnostic(
        "A budget is not kept",
        "The output costs more than its `Budget` allows, and noise does not explain it.",
        "Make the model smaller, faster or more exact (docs/loaders.md), or change the budget in the config.",
    ),
    "MB541": Diagnostic(
        "A budget cannot be judged",
        "Its figure was not measured for this output; a limit that nobody checks would be none.",
        "Run `mbundle bench` (times, memory) or `mbundle golden check` (accuracy) first, or take the budget out.",
    ),
    "MB542": Diagnostic(
        "There is no such baseline",
        "`--base` names a file that `mbundle check --update` wrote, or a git ref that has mbundle-baseline.json.",
        "Run `mbundle check --update`, commit mbundle-baseline.json, and fetch the ref in CI (`fetch-depth: 0`).",
    ),
    "MB543": Diagnostic(
        "The baseline or the history cannot be written",
        "The system refused it. Nothing else was changed.",
        "Make the file and its folder writable for you, or name another one.",
    ),
}
