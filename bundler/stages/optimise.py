"""The second stage: every variant's chain of loaders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..built import BuiltEntry, BuiltVariant
from ..cache.steps import Steps
from ..catalogue import problem
from ..config.schema import EntrySpec, VariantSpec
from ..errors import StepError, merge, printable
from ..graph.read import ReadResult
from ..loaders.caching import CachedSteps
from ..loaders.chain import run_chain
from ..loaders.reference import Reference
from ..loaders.workshop import NoCache, StepCache, Workshop
from ..split.run import Subject, implied, split
from .choose import choose
from .job import Job


def run_loaders(job: Job, sources: Mapping[str, ReadResult]) -> tuple[BuiltEntry, ...]:
    """In the order of the config. Raises one error with the problems of every entry that failed, here or before."""
    readable = [entry for entry in job.config.entries if entry.name in sources]
    built = job.gather(readable, lambda entry: _optimise(job, entry, sources[entry.name]))
    if job.errors:
        raise merge(job.errors)
    return choose(job, built)


def _optimise(job: Job, entry: EntrySpec, source: ReadResult) -> BuiltEntry:
    job.references[entry.name] = reference = Reference(entry, source.model, _workshop(job, NoCache()))
    variants = tuple(_variant(job, entry, spec, source, reference) for spec in entry.variants)
    _check_ports(entry, variants)
    export = job.exports.get(entry.name)
    notes = ((export.note,) if export else ()) + source.notes
    return BuiltEntry(entry, source.model, source.files, notes, variants, export=export.facts if export else None)


def _variant(job: Job, entry: EntrySpec, spec: VariantSpec, source: ReadResult, reference: Reference) -> BuiltVariant:
    steps = Steps(job.store, job.memo)
    cache = CachedSteps(steps, job.memo, job.history, job.config.root, entry.name, spec.name)
    shop = _workshop(job, cache if job.options.use_cache else NoCache())
    with job.progress.span(f"{entry.name}/{spec.name}: {', '.join(step.name for step in spec.steps) or 'as is'}"):
        result = run_chain(entry, spec, source.model, shop, reference)
    wish = spec.split or implied(result.model)
    if wish is None:
        return BuiltVariant(spec.name, result.model, result.records)
    label = f"{entry.name}/{spec.name}"
    subject = Subject(entry, wish, label, result.model, source.model, implied=spec.split is None)
    with job.progress.span(f"{subject.label}: split"):
        stages, record = split(subject, shop, reference, result.records)
    return BuiltVariant(spec.name, result.model, (*result.records, record), stages)


def _workshop(job: Job, cache: StepCache) -> Workshop:
    config = job.config
    return Workshop(
        root=config.root,
        config_file=config.config_file,
        mode=config.mode,
        scratch=job.scratch,
        cache=cache,
        target_ir=config.output.max_ir_version,
        target_opset=config.output.max_opset,
        told=lambda label, line: job.progress.line(f"  {label}: {line}"),
    )


def _check_ports(entry: EntrySpec, variants: Sequence[BuiltVariant]) -> None:
    """The page calls all variants of an entry alike. StepError MB313."""
    ports = [[port.name for port in (*one.model.signature.inputs, *one.model.signature.outputs)] for one in variants]
    for one, found in zip(variants, ports, strict=True):
        if found != ports[0]:
            what = f"{variants[0].name} has {', '.join(ports[0])}; {one.name} has {', '.join(found)}"
            raise StepError(problem("MB313", printable(what, 300), entry=entry.name))
