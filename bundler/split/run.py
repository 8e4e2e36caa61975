"""Splits one variant: cache, else children that search the cuts and check the stages. The parent parses no model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from .. import process
from ..catalogue import problem
from ..config.schema import EntrySpec, LoaderSpec
from ..errors import Interrupted, MbundleError, StepError, printable
from ..graph.generation import has_encoder
from ..graph.model import Model
from ..loaders.declared import golden_files
from ..loaders.record import Status, StepRecord
from ..loaders.reference import Reference
from ..loaders.regression import amount
from ..loaders.split import Split
from ..loaders.verify.agreement import Agreement
from ..loaders.workshop import StepInput, Workshop
from ..process import Limits
from .plan import Found, Plan
from .verdict import fault


@dataclass(frozen=True, slots=True)
class Subject:
    """`model`: after the last step; `source`: before the first. `label`: "icons/q8". `implied`: nobody has asked for
    it, so that a model which cannot be cut stays whole."""

    entry: EntrySpec
    spec: LoaderSpec
    label: str
    model: Model
    source: Model
    implied: bool = False


def implied(model: Model) -> LoaderSpec | None:
    """How a model is split where no list says it: the encoder of an encoder-decoder apart from its decoder."""
    if not has_encoder(model.signature):
        return None
    options = {one.name: one.default for one in fields(Split)} | {"by": "encoder"}
    return LoaderSpec(Split.name, tuple(sorted(options.items())))


def split(
    subject: Subject, shop: Workshop, reference: Reference, before: Sequence[StepRecord]
) -> tuple[tuple[Model, ...], StepRecord]:
    """The stages, none where the variant stays whole, and what the build says of it. `before`: what the steps said.

    Raises StepError MB330, MB331, naming the entry, and what a child raises."""
    step = _described(subject, shop)
    found = shop.cache.load(step)
    record = found[1].from_cache() if found is not None else _searched(subject, step, shop, reference, before)
    plan = record.details.get("plan")
    if found is None:
        shop.cache.save(step, subject.model, record)
    stages = () if plan is None else _extracted(subject, Plan.from_json(plan), shop)
    return stages, record


def _described(subject: Subject, shop: Workshop) -> StepInput:
    spec = subject.spec
    context = {"on_regression": subject.entry.on_regression}
    files = golden_files(subject.entry)
    return StepInput(spec, subject.model, subject.source, Split.version, Split.tools, files, context)


def _searched(
    subject: Subject, step: StepInput, shop: Workshop, reference: Reference, before: Sequence[StepRecord]
) -> StepRecord:
    started = time.monotonic()
    wish = Split(**dict(subject.spec.options))
    try:
        found: Found = _child(subject, shop, "bundler.split.search:search", wish, reference.baseline())
    except StepError as error:
        if not subject.implied:
            raise
        return _record(subject, started, "rolled back", error.problems[0].what.removeprefix("split: "), before)
    if found.plan is None:
        return _record(subject, started, "unchanged", "it fits in one stage", before)
    stages = _extracted(subject, found.plan, shop)
    agreement, wrong = _compared(subject, stages, shop, reference)
    if wrong and subject.entry.on_regression == "error":
        raise StepError(problem("MB331", f"split: {wrong}", entry=subject.entry.name, step="split"))
    if wrong:
        return _record(subject, started, "rolled back", wrong, before)
    names = ("encoder", "decoder") if wish.by == "encoder" else ()
    note = _note(stages, names, found, agreement, reference.baseline().note)
    record = _record(subject, started, "ok", note, before, _distinct(stages))
    return replace(record, details={"plan": found.plan.as_json(), "difference": agreement and agreement.absolute})


def _compared(
    subject: Subject, stages: Sequence[Model], shop: Workshop, reference: Reference
) -> tuple[Agreement | None, str]:
    try:
        baseline = reference.baseline()
        agreement = _child(subject, shop, "bundler.split.check:compared", stages, baseline, scratch=False)
    except Interrupted:
        raise
    except MbundleError as error:
        return None, f"the stages cannot be run: {error.problems[0].what}"
    return agreement, fault(agreement)


def _extracted(subject: Subject, plan: Plan, shop: Workshop) -> tuple[Model, ...]:
    stages: tuple[Model, ...] = _child(subject, shop, "bundler.split.extract:extract", plan)
    return stages


def _child(subject: Subject, shop: Workshop, target: str, *args: Any, scratch: bool = True) -> Any:
    folder = process.scratch_folder("split-", shop.scratch)
    given = (subject.model, *args, folder) if scratch else (subject.model, *args)
    limits = Limits.for_model(2 * subject.model.nbytes)
    try:
        return process.run(target, *given, limits=limits, label=f"split {subject.label}", tmp=folder)
    except StepError as error:
        raise StepError(*(replace(p, entry=p.entry or subject.entry.name) for p in error.problems)) from error


def _note(
    stages: Sequence[Model], names: Sequence[str], found: Found, agreement: Agreement | None, unchecked: str
) -> str:
    """`names`: of the stages, if they have any."""
    labels = [f"{name} " for name in names] or [""] * len(stages)
    sizes = " + ".join(f"{label}{amount(stage.nbytes)}" for label, stage in zip(labels, stages, strict=True))
    over = ", ".join(amount(nbytes) for nbytes in found.crossing)
    said = f"not compared: {unchecked or 'there are no samples'}" if agreement is None else ""
    return printable("; ".join(filter(None, [f"{len(stages)} stages: {sizes}", f"handed on: {over}", said])), 200)


def _distinct(stages: Sequence[Model]) -> int:
    """Bytes of graphs and weights, those that several stages use once."""
    regions = {weight.region for stage in stages for weight in stage.weights}
    return sum(len(stage.skeleton) for stage in stages) + sum(region.length for region in regions)


def _record(
    subject: Subject, started: float, status: Status, note: str, before: Sequence[StepRecord], after: int | None = None
) -> StepRecord:
    """How far the stages are from the source is what the model is: the cut changes nothing."""
    model = subject.model
    sizes = (model.nbytes, model.nbytes if after is None else after, model.nodes, model.nodes)
    record = StepRecord("split", *sizes, round(time.monotonic() - started, 3), status, note).of_result(model)
    last = next((one for one in reversed(before) if one.status in ("ok", "cached")), None)
    return record if last is None else replace(record, max_error=last.max_error, cosine=last.cosine, metric=last.metric)
