"""One subject, measured once: a first visit with an empty profile and a second one with what the first has stored."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from ..emit.loader import stem
from . import alone, ort
from .browser import FEEDS, PAGE, Browser, call, evaluate
from .chromium import Gpu, profile
from .interval import percentile
from .plan import Settings, Subject
from .tensor import Feeds

_STORED = 30_000
"""Milliseconds that the runtime may take to store what it has loaded, behind the session."""
_LOOKS = 2
"""Visits of a subject whose memory is looked at."""


@dataclass(frozen=True, slots=True)
class Visits:
    """Measures subjects in `browser`."""

    browser: Browser
    settings: Settings
    cores: int
    waterfalls: dict[Subject, list[dict[str, Any]]] = field(default_factory=dict)
    """Of the last first visit, a row a request, the session and the first inference: {"name", "kind", "start", "end",
    "bytes"}, ms."""
    _looks: dict[Subject, int] = field(default_factory=dict)

    def measure(self, subject: Subject, feeds: Feeds) -> dict[str, float]:
        """Figures by their key in `metrics.METRICS`. MbundleError MB512, MB513."""
        wish = self._wish(subject, feeds)
        with profile() as folder:
            cold, sent = self._visit(folder, subject, wish, runs=0)
            warm, again = self._visit(folder, subject, wish, runs=self.settings.runs)
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
            "memory": self._memory(subject, wish),
        }
        return {key: value for key, value in figures.items() if value is not None}

    def _memory(self, subject: Subject, wish: dict[str, Any]) -> int | None:
        """None also when it was looked at twice already: it varies little, and a visit is dear."""
        looks = self._looks.get(subject, 0)
        if looks == _LOOKS:
            return None
        self._looks[subject] = looks + 1
        return alone.held(self.browser, {**wish, "warmup": 0, "runs": 0}, self._gpu(subject))

    def _gpu(self, subject: Subject) -> Gpu:
        return self.browser.gpu if subject.device == "webgpu" else "none"

    def _wish(self, subject: Subject, feeds: Feeds) -> dict[str, Any]:
        gpu = subject.device == "webgpu"
        threads = self.cores if subject.device == "wasm-threads" else 1
        options = self.browser.options(subject.entry, subject.variant, "webgpu" if gpu else "wasm", threads)
        way = "source" if subject.variant is None else "emitted"
        return {"way": way, "options": options, "feeds": self.browser.serve(feeds), "warmup": self.settings.warmup}

    def _visit(
        self, folder: str, subject: Subject, wish: dict[str, Any], runs: int
    ) -> tuple[dict[str, Any], tuple[int, int]]:
        """What the page tells, and the bytes that were sent to it."""
        with self.browser.page(folder, self.settings.network, self.settings.cpu, self._gpu(subject)) as page:
            evaluate(page, "prepare", wish)
            start = len(self.browser.sent)
            told = call(page, "visit", {**wish, "warmup": wish["warmup"] if runs else 0, "runs": runs}, subject.entry)
            if not runs:
                self._wait_until_stored(page, subject)
        return told, self._sent(start)

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
