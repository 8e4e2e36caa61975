"""The benchmark: every subject, round after round, in native onnxruntime and in a browser; gives plain data."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from .. import process
from ..catalogue import problem
from ..config.schema import EntrySpec
from ..emit.loader import stem
from ..emit.manifest import Manifest, read_manifest
from ..errors import MbundleError, UsageError, printable
from ..export.known import model_path
from ..process import Limits
from ..report.progress import Progress
from .assemble import GRAPH, assemble
from .browser import browsing
from .caches import for_variant
from .interval import interval
from .metrics import METRICS
from .plan import DEVICES, Device, Settings, Subject, rounds
from .samples import Sample
from .tensor import Feeds
from .visits import Visits

Measure = Callable[[Subject, Feeds], dict[str, float]]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. `entries`, `variants`, `devices`: empty is all that there are. `sources`: of a config, for the
    baseline and the golden inputs; entries that are not in it are measured without."""

    dist: str
    root: str
    settings: Settings = field(default_factory=Settings)
    entries: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    sources: Mapping[str, EntrySpec] = field(default_factory=dict)
    browser: bool = True
    native: bool = True
    baseline: bool = True
    executable: str | None = None
    first_only: bool = False
    """Only the variant of each entry that most visitors get, the first."""


class Bench:
    """One run of it. `run` gives {"entries", "browser"}; see `benchfile`."""

    def __init__(self, wish: Wish, progress: Progress) -> None:
        self.wish, self.progress = wish, progress
        self.manifest: Manifest = read_manifest(wish.dist)
        self.cores = os.cpu_count() or 1
        self.found: dict[Subject, dict[str, list[float]]] = {}
        self.errors: dict[Subject, str] = {}
        self.waterfalls: dict[Subject, list[dict[str, Any]]] = {}
        self.facts: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        """MbundleError when nothing can be measured at all; what fails of a subject is in its row."""
        names = self._entries()
        with tempfile.TemporaryDirectory(prefix="mbundle-bench-") as scratch, ExitStack() as stack:
            samples = {name: self._sample(name, scratch) for name in names}
            feedable = [name for name in names if samples[name].feeds]
            if self.wish.native:
                self._native(feedable, samples, scratch)
            if self.wish.browser:
                self._browser(feedable, samples, scratch, stack)
        return {**self.facts, "entries": {name: self._entry(name, samples[name]) for name in names}}

    def _entries(self) -> list[str]:
        known = sorted(self.manifest.entries)
        for name in self.wish.entries:
            if name not in known:
                what = f'There is no entry "{printable(name)}"; there are {", ".join(known)}.'
                raise UsageError(problem("MB514", what, file=self.wish.dist))
        names = [name for name in known if not self.wish.entries or name in self.wish.entries]
        variants = {one.name for name in names for one in self.manifest.entries[name].variants}
        for one in self.wish.variants:
            if one not in variants:
                what = f'There is no variant "{printable(one)}"; there are {", ".join(sorted(variants))}.'
                raise UsageError(problem("MB514", what, file=self.wish.dist))
        return names

    def _subjects(self, name: str, devices: Sequence[Device]) -> list[Subject]:
        variants = [one.name for one in self.manifest.entries[name].variants]
        variants = variants[:1] if self.wish.first_only else variants
        wanted: list[str | None] = [one for one in variants if not self.wish.variants or one in self.wish.variants]
        source = [None] if self.wish.baseline and name in self.wish.sources else []
        return [Subject(name, one, device) for device in devices for one in (*source, *wanted)]

    def _sample(self, name: str, scratch: str) -> Sample:
        """In a child: the first variant, put together again, says what it takes."""
        spec = self.wish.sources.get(name)
        recorded = os.path.join(self.wish.root, "golden", f"{name}.npz")
        golden = spec.golden.path if spec and spec.golden else ""
        golden = golden or (recorded if os.path.isfile(recorded) else "")
        first = self.manifest.entries[name].variants[0]
        with self.progress.span(f"{name}: inputs"):
            path = assemble(self.wish.dist, first, os.path.join(scratch, "native", stem(name), "0"))
            limits = Limits.for_model(first.requires.memory)
            made: Sample = process.run(
                "bundler.measure.samples:sample", path, scratch, golden, limits=limits, label=f"inputs of {name}"
            )
        return made

    def _native(self, names: Sequence[str], samples: Mapping[str, Sample], scratch: str) -> None:
        paths: dict[tuple[str, str | None], str] = {}
        for name in names:
            if name in self.wish.sources:
                paths[name, None] = model_path(self.wish.sources[name], self.wish.root)
            for index, one in enumerate(self.manifest.entries[name].variants):
                folder = os.path.join(scratch, "native", stem(name), str(index))
                made = os.path.join(folder, GRAPH) if index == 0 else assemble(self.wish.dist, one, folder)
                paths[name, one.name] = made

        def measure(subject: Subject, feeds: Feeds) -> dict[str, float]:
            path, settings = paths[subject.entry, subject.variant], self.wish.settings
            target = "bundler.measure.native:time_natively"
            limits = Limits.for_model(os.path.getsize(path) + self._memory(subject))
            figures: dict[str, float] = process.run(
                target, path, feeds, settings.warmup, settings.runs, limits=limits, label=subject.label
            )
            return figures

        self._measure([one for name in names for one in self._subjects(name, ["native"])], samples, measure)

    def _memory(self, subject: Subject) -> int:
        return max(one.requires.memory for one in self.manifest.entries[subject.entry].variants)

    def _browser(self, names: Sequence[str], samples: Mapping[str, Sample], scratch: str, stack: ExitStack) -> None:
        wish = self.wish
        browser = stack.enter_context(browsing(wish.dist, root=wish.root, executable=wish.executable, gpu="real"))
        with self.progress.span("asking the browser for its GPU"):
            adapter = browser.adapter() if not wish.devices or "webgpu" in wish.devices else None
        self.facts = {"browser": browser.version(), "gpu": adapter}
        for name in names:
            if wish.baseline and name in wish.sources:
                self._put_source(name, browser.scratch)
        visits = Visits(browser, wish.settings, self.cores, self.waterfalls)
        devices = wish.devices or self._devices(adapter)
        self._measure([one for name in names for one in self._subjects(name, devices)], samples, visits.measure)

    def _devices(self, adapter: Mapping[str, Any] | None) -> tuple[Device, ...]:
        """Threads only where there are some, and a GPU only where it is one: software tells nothing about speed."""
        gpu = adapter is not None and not adapter["software"]
        return tuple(one for one in DEVICES if (one != "webgpu" or gpu) and (one != "wasm-threads" or self.cores > 1))

    def _put_source(self, name: str, scratch: str) -> None:
        spec = self.wish.sources[name]
        target = os.path.join(scratch, "source", f"{stem(name)}.onnx")
        with self.progress.span(f"{name}: the source as one file"), tempfile.TemporaryDirectory(dir=scratch) as folder:
            model = model_path(spec, self.wish.root)
            limits = Limits.for_model(os.path.getsize(model) + self._memory(Subject(name, None, "wasm")))
            args = (model, self.wish.root, spec.allow_external, folder)
            path = process.run("bundler.measure.samples:single_file", *args, limits=limits, label=f"source of {name}")
            shutil.copyfile(path, target)

    def _measure(self, subjects: Sequence[Subject], samples: Mapping[str, Sample], measure: Measure) -> None:
        count = self.wish.settings.rounds
        for turn, subject in rounds(subjects, count):
            if subject in self.errors:
                continue
            figures = self.found.setdefault(subject, {})
            with self.progress.span(f"round {turn + 1} of {count}: {subject.label}"):
                try:
                    for key, value in measure(subject, self._feeds(subject, samples[subject.entry])).items():
                        figures.setdefault(key, []).append(value)
                except UsageError:
                    raise
                except MbundleError as error:  # one variant that does not run is a result, too
                    self.errors[subject] = "; ".join(one.what for one in error.problems)

    def _feeds(self, subject: Subject, sample: Sample) -> Feeds:
        first, *more = self.manifest.entries[subject.entry].variants
        wanted = next((one for one in (first, *more) if one.name == subject.variant), None)
        return for_variant(sample.feeds, first, wanted)

    def _entry(self, name: str, sample: Sample) -> dict[str, Any]:
        rows = [self._row(subject) for subject in self.found if subject.entry == name]
        shapes = {key: [tensor.dtype, *tensor.dims] for key, tensor in sample.feeds.items()}
        return {"inputs": {"from": sample.origin, "shapes": shapes, "note": sample.note}, "rows": rows}

    def _row(self, subject: Subject) -> dict[str, Any]:
        figures = self.found[subject]
        row: dict[str, Any] = {"variant": subject.variant, "device": subject.device}
        if subject in self.errors:
            row["error"] = self.errors[subject]
        if subject in self.waterfalls:
            row["waterfall"] = self.waterfalls[subject]
        return row | {"figures": {key: _figure(key, samples) for key, samples in figures.items()}}


def _figure(key: str, samples: Sequence[float]) -> dict[str, Any]:
    """On an uneven machine rounds differ, and whole benchmarks differ by more than the margin."""
    found, margin = interval(samples), METRICS[key].margin
    wide = found.widened(max(margin, found.spread) if margin else 0.0)
    return {"value": found.value, "low": wide.low, "high": wide.high, "samples": list(samples)}
