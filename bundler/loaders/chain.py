"""Runs one variant's steps: cache, else a child that applies the step and a child that verifies the result.

The parent never looks into a model. What a step does to it is told in its record; what a library does to its process
is a StepError about this entry, which the caller catches so that the other entries still build.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from .. import process
from ..config.schema import EntrySpec, LoaderSpec, VariantSpec
from ..errors import ConfigError, Interrupted, MbundleError, OutputError, StepError, printable
from ..graph.model import Model
from ..process import Limits
from .base import Context
from .declared import bar, extra_files, golden_files, loader_of, recodes, step_limits
from .record import Status, StepRecord
from .reference import Reference
from .regression import Allowed, Trouble, growth, of_form, of_function, of_loading, of_reading, refuse, remark
from .step import StepResult
from .verify.agreement import Agreement
from .verify.metric import own_metric
from .workshop import StepInput, Workshop


@dataclass(frozen=True, slots=True)
class ChainResult:
    model: Model
    records: tuple[StepRecord, ...]


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
        self.allowed = Allowed(entry.max_error, bar(entry))

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
        loader = loader_of(spec)
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
            bigger = "" if recodes(step.spec) else growth(step.model, result.model)
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
        loader = loader_of(step.spec)
        if getattr(loader, "wants_samples", False):
            metric = own_metric(self.entry, shop.config_file, shop.mode)
            seen = self.reference.calibration()
            context = replace(
                context, samples=self.reference.baseline(), calibration=seen, metric=metric, at_least=bar(self.entry)
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
        may_drop = getattr(loader_of(step.spec), "drops_ports", False)
        may_recode = recodes(step.spec)
        may_grow = step.spec.kind == "function" or may_recode
        trouble = of_form(step.model, model, may_grow=may_grow, may_drop=may_drop, may_recode=may_recode)
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
