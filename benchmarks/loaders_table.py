"""A cell of `benchmarks.loaders`, what is wrong with it, and all of them as tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bundler.loaders.regression import SLACK

DRIFT = 0.03
"""Of a cosine, between native and wasm: their integer kernels round differently."""
NOISE = 1e-3
"""Of a cosine, for a loader that says nothing below it."""


@dataclass(frozen=True)
class Row:
    """`steps`: as stats.json has them. `allowed`: cosines, the least that the loader may have, and the least that it
    may have without a word."""

    model: str
    loader: str
    before: int
    after: int
    native: float
    web: float
    wire: dict[str, int]
    steps: tuple[dict[str, Any], ...]
    allowed: tuple[float, float]

    @property
    def trouble(self) -> str:
        if not (np.isfinite(self.native) and np.isfinite(self.web)):
            return "does not run"
        if self.after > self.before + SLACK:
            return "bigger"
        worst = min(self.native, self.web)
        if self.steps and not self.refused and worst < self.allowed[0] - NOISE:
            return "too far off"
        if self.steps and self.native < self.allowed[1] - NOISE and not self.note:
            return "silent"
        return "drifts" if abs(self.native - self.web) > DRIFT else ""

    @property
    def note(self) -> str:
        return "; ".join(filter(None, (step["note"] for step in self.steps)))

    @property
    def refused(self) -> bool:
        return all(step["status"] not in ("ok", "cached") for step in self.steps)

    def __str__(self) -> str:
        figures = f"{self.before / 1e6:8.2f} {self.after / 1e6:8.2f} {self.native:9.5f} {self.web:9.5f}"
        wire = " ".join(f"{nbytes / max(self.after, 1):6.1%}" for nbytes in self.wire.values())
        told = " ".join(_told(step) for step in self.steps)
        verdict = self.trouble.upper() or "ok"
        return f"{self.model:12} {self.loader:20} {figures} {wire}  {verdict:12} {told}".rstrip()


def _told(step: dict[str, Any]) -> str:
    status = "" if step["status"] in ("ok", "cached") else f"{step['status']}: "
    return f"{status}{step['note']} [{step['nodesBefore']} to {step['nodesAfter']} nodes, {step['seconds']} s]".strip()


def markdown(rows: list[Row]) -> str:
    """What each step makes of each model, what goes over the wire, and why steps did nothing."""
    models, loaders = (list(dict.fromkeys(getattr(row, name) for row in rows)) for name in ("model", "loader"))
    cells = {(row.model, row.loader): row for row in rows}
    lines = [f"| | {' | '.join(models)} |", f"| --- |{' --- |' * len(models)}"]
    notes: dict[str, int] = {}
    for loader in loaders:
        found = [_cell(cells[model, loader], notes) for model in models]
        lines.append(f"| {loader} | {' | '.join(found)} |")
    reasons = [f"{number}. {note}" for note, number in notes.items()]
    wire = [f"| | {' | '.join(models)} |", f"| --- |{' --- |' * len(models)}"]
    for loader in loaders:
        shares = [_wire(cells[model, loader]) for model in models]
        if any(share != "\u2013" for share in shares):
            wire.append(f"| {loader} | {' | '.join(shares)} |")
    return "\n".join([*lines, "", *reasons, "", *wire, ""])


def _cell(row: Row, notes: dict[str, int]) -> str:
    if row.steps and row.refused:
        return f"({notes.setdefault(row.note, len(notes) + 1)})"
    nodes = f", {row.steps[-1]['nodesAfter']} nodes" if row.steps else ""
    return f"{row.after / 1e6:.2f} MB{nodes}, {row.native:.4f}, {row.web:.4f}"


def _wire(row: Row) -> str:
    """Saved by brotli and by zstd; a step that did nothing has no figure of its own."""
    if row.steps and row.refused:
        return "\u2013"
    return " / ".join(f"{1 - nbytes / max(row.after, 1):.0%}" for nbytes in row.wire.values())
