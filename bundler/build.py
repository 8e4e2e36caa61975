"""The pipeline, from a config to an output folder: the only place that knows all stages.

The main process moves weights from mapped files into chunks; whatever parses a model is a child process.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import orjson

from . import __version__, process
from .cache import fingerprint, fresh, gc
from .cache.explain import History
from .cache.location import cache_folder
from .cache.memo import Memo
from .cache.steps import Steps
from .cache.store import Store
from .cache.twins import Twins
from .catalogue import problem
from .chunks import names
from .chunks.label import VariantId
from .chunks.placement import Placement
from .chunks.write import write_chunks
from .config.schema import BuildConfig, EntrySpec, VariantSpec
from .emit.describe import put_asset, put_graph, variant
from .emit.loader import render, runtime_files
from .emit.manifest import Entry, FileRef, Manifest
from .emit.ort import files as ort_files
from .emit.ort import put as put_ort
from .emit.ownership import MANIFEST
from .emit.staging import is_tidy
from .emit.transaction import Committed, Transaction
from .errors import InputError, Interrupted, MbundleError, OutputError, Problem, StepError, merge, printable
from .graph.read import ReadPolicy, ReadResult
from .graph.write import graph_file
from .loaders.caching import CachedSteps
from .loaders.chain import NoCache, Reference, StepCache, Workshop, extra_files, run_chain
from .process import Limits
from .report.progress import Progress
from .report.units import size
from .stats import BuiltEntry, BuiltVariant, Emitted, build_stats, wire_bytes

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class BuildOptions:
    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Entries that are read and optimised at the same time."""
    cache_dir: str | None = None
    use_cache: bool = True


def build(config: BuildConfig, options: BuildOptions, progress: Progress) -> dict[str, Any]:
    """Builds what `config` says into its output folder; returns the stats (`stats.build_stats`).

    Whether there is anything to do, `cache.fresh` tells, and the caller asks it: this module imports the whole
    pipeline, which takes longer than the answer.

    An entry that fails does not keep the others from being read and optimised: their results are in the cache then.
    Raises MbundleError with every problem of every entry; the output folder is then as it was.
    """
    with _Build(config, options, progress) as job:
        with progress.span("reading sources"):
            sources = job.read_sources()
        with progress.span("running loaders"):
            entries = job.run_loaders(sources)
        with job.transaction(entries) as output:
            with progress.span("writing chunks"):
                placements = job.write_chunks(entries, output)
            with progress.span("writing graphs"):
                graphs = job.write_graphs(entries, placements, output)
            with progress.span("committing"):
                committed = job.commit(entries, placements, graphs, output)
        return job.finish(entries, placements, graphs, committed)


class _Build:
    """What the steps of one build share."""

    def __init__(self, config: BuildConfig, options: BuildOptions, progress: Progress) -> None:
        self.config, self.options, self.progress = config, options, progress
        self.warnings: list[Problem] = []
        self.errors: list[MbundleError] = []
        """Of the entries that failed so far."""
        self.update = False
        """Whether an earlier build was in the output folder."""
        self.met: dict[str, fingerprint.Fingerprint | None] = {}
        """Source files as they were when the build first met them."""

    def __enter__(self) -> _Build:
        self._exit = ExitStack()
        with ExitStack() as stack:
            config = self.config
            self.watched = fresh.Watched(_inputs(config, ()))
            process.warm(_preload(config))
            self.store = stack.enter_context(Store(cache_folder(config.root, self.options.cache_dir), self.warn))
            self.memo = Memo(self.store)
            self.history = History(self.store)
            self.scratch = self.store.scratch("build")
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()
        process.stop()

    def warn(self, warning: Problem) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)

    def read_sources(self) -> dict[str, ReadResult]:
        """Entry name -> its model, of those that can be read."""
        return self._gather(self.config.entries, self._read)

    def _read(self, entry: EntrySpec) -> ReadResult:
        output = self.config.output
        policy = ReadPolicy(
            root=self.config.root,
            scratch=self.store.scratch("read"),
            allow=entry.allow_external,
            external_ops=entry.external_ops,
            max_opset=output.max_opset,
            max_ir=output.max_ir_version,
        )
        nbytes = os.path.getsize(entry.source_path)
        self._meet(entry.source_path)
        with self.progress.span(f"{entry.name}: reading {entry.source}"), _about(entry, self.config.root):
            result: ReadResult = process.run(
                "bundler.graph.read:read_model",
                entry.source_path,
                policy,
                limits=Limits.for_model(nbytes),
                label=f"reading {entry.name}",
                tmp=self.scratch,
            )
        for path in result.files:
            self._meet(path)
        with self.progress.span(f"{entry.name}: checking"), _about(entry, self.config.root):
            process.run(
                "bundler.graph.gates:check",
                result.model,
                entry.external_ops,
                limits=Limits.for_model(result.model.nbytes),
                label=f"checking {entry.name}",
                tmp=self.scratch,
            )
        return result

    def _meet(self, path: str) -> None:
        self.met.setdefault(path, fingerprint.of(path))

    def _refuse_changed_sources(self) -> None:
        """What was read at one time and copied at another must be one model."""
        changed = sorted(path for path, before in self.met.items() if fingerprint.of(path) != before)
        if changed:
            raise InputError(*(problem("MB411", "It changed while it was built.", file=path) for path in changed))

    def run_loaders(self, sources: Mapping[str, ReadResult]) -> list[BuiltEntry]:
        """In the order of the config. Raises one error with the problems of every entry that failed, here or before."""
        readable = [entry for entry in self.config.entries if entry.name in sources]
        built = self._gather(readable, lambda entry: self._optimise(entry, sources[entry.name]))
        if self.errors:
            raise merge(self.errors)
        return [built[entry.name] for entry in self.config.entries]

    def _gather(self, entries: Sequence[EntrySpec], work: Callable[[EntrySpec], R]) -> dict[str, R]:
        """Entry name -> `work` on it, for those that it succeeds on; the errors of the others go to `self.errors`."""
        results: dict[str, R] = {}
        with ThreadPoolExecutor(max(1, self.options.jobs), thread_name_prefix="entry") as pool:
            futures = [(entry.name, pool.submit(work, entry)) for entry in entries]
            try:
                for name, future in futures:
                    try:
                        results[name] = future.result()
                    except (Interrupted, OutputError):
                        raise
                    except MbundleError as error:
                        self.errors.append(error)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                process.stop()
                raise
        return results

    def _optimise(self, entry: EntrySpec, source: ReadResult) -> BuiltEntry:
        reference = Reference(entry, source.model, self._workshop(NoCache()))
        variants = tuple(self._variant(entry, spec, source, reference) for spec in entry.variants)
        _check_ports(entry, variants)
        return BuiltEntry(entry, source.model, source.files, source.notes, variants)

    def _variant(self, entry: EntrySpec, spec: VariantSpec, source: ReadResult, reference: Reference) -> BuiltVariant:
        steps = Steps(self.store, self.memo)
        cache = CachedSteps(steps, self.memo, self.history, self.config.root, entry.name, spec.name)
        shop = self._workshop(cache if self.options.use_cache else NoCache())
        with self.progress.span(f"{entry.name}/{spec.name}: {', '.join(step.name for step in spec.steps) or 'as is'}"):
            result = run_chain(entry, spec, source.model, shop, reference)
        return BuiltVariant(spec.name, result.model, result.records)

    def _workshop(self, cache: StepCache) -> Workshop:
        config = self.config
        return Workshop(
            root=config.root,
            config_file=config.config_file,
            mode=config.mode,
            scratch=self.scratch,
            cache=cache,
            target_ir=config.output.max_ir_version,
            target_opset=config.output.max_opset,
            told=lambda label, line: self.progress.line(f"  {label}: {line}"),
        )

    def transaction(self, entries: Sequence[BuiltEntry]) -> Transaction:
        fresh.forget(self.config)
        return Transaction(
            self.config.output.dir,
            self.config.root,
            _inputs(self.config, entries),
            memo=self.memo,
            keep=self.config.output.keep,
            waiting=self.progress.line,
        )

    def write_chunks(self, entries: Iterable[BuiltEntry], output: Transaction) -> dict[VariantId, Placement]:
        models = {(entry.spec.name, one.name): one.model for entry in entries for one in entry.variants}
        return write_chunks(models, self.config.chunks, output, self.memo)

    def write_graphs(
        self, entries: Iterable[BuiltEntry], placements: Mapping[VariantId, Placement], output: Transaction
    ) -> dict[VariantId, FileRef]:
        graphs = {}
        for entry in entries:
            for one in entry.variants:
                key = (entry.spec.name, one.name)
                graphs[key] = put_graph(output, *key, graph_file(one.model, placements[key].places))
        return graphs

    def commit(
        self,
        entries: Iterable[BuiltEntry],
        placements: Mapping[VariantId, Placement],
        graphs: Mapping[VariantId, FileRef],
        output: Transaction,
    ) -> Committed:
        """Manifest, runtime and generated loader; then the new build becomes the current one."""
        self._refuse_changed_sources()
        site = self.config.output
        described = {entry.spec.name: _described(entry, placements, graphs, output) for entry in entries}
        ort = put_ort(output, self.config.root) if site.ort == "self" else None
        manifest = Manifest(described, f"mbundle {__version__}")
        manifest = replace(manifest, encodings=self._compressed(manifest, output))
        data = manifest.to_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        folder, modules = runtime_files()
        for name, content in modules.items():
            output.put(f"{folder}/{name}", content)
        plain = orjson.loads(data)
        pointers = render(plain, names.manifest(sha256), sha256, len(data), base=site.base, ort=ort)
        self.update = os.path.exists(os.path.join(self.config.output.dir, MANIFEST))
        return output.commit(pointers, data)

    def _compressed(self, manifest: Manifest, output: Transaction) -> dict[str, dict[str, int]]:
        """Name in assets/ -> encoding -> bytes, of the files that the manifest names."""
        if not self.config.output.compress:
            return {}
        from .emit.compress import compress

        with self.progress.span(f"compressing ({', '.join(self.config.output.compress)})"):
            known = Twins(self.store)
            twins = compress(output, self.config.output.compress, known, self.options.jobs)
            known.save()
        shipped = manifest.files()
        return {name: sizes for name, sizes in twins.items() if name in shipped}

    def finish(
        self,
        entries: Sequence[BuiltEntry],
        placements: Mapping[VariantId, Placement],
        graphs: Mapping[VariantId, FileRef],
        committed: Committed,
    ) -> dict[str, Any]:
        """Remembers the build; nothing in here can undo it."""
        for warning in committed.warnings:
            self.warn(warning)
        self.memo.save()
        self.history.save()
        gc.collect(self.store)
        written = frozenset(committed.written)
        for warning in _over_budget(entries, placements, graphs):
            self.warn(warning)
        files = [Emitted(name, mark.nbytes, name in written) for name, mark in sorted(committed.files.items())]
        warnings = [warning.as_json() for warning in self.warnings]
        stats = build_stats(self.config, entries, placements, graphs, files, warnings)
        out = self.config.output.dir
        if is_tidy(out):  # else the next build has to finish what this one could not
            fresh.record(
                self.config,
                self.watched,
                inputs=_inputs(self.config, entries),
                outputs={os.path.join(out, name): mark.sha256 for name, mark in committed.files.items()},
                table=stats,
                memo=self.memo,
            )
        returning = sum(file.nbytes for file in files if file.written) if self.update else None
        return stats | {"fresh": False, "seconds": self.progress.elapsed(), "returning": returning}


def _preload(config: BuildConfig) -> tuple[str, ...]:
    """What the children of this build will import; the server imports it while the main process reads the config."""
    steps = {step.name for entry in config.entries for one in entry.variants for step in one.steps}
    heavy = {"dce": "onnx_ir", "dedupe": "onnx_ir", "simplify": "onnxsim"}
    heavy |= dict.fromkeys(("quantize_dynamic", "quantize_static"), "onnxruntime.quantization")
    ours = ("bundler.graph.read", "bundler.graph.gates", "bundler.loaders.step", "bundler.loaders.verify.examine")
    return ("onnx", "onnxruntime", *(heavy[step] for step in sorted(steps & set(heavy))), *ours[: 4 if steps else 2])


def _inputs(config: BuildConfig, entries: Iterable[BuiltEntry]) -> list[str]:
    """Absolute paths of every file that the build reads, so that none is overwritten and each change is noticed."""
    files = {*config.config_inputs, *(ort_files(config.root) if config.output.ort == "self" else ())}
    for spec in config.entries:
        files |= {spec.source_path, *spec.assets, *([spec.golden.path] if spec.golden else ())}
        files |= {path for one in spec.variants for step in one.steps for path in extra_files(step, config.root)}
    return sorted(files.union(*(entry.files for entry in entries)))


def _check_ports(entry: EntrySpec, variants: Sequence[BuiltVariant]) -> None:
    """The page calls all variants of an entry alike."""
    ports = [[port.name for port in (*one.model.signature.inputs, *one.model.signature.outputs)] for one in variants]
    for one, names_ in zip(variants, ports, strict=True):
        if names_ != ports[0]:
            what = f"{variants[0].name} has {', '.join(ports[0])}; {one.name} has {', '.join(names_)}"
            raise StepError(problem("MB313", printable(what, 300), entry=entry.name))


def _over_budget(
    entries: Iterable[BuiltEntry], placements: Mapping[VariantId, Placement], graphs: Mapping[VariantId, FileRef]
) -> Iterator[Problem]:
    for entry in entries:
        name, budget = entry.spec.name, entry.spec.budget
        key = (name, entry.variants[0].name)
        weight = wire_bytes(placements[key], graphs[key])
        if budget is not None and weight > budget.size:
            what = f"{'/'.join(key)} weighs {size(weight)}, its budget is {size(budget.size)}."
            yield problem("MB501", what, file=entry.spec.source, entry=name, severity="warning")


def _described(
    entry: BuiltEntry,
    placements: Mapping[VariantId, Placement],
    graphs: Mapping[VariantId, FileRef],
    output: Transaction,
) -> Entry:
    variants = []
    for one in entry.variants:
        key = (entry.spec.name, one.name)
        compared = [record for record in one.records if record.status in ("ok", "cached")]
        last = compared[-1] if compared else None
        figures = (last.max_error, last.cosine) if last else (None, None)
        variants.append(variant(one.name, one.model, graphs[key], placements[key], *figures))
    assets = tuple(put_asset(output, path) for path in entry.spec.assets)
    return Entry(tuple(variants), entry.spec.load, assets)


@contextmanager
def _about(entry: EntrySpec, root: str) -> Iterator[None]:
    """Errors raised inside name the entry, and the file as the user knows it."""

    def named(problem: Problem) -> Problem:
        return replace(problem, entry=problem.entry or entry.name, file=_shown(problem.file, root) or entry.source)

    try:
        yield
    except MbundleError as error:
        kind = InputError if type(error) is not Interrupted else Interrupted
        raise kind(*map(named, error.problems)) from error


def _shown(path: str, root: str) -> str:
    """`path` relative to the root where it lies below it."""
    below = os.path.relpath(path, root) if os.path.isabs(path) else path
    return path if below.startswith(os.pardir + os.sep) else below
