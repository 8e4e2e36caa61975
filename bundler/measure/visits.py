"""One subject, measured once: a first visit with an empty profile and a second one with what the first has stored."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from ..emit.loader import stem
from . import memory, ort
from .browser import FEEDS, PAGE, Browser, call, evaluate
from .chromium import profile
from .interval import percentile
from .plan import Settings, Subject
from .tensor import Feeds

_STORED = 30_000
"""Milliseconds that the runtime may take to store what it has loaded, behind the session."""


@dataclass(frozen=True, slots=True)
class Visits:
    """Measures subjects in `browser`."""

    browser: Browser
    settings: Settings
    cores: int
    waterfalls: dict[Subject, list[dict[str, Any]]] = field(default_factory=dict)
    """Of the last first visit, a row a request, the session and the first inference: {"name", "kind", "start", "end",
    "bytes"}, ms."""

    def measure(self, subject: Subject, feeds: Feeds) -> dict[str, float]:
        """Figures by their key in `metrics.METRICS`. MbundleError MB512, MB513."""
        wish = self._wish(subject, feeds)
        with profile() as folder:
            cold, sent, peak = self._visit(folder, subject, wish, runs=0)
            warm, again, _ = self._visit(folder, subject, wish, runs=self.settings.runs)
        self.waterfalls[subject] = cold["waterfall"]
        figures = {
            "wireBytes": sent[0],
            "modelBytes": sent[1],
            "warmBytes": again[0],
            "loadMs": cold["load"],
            "warmMs": warm["load"],
            "sessionMs": cold["session"],
            "firstMs": cold["first"],
            "longestMs": cold["longest"],
            "blockedMs": cold["blocked"],
            "latencyMs": percentile(warm["steady"], 0.5),
            "p95Ms": percentile(warm["steady"], 0.95),
            "memory": peak,
        }
        return {key: value for key, value in figures.items() if value is not None}

    def _wish(self, subject: Subject, feeds: Feeds) -> dict[str, Any]:
        gpu = subject.device == "webgpu"
        threads = self.cores if subject.device == "wasm-threads" else 1
        options = self.browser.options(subject.entry, subject.variant, "webgpu" if gpu else "wasm", threads)
        way = "source" if subject.variant is None else "emitted"
        return {"way": way, "options": options, "feeds": self.browser.serve(feeds), "warmup": self.settings.warmup}

    def _visit(
        self, folder: str, subject: Subject, wish: dict[str, Any], runs: int
    ) -> tuple[dict[str, Any], tuple[int, int], int | None]:
        """What the page tells, the bytes that were sent to it, and the peak of its memory."""
        gpu = self.browser.gpu if subject.device == "webgpu" else "none"
        with self.browser.page(folder, self.settings.network, self.settings.cpu, gpu) as page:
            evaluate(page, "prepare", wish)
            before, start = memory.idle(folder), len(self.browser.sent)
            told = call(page, "visit", {**wish, "warmup": wish["warmup"] if runs else 0, "runs": runs}, subject.entry)
            peak = memory.peak(folder, before)
            if not runs:
                self._wait_until_stored(page, subject)
        return told, self._sent(start), peak

    def _sent(self, start: int) -> tuple[int, int]:
        """Bytes of all that the visit since `start` downloaded, and of the model in it."""
        rows = [one for one in self.browser.sent[start:] if not one.path.startswith((PAGE, FEEDS))]
        model = [one for one in rows if one.path.endswith((".onnx", ".bin"))]
        return sum(one.nbytes for one in rows), sum(one.nbytes for one in model)

    def _wait_until_stored(self, page: Any, subject: Subject) -> None:
        """Else the second visit would find what was stored by chance."""
        if subject.variant is None:
            return
        module = os.path.join(self.browser.dist, "entries", f"{stem(subject.entry)}.js")
        runtime = ort.runtime(module)
        if runtime is not None:
            evaluate(page, "stored", [f"{self.browser.base}{runtime}", self._files(subject) + 1, _STORED])

    def _files(self, subject: Subject) -> int:
        variants = self.browser.manifest.entries[subject.entry].variants
        one = next(one for one in variants if one.name == subject.variant)
        return len({ref.sha256 for ref in one.downloads})
