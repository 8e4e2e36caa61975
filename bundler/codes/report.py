"""Diagnostics of `mbundle report`; joined in `bundler.catalogue`."""

from __future__ import annotations

from ._diagnostic import Diagnostic

REPORT: dict[str, Diagnostic] = {
    "MB197": Diagnostic(
        "nothing to report on",
        "`mbundle report` and `mbundle why` look at an output folder: what a build wrote.",
        "Run `mbundle build` first, or name an output folder: `mbundle report dist`, `mbundle why --dist dist`.",
    ),
    "MB198": Diagnostic(
        "report not written",
        "The file that the report would go to cannot be written, or is none of ours.",
        "Name a file in a folder that you may write to: `mbundle report -o FILE`.",
    ),
}
