"""`mbundle golden check`: does each emitted variant still do what its source does, natively and in a browser?

Only emitted files are run. `goldenfile` keeps what the last check found.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from .. import process
from ..cache import atomic
from ..catalogue import problem
from ..config.schema import BuildConfig, EntrySpec, GoldenSpec
from ..emit import verdicts
from ..emit.describe import providers
from ..emit.manifest import PROVIDERS, Manifest, Provider, Variant, read_manifest
from ..errors import InputError, Problem, UsageError, printable
from ..loaders.verify.metric import Metric, all_metrics
from ..process import Limits
from ..report.progress import Progress
from .golden_page import run_in_page
from .recording import chosen, digests, golden_file, read_source

if TYPE_CHECKING:
    from .browser import Browser

Row = dict[str, Any]
Place = Literal["native", "wasm", "webgpu"]
AGREES = 0.98
"""Least cosine between what a provider and native onnxruntime make of the same files, where no `at_least` judges it.

Kernels of 8-bit models differ in the second decimal (docs/golden.md); a wrong kernel gives another function."""
FAR = 0.25
"""Largest difference between the two, relative to the largest magnitude: a cosine does not see a wrong scale."""
MOST_IN_BROWSER = 16
"""Samples, for metrics that need not see all: a provider that is wrong is wrong on these."""
_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Asked:
    """`providers`: of the browser; () for a native check alone."""

    entries: tuple[str, ...] = ()
    variant: str | None = None
    providers: tuple[Provider, ...] = PROVIDERS
    executable: str | None = None


@dataclass(slots=True)
class Checked:
    """`rows`: entry -> facts, as in `.mbundle/golden.json`. `wrong`: what the manifest offers and should not."""

    rows: dict[str, Row] = field(default_factory=dict)
    warnings: list[Problem] = field(default_factory=list)
    wrong: list[Problem] = field(default_factory=list)
    found: dict[tuple[str, str], verdicts.Verdict] = field(default_factory=dict)


def check(config: BuildConfig, asked: Asked, progress: Progress) -> Checked:
    """Runs everything that was asked for; raises MbundleError only where nothing can be said."""
    manifest = read_manifest(config.output.dir)
    done = Checked()
    entries = [entry for entry in chosen(config, asked.entries) if _has_golden(config, entry, asked, done)]
    _known(manifest, entries, asked, config.output.dir)
    with tempfile.TemporaryDirectory(prefix="mbundle-golden-") as scratch:
        offered = {key: one for entry in entries for key, one in _variants(manifest, entry, asked)}
        run = _Run(config, manifest, progress, scratch, offered, done)
        for entry in entries:
            run.begin(entry)
        for key in offered:
            run.native(*key)
        if asked.providers and offered:
            with _browser(config, manifest, asked, scratch) as (browser, adapter):
                for key in offered:
                    for provider in asked.providers:
                        run.provider(browser, adapter, *key, provider)
        run.judge(asked.providers)
    return done


def settle(config: BuildConfig, done: Checked) -> bool:
    """Writes golden/verdicts.json. False: it says so already. InputError MB524: an entry would have nothing left."""
    path = os.path.join(config.root, verdicts.FILE)
    before = verdicts.read(path)
    after = before | done.found
    _refuse_empty(read_manifest(config.output.dir), after)
    known = {(entry.name, variant.name) for entry in config.entries for variant in entry.variants}
    data = verdicts.dump({key: verdict for key, verdict in after.items() if key in known})
    if data == verdicts.dump(before):
        return False
    os.makedirs(os.path.dirname(path), exist_ok=True)
    atomic.write(path, data)
    return True


def _refuse_empty(manifest: Manifest, after: verdicts.Verdicts) -> None:
    for name, entry in manifest.entries.items():
        if not any(verdicts.providers(after.get((name, one.name))) for one in entry.variants):
            what = f"Every variant of {printable(name)} is wrong wherever it was run; nothing was written."
            raise InputError(problem("MB524", what, fix="Change the steps of its variants.", entry=name))


def _has_golden(config: BuildConfig, entry: EntrySpec, asked: Asked, done: Checked) -> bool:
    if os.path.isfile(golden_file(config.root, entry.name)):
        return True
    missing = problem("MB521", f"There is no golden/{entry.name}.npz.", entry=entry.name)
    if entry.name in asked.entries or len(config.entries) == 1:
        raise InputError(missing)
    done.warnings.append(replace(missing, severity="warning"))
    return False


def _known(manifest: Manifest, entries: list[EntrySpec], asked: Asked, dist: str) -> None:
    for entry in entries:
        if entry.name not in manifest.entries:
            raise UsageError(problem("MB528", f"The output has no entry {entry.name}.", fix="Build first.", file=dist))
    names_ = {one.name for entry in entries for one in manifest.entries[entry.name].variants}
    if asked.variant is not None and asked.variant not in names_:
        what = f'No entry has a variant "{printable(asked.variant)}"; there are {", ".join(sorted(names_))}.'
        raise UsageError(problem("MB528", what, file=dist))


def _variants(manifest: Manifest, entry: EntrySpec, asked: Asked) -> Iterator[tuple[tuple[str, str], Variant]]:
    for one in manifest.entries[entry.name].variants:
        if asked.variant in (None, one.name):
            yield (entry.name, one.name), one


@contextmanager
def _browser(
    config: BuildConfig, manifest: Manifest, asked: Asked, scratch: str
) -> Iterator[tuple[Browser, Row | None]]:
    """With a GPU if the machine has one, else with an emulated one, if that is asked for."""
    from .browser import browsing
    from .chromium import Gpu
    from .unbarred import unbarred

    dist = unbarred(config.output, manifest, os.path.join(scratch, "dist"))
    kinds: tuple[Gpu, ...] = ("real", "software") if "webgpu" in asked.providers else ("none",)
    for gpu in kinds:
        with browsing(dist, root=config.root, executable=asked.executable, gpu=gpu) as browser:
            adapter = browser.adapter() if gpu != "none" else None
            if adapter is not None or gpu == kinds[-1]:
                yield browser, adapter
                return


@dataclass(frozen=True, slots=True)
class _Run:
    config: BuildConfig
    manifest: Manifest
    progress: Progress
    scratch: str
    offered: Mapping[tuple[str, str], Variant]
    done: Checked

    def begin(self, entry: EntrySpec) -> None:
        golden = entry.golden or GoldenSpec("")
        bars = {one.metric: one.at_least for one in golden.metrics}
        told = {"metric": golden.metric, "atLeast": golden.at_least, "bars": bars, "variants": {}}
        self.done.rows[entry.name] = told
        meta = self._child("meta", self._golden(entry.name))
        self.done.rows[entry.name] |= {"inputsFrom": meta["inputsFrom"], "samples": meta["samples"]}
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            source = read_source(self.config, entry, folder)
        if digests(source.files) != meta["source"]:
            what = f"{entry.source} is not the model that golden/{entry.name}.npz was recorded from."
            self.done.warnings.append(problem("MB522", what, entry=entry.name, severity="warning"))
        if meta["inputsFrom"] == "generated":
            what = f"The golden inputs of {entry.name} are random ones."
            self.done.warnings.append(problem("MB520", what, entry=entry.name, severity="warning"))

    def native(self, entry: str, name: str) -> None:
        variant = self.offered[entry, name]
        one = {"identity": verdicts.identity(variant), "providers": {}}
        self.done.rows[entry]["variants"][name] = one
        with (
            self.progress.span(f"{entry}/{name}: native"),
            tempfile.TemporaryDirectory(dir=self.scratch) as folder,
        ):
            arguments = (variant, self._golden(entry), self._outputs(entry, name, "native"), folder)
            failed = self._child("run_emitted", self.config.output.dir, *arguments)
        self._note(entry, name, "native", failed, None)

    def provider(self, browser: Browser, adapter: Row | None, entry: str, name: str, provider: Provider) -> None:
        row = self.done.rows[entry]["variants"][name]["providers"]
        if provider == "webgpu" and adapter is None:
            row[provider] = {"status": "skipped", "note": "this browser has no GPU adapter"}
            return
        if provider not in providers(self.offered[entry, name].generation):
            row[provider] = {"status": "skipped", "note": f"its KV cache has no kernels on {provider}"}
            return
        most = None if self._sees_all(entry) else MOST_IN_BROWSER
        with self.progress.span(f"{entry}/{name}: {provider} in Chromium"):
            dist, golden = self.config.output.dir, self._golden(entry)
            samples = self._child("tensors", dist, golden, self.offered[entry, name], most, self.scratch)
            try:
                outputs = run_in_page(browser, entry, name, provider, samples)
                variant, found = self.offered[entry, name], self._outputs(entry, name, provider)
                failed = self._child("keep", dist, outputs, golden, variant, found, self.scratch)
            except InputError as error:
                failed = error.problems[0].what
        self._note(entry, name, provider, failed, len(samples))
        if provider == "webgpu" and adapter is not None:
            row[provider] |= {"adapter": adapter}

    def judge(self, asked: tuple[Provider, ...]) -> None:
        """What is wrong, and where a variant is to be left out from now on."""
        before = verdicts.read(self.config.verdicts)
        for (entry, name), variant in self.offered.items():
            one = self.done.rows[entry]["variants"][name]
            wrong = {place: row["note"] for place, row in one["providers"].items() if row["status"] == "wrong"}
            kept = before[entry, name].excluded if (entry, name) in before else {}
            looked = {p for p in asked if one["providers"].get(p, {}).get("status") in ("ok", "wrong")}
            excluded = {p: kept[p] for p in kept if p not in looked} | {p: wrong[p] for p in PROVIDERS if p in wrong}
            self.done.found[entry, name] = verdicts.Verdict(one["identity"], excluded)
            offered = {"native", *variant.providers} if variant.providers else set()
            for place, note in wrong.items():
                if place in offered:
                    fix = None if place != "native" else "Change its steps, or take the variant out."
                    what = f"{entry}/{name} on {place}: {note}."
                    self.done.wrong.append(problem("MB524", printable(what, 300), fix=fix, entry=entry))

    def _note(self, entry: str, name: str, place: Place, failed: str, count: int | None) -> None:
        providers = self.done.rows[entry]["variants"][name]["providers"]
        if failed:
            providers[place] = {"status": "failed", "note": printable(failed, 200)}
            return
        native = self._outputs(entry, name, "native") if place != "native" else ""
        native = native if providers.get("native", {}).get("status") in ("ok", "wrong") else ""
        arguments = (self._golden(entry), self.offered[entry, name], self._outputs(entry, name, place), native)
        golden = self._spec(entry).golden or GoldenSpec("")
        row = self._child("figures", *arguments, self._metrics(golden), count)
        note = complaint(row, golden, self._spec(entry).max_error)
        if "metrics" in row:
            row["metrics"] = {one.metric: row["metrics"][one.metric] for one in golden.metrics}
            row["value"] = row["metrics"][golden.metric]
        providers[place] = {"status": "wrong" if note else "ok", "note": note} | row

    def _sees_all(self, entry: str) -> bool:
        golden = self._spec(entry).golden
        return golden is not None and any(one.where for one in golden.metrics)

    def _metrics(self, golden: GoldenSpec) -> tuple[Metric, ...]:
        return all_metrics(golden, self.config.config_file, self.config.mode)

    def _spec(self, entry: str) -> EntrySpec:
        return next(one for one in self.config.entries if one.name == entry)

    def _golden(self, entry: str) -> str:
        return golden_file(self.config.root, entry)

    def _outputs(self, entry: str, name: str, place: str) -> str:
        number = list(self.offered).index((entry, name))
        return os.path.join(self.scratch, f"{number}-{place}.npz")

    def _child(self, function: str, *arguments: Any) -> Any:
        most = max((one.requires.memory for one in self.offered.values()), default=0)
        limits = replace(Limits.for_model(most), wall=_SECONDS)
        target = f"bundler.measure.golden_child:{function}"
        return process.run(target, *arguments, limits=limits, label=f"golden {function}", tmp=self.scratch)


def complaint(row: Row, golden: GoldenSpec, max_error: float | None) -> str:
    """Why these figures are not those of the same model, half a sentence, or "".

    The entry's own bars judge where there are some; else a provider must agree with native onnxruntime on the same
    files.
    """
    if row["broken"]:
        return str(row["broken"])
    bars = [(one.metric, one.at_least) for one in golden.metrics if one.at_least is not None]
    if bars:
        values = row["metrics"]
        low = [f"{name} is {values[name]:.4f} ({bar:g} is the least)" for name, bar in bars if values[name] < bar]
        return f"its {', its '.join(low)}" if low else ""
    if max_error is not None and row["maxAbs"] > max_error:
        return f"it differs from the source by {row['maxAbs']:.2g} (max_error is {max_error:g})"
    native = row.get("native", {"cosine": 1.0, "maxRel": 0.0})
    if native["cosine"] < AGREES:
        return f"its cosine with native onnxruntime is {native['cosine']:.4f} ({AGREES:g} is the least)"
    far = native["maxRel"] > FAR
    return f"it differs from native onnxruntime by {native['maxRel']:.2g} of the range" if far else ""
