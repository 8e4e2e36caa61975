"""Runs one variant's steps: cache, else a child that applies the step and a child that verifies the result.

The parent never looks into a model. What a step does to it is told in its record; what a library does to its process
is a StepError about this entry, which the caller catches so that the other entries still build.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from .. import process
from ..config.schema import EntrySpec, LoaderSpec, VariantSpec
from ..errors import ConfigError, Interrupted, MbundleError, OutputError, StepError, printable
from ..graph.model import Model
from ..process import Limits
from .base import Context
from .record import Status, StepRecord
from .regression import Allowed, Trouble, growth, of_form, of_function, of_loading, of_reading, refuse, remark
from .step import StepResult
from .verify.agreement import Agreement
from .verify.baseline import Baseline
from .verify.metric import own_metric

BASELINE_SECONDS = 120.0
"""For finding inputs and running the source on them; a big model gets more."""


@dataclass(frozen=True, slots=True)
class StepInput:
    """All that a step's result and record depend on; `context` is JSON values."""

    spec: LoaderSpec
    model: Model
    source: Model
    """The entry's model before the first step."""
    version: str
    tools: tuple[str, ...]
    files: tuple[str, ...]
    """Absolute paths of extra files whose bytes the step or its verification reads."""
    context: dict[str, Any]


class StepCache(Protocol):
    def load(self, step: StepInput) -> tuple[Model, StepRecord] | None:
        """None is a miss, and so is anything that is wrong with the entry."""
        ...

    def save(self, step: StepInput, result: Model, record: StepRecord) -> Model:
        """The model to go on with: the same, but its weights lie where they outlive the step's scratch folder."""
        ...


class NoCache:
    """Results live in the scratch folder for as long as the build runs."""

    def load(self, step: StepInput) -> tuple[Model, StepRecord] | None:
        return None

    def save(self, step: StepInput, result: Model, record: StepRecord) -> Model:
        return result


@dataclass(frozen=True, slots=True)
class Workshop:
    """What all chains of a build share. `scratch`: folder on the cache's filesystem that the caller removes."""

    root: str
    config_file: str
    mode: Literal["development", "production"]
    scratch: str
    cache: StepCache = field(default_factory=NoCache)
    target_ir: int = 10
    target_opset: int = 22
    told: Callable[[str, str], None] = lambda label, line: None
    """Gets (label of the step, one line) while the build runs."""


@dataclass(frozen=True, slots=True)
class ChainResult:
    model: Model
    records: tuple[StepRecord, ...]


class Reference:
    """The source's outputs for one entry, computed in a child when the first step must be verified. Thread-safe."""

    def __init__(self, entry: EntrySpec, source: Model, workshop: Workshop) -> None:
        self._entry, self._source, self._workshop = entry, source, workshop
        self._lock = threading.Lock()
        self._baseline: Baseline | None = None
        self._calibration: Baseline | None = None
        self._thread: threading.Thread | None = None

    def prepare(self) -> None:
        """Begins with the baseline while the first step runs: on two cores it then costs no time of its own."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._ahead, name=f"baseline {self._entry.name}", daemon=True)
            self._thread.start()

    def settle(self, end_children: Callable[[], None]) -> None:
        """Until nothing that `prepare` began runs any more: it must not work in a folder that is being removed."""
        while self._thread is not None and self._thread.is_alive():
            end_children()  # again, for it may have been about to begin one
            self._thread.join(0.05)

    def _ahead(self) -> None:
        with contextlib.suppress(MbundleError, OSError):  # who needs the baseline tries again, and tells
            self.baseline()

    def baseline(self) -> Baseline:
        with self._lock:
            if self._baseline is None:
                golden = self._entry.golden
                self._baseline = self._recorded(golden.path if golden else "")
            return self._baseline

    def calibration(self) -> Baseline | None:
        """None: the entry has no inputs for that alone."""
        golden = self._entry.golden
        if golden is None or not golden.calibration:
            return None
        with self._lock:
            if self._calibration is None:
                self._calibration = self._recorded(golden.calibration)
            return self._calibration

    def _searched(self) -> bool:
        """Whether a step is made from the samples, and not only judged by them: then all of them count."""
        steps = (spec for variant in self._entry.variants for spec in variant.steps)
        return any(getattr(_loader(spec), "wants_samples", False) for spec in steps)

    def _recorded(self, golden: str) -> Baseline:
        """A source that cannot be run in time or memory on made-up inputs is not compared; that is told."""
        folder = process.scratch_folder("baseline-", self._workshop.scratch)
        limits = replace(
            Limits.for_model(self._source.nbytes), wall=BASELINE_SECONDS + self._source.nbytes / (50 << 20)
        )
        args = (
            self._source,
            os.path.join(folder, "baseline.npz"),
            golden,
            own_metric(self._entry, self._workshop.config_file, self._workshop.mode) is not None or self._searched(),
        )
        try:
            baseline: Baseline = process.run(
                "bundler.loaders.verify.samples:record",
                *args,
                limits=limits,
                label=f"running {self._entry.name}",
                tmp=folder,
            )
        except StepError as error:
            return Baseline("", note=error.problems[0].what)
        return baseline


def run_chain(
    entry: EntrySpec, variant: VariantSpec, source: Model, workshop: Workshop, reference: Reference | None = None
) -> ChainResult:
    """`source` through the steps of `variant`. `reference` is shared by the variants of an entry.

    Raises StepError, naming the entry, when a step dies, or breaks the model under on_regression="error".
    """
    reference = reference or Reference(entry, source, workshop)
    chain = _Chain(entry, variant, source, workshop, reference)
    try:
        for spec in variant.steps:
            chain.advance(spec)
    except StepError as error:
        raise StepError(*(replace(p, entry=p.entry or entry.name) for p in error.problems)) from error
    return ChainResult(chain.model, tuple(chain.records))


class _Chain:
    def __init__(
        self, entry: EntrySpec, variant: VariantSpec, source: Model, workshop: Workshop, reference: Reference
    ) -> None:
        self.entry, self.workshop, self.source, self.reference = entry, workshop, source, reference
        self.name = f"{entry.name}/{variant.name}"
        self.model = source
        self.records: list[StepRecord] = []
        self.allowed = Allowed(entry.max_error, _bar(entry))

    def advance(self, spec: LoaderSpec) -> None:
        step, allowed = self._described(spec)
        found = self.workshop.cache.load(step)
        if found is not None:
            result, record = found[0], found[1].from_cache()
        else:
            result, record = self._run(step, allowed)
            result = self.workshop.cache.save(step, result, record)
        if record.status in ("ok", "cached"):
            self.allowed = allowed
        self.model = result
        self.records.append(record)

    def _described(self, spec: LoaderSpec) -> tuple[StepInput, Allowed]:
        loader = _loader(spec)
        allowed = self.allowed.after(loader)
        golden = golden_files(self.entry)
        reads = extra_files(spec, self.workshop.root)
        tools = {"onnxruntime", "onnx", *(loader.tools if loader else ())}
        context: dict[str, Any] = {
            "mode": self.workshop.mode,
            "target": [self.workshop.target_ir, self.workshop.target_opset],
            "tolerance": allowed.as_json(),
            "on_regression": self.entry.on_regression,
        }
        if self.entry.golden is not None and self.entry.golden.metric != "cosine":
            context["metric"] = self.entry.golden.digest or self.entry.golden.metric
        if loader is None:
            context["entry"] = self.entry.name  # a plain function sees it and may act on it
        version = loader.version if loader else ""
        step = StepInput(spec, self.model, self.source, version, tuple(sorted(tools)), reads + golden, context)
        return step, allowed

    def _run(self, step: StepInput, allowed: Allowed) -> tuple[Model, StepRecord]:
        started = time.monotonic()
        label = f"{step.spec.name} {self.name}"
        self.reference.prepare()
        result = self._applied(step, label)
        note = printable("; ".join(result.log), 200)
        if result.skipped:
            return self._kept("skipped", printable(result.skipped, 200), step, started)
        if result.model == step.model and not result.refused:
            return self._kept("unchanged", note or "nothing to do", step, started)
        agreement, trouble = self._judged(result, step, allowed, label)
        if trouble is None:
            bigger = "" if _recodes(step.spec) else growth(step.model, result.model)
            remarks = [bigger, note, remark(agreement, allowed, self.reference.baseline().note)]
            record = self._record("ok", "; ".join(filter(None, remarks)), step, result.model, started)
            record = replace(record, details=result.details)
            return result.model, record.with_agreement(agreement)
        if self.entry.on_regression == "error":
            raise refuse(trouble, self.entry.name, step.spec.name)
        model, record = self._kept("rolled back", trouble.reason, step, started)
        return model, record.with_agreement(agreement)

    def _applied(self, step: StepInput, label: str) -> StepResult:
        scratch = process.scratch_folder("step-", self.workshop.scratch)
        shop = self.workshop
        context = Context(scratch, shop.mode, shop.root, self.entry.name, shop.target_ir, shop.target_opset)
        loader = _loader(step.spec)
        if getattr(loader, "wants_samples", False):
            metric = own_metric(self.entry, shop.config_file, shop.mode)
            seen = self.reference.calibration()
            context = replace(
                context, samples=self.reference.baseline(), calibration=seen, metric=metric, at_least=_bar(self.entry)
            )
        target = "bundler.loaders.step:apply_step"
        printed = (lambda text: shop.told(label, text)) if step.spec.kind == "function" else None
        result: StepResult = process.run(
            target,
            step.spec,
            step.model,
            context,
            shop.config_file,
            limits=step_limits(loader, step.model.nbytes),
            label=label,
            tmp=scratch,
            printed=printed,
        )
        for line in (*result.details.get("table", ()), *result.log):
            shop.told(label, printable(line, 200))
        return result

    def _judged(
        self, result: StepResult, step: StepInput, allowed: Allowed, label: str
    ) -> tuple[Agreement | None, Trouble | None]:
        if result.refused:
            return None, of_reading(result.refused)
        model = result.model
        may_drop = getattr(_loader(step.spec), "drops_ports", False)
        recodes = _recodes(step.spec)
        may_grow = step.spec.kind == "function" or recodes
        trouble = of_form(step.model, model, may_grow=may_grow, may_drop=may_drop, may_recode=recodes)
        if trouble is not None:
            return None, trouble
        limits = Limits.for_model(model.nbytes)
        target = "bundler.loaders.verify.examine:examine"
        try:
            agreement = process.run(
                target,
                model,
                self.reference.baseline(),
                self.entry.external_ops,
                own_metric(self.entry, self.workshop.config_file, self.workshop.mode),
                limits=limits,
                label=f"the result of {label}",
                tmp=self.workshop.scratch,
            )
        except (ConfigError, Interrupted, OutputError):
            raise
        except MbundleError as error:
            return None, of_loading(error)
        return agreement, of_function(agreement, allowed)

    def _kept(self, status: Status, note: str, step: StepInput, started: float) -> tuple[Model, StepRecord]:
        return step.model, self._record(status, note, step, step.model, started)

    def _record(self, status: Status, note: str, step: StepInput, after: Model, started: float) -> StepRecord:
        before = step.model
        seconds = round(time.monotonic() - started, 3)
        sizes = (before.nbytes, after.nbytes, before.nodes, after.nodes)
        return StepRecord(step.spec.name, *sizes, seconds, status, note).of_result(after)


def step_limits(loader: Any, nbytes: int) -> Limits:
    """What applying a loader to a model may use; a search has its own time on top. None is a plain function."""
    limits = Limits.for_model(nbytes)
    return replace(limits, wall=limits.wall + getattr(loader, "seconds", 0.0))


def extra_files(spec: LoaderSpec, root: str) -> tuple[str, ...]:
    """Absolute paths of what the step reads beside the model."""
    loader = _loader(spec)
    return tuple(os.path.join(root, path) for path in (loader.reads() if loader else ()))


def golden_files(entry: EntrySpec) -> tuple[str, ...]:
    """Absolute paths of the samples that every step of the entry is verified on, and of those it is calibrated on."""
    golden = entry.golden
    return tuple(filter(None, (golden.path, golden.calibration))) if golden is not None and golden.path else ()


def preload(spec: LoaderSpec) -> tuple[str, ...]:
    """Modules worth importing before the step's child is forked: of the distributions that it says it depends on."""
    loader = _loader(spec)
    return tuple(tool.replace("-", "_") for tool in loader.tools) if loader else ()


def _recodes(spec: LoaderSpec) -> bool:
    """Whether the step is about a KV cache: nodes that it adds are bytes, and what it saves is no file."""
    return bool(getattr(_loader(spec), "recodes_cache", False))


def _bar(entry: EntrySpec) -> float:
    golden = entry.golden
    return -math.inf if golden is None or golden.at_least is None or not golden.path else golden.at_least


def _loader(spec: LoaderSpec) -> Any:
    """The loader as data, for what it says of itself; None for a plain function."""
    if spec.kind == "function":
        return None
    from .registry import make

    return make(spec)
