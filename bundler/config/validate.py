"""From what the user declared to a BuildConfig; every mistake is found in one pass, each with its place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from ..errors import printable
from . import values
from .declare import Budget, Chunks, Config, Declaration, Entry, Golden, Output
from .findings import Bad, Findings, relative
from .frame import Path
from .names import complaint, slug
from .options import unknown
from .output import output_dir
from .schema import BudgetSpec, BuildConfig, ChunkSpec, EntrySpec, GoldenSpec, OutputSpec, VariantSpec
from .site import Site
from .sources import Missing, existing, readable, resolve
from .steps import Chain, Reading, read_chain
from .values import Check

T = TypeVar("T")

_NOTHING: Any = ""
"""Stands for a required option that is missing; the build never sees it."""
METRICS = ("cosine", "max_error", "top1", "topk")
CHUNK_SIZE = {"production": 16 << 20, "development": 64 << 20}
"""Default of the largest chunk. On localhost nothing is downloaded twice: fewer files are faster."""
_CHUNK_LIMITS = (4 << 10, 1 << 30)


class Part:
    """One declaration while it is read: its options come out checked, or as their default with a finding."""

    def __init__(self, declared: Declaration, reading: Reading, entry: str = "") -> None:
        raw = declared.__dict__
        self.kind = type(declared)
        self.label = self.kind.__name__ if self.kind is not Config else "define_config"
        self.given: dict[str, Any] = raw["_given"]
        self.site: Site = raw["_site"]
        self.reading = reading
        self.findings: Findings = reading.findings
        self.entry = entry
        self._report_shape(raw["_extra"], raw["_twice"])

    def _report_shape(self, extra: tuple[Any, ...], twice: tuple[str, ...]) -> None:
        for name in self.given:
            if name not in self.kind.options:
                unknown(self.label, name, self.kind.options, self.findings, self.site, self.entry)
        for name in self.kind.required:
            if name not in self.given and not extra:
                self.report("MB111", f"{self.label} needs the option `{name}`.", fix=f"Write {self.label}({name}=...).")
        for name in twice:
            self.report("MB114", f"`{name}` of {self.label} is given twice.", (name,), key=True)
        if extra:
            first = self.kind.options[min(len(self.kind.positional), len(self.kind.options) - 1)]
            what = f"{self.label} takes its options by name, not by position."
            self.report("MB114", what, (len(self.kind.positional),), fix=f"Write {self.label}({first}=...).")

    def report(self, code: str, what: str, path: Path = (), *, fix: str | None = None, key: bool = False) -> None:
        """Adds a finding at `path` inside this declaration."""
        positional = self.kind.positional
        self.findings.at(code, what, self.site, path, fix=fix, key=key, positional=positional, entry=self.entry)

    def get(self, name: str, check: Check[T]) -> T:
        """The checked value of an option; its default when it is absent, and, with a finding, when it is wrong."""
        default: T = getattr(self.kind, name, _NOTHING)
        if name not in self.given:
            return default
        try:
            return check(self.given[name])
        except Bad as bad:
            if isinstance(bad, Missing):
                self.findings.missing.append(bad.missing)
            self.report(bad.code, f"`{name}` of {self.label} {bad.what}.", (name, *bad.path), fix=bad.fix)
            return default

    def part(self, name: str, kind: type[Declaration]) -> Part | None:
        """The declaration that is the value of an option, or None when there is none."""
        value = self.given.get(name)
        if value is None:
            return None
        if isinstance(value, kind):
            return Part(value, self.reading, self.entry)
        fix = f"Write {name}={kind.__name__}(...)."
        self.report(
            "MB112",
            f"`{name}` of {self.label} must be {kind.__name__}(...), not {values.shown(value)}.",
            (name,),
            fix=fix,
        )
        return None


def validate(config: Config, reading: Reading) -> BuildConfig:
    """The BuildConfig that `config` says. Raises ConfigError with everything that is wrong."""
    top = Part(config, reading)
    entries = _entries(top)
    output = _output(top, entries)
    chunks = _chunks(top)
    reading.findings.refuse()
    return BuildConfig(
        root=reading.env.root,
        config_file=reading.config_file,
        mode=reading.env.mode,
        entries=tuple(sorted(entries, key=lambda entry: entry.name)),
        output=output,
        chunks=chunks,
        config_inputs=tuple(sorted({reading.config_file, *reading.project.inputs})),
    )


def _entries(top: Part) -> list[EntrySpec]:
    if "entries" not in top.given:
        return []
    raw = top.given["entries"]
    if not isinstance(raw, Mapping):
        fix = 'Write entries={"name": Entry(source="model.onnx")}.'
        top.report("MB112", f"`entries` must map names to Entry(...), not {values.shown(raw)}.", ("entries",), fix=fix)
        return []
    if not raw:
        top.report("MB115", "`entries` is empty.", ("entries",), key=True)
    _names(top, raw, ("entries",), "an entry", "entry")
    read = [_entry(top, name, value) for name, value in raw.items()]
    return [entry for entry in read if entry is not None]


def _names(part: Part, names: Iterable[Any], path: Path, kind: str, noun: str) -> None:
    """Reports names that cannot be used and names that clash."""
    seen: dict[str, str] = {}
    for name, span in part.findings.sources.repeated_keys(part.site, path):
        part.findings.add("MB117", f'The {noun} "{printable(name)}" is there twice.', span, entry=part.entry)
    for name in names:
        wrong = complaint(name, kind)
        if wrong is not None:
            where = (*path, name) if isinstance(name, str | int) else path
            part.report(wrong[0], wrong[1], where, fix=wrong[2], key=True)
        elif slug(name) in seen:
            what = f'"{name}" and "{seen[slug(name)]}" are the same {noun} in file names: "{slug(name)}".'
            part.report("MB117", what, (*path, name), key=True)
        else:
            seen[slug(name)] = name


def _entry(top: Part, name: Any, value: Any) -> EntrySpec | None:
    if not isinstance(value, Entry):
        fix = f'Write Entry(source="{printable(value)}").' if isinstance(value, str) else "Write Entry(source=...)."
        what = f"`entries` must map names to Entry(...), but {values.shown(name)} is {values.shown(value)}."
        top.report("MB112", what, ("entries", name), fix=fix)
        return None
    part = Part(value, top.reading, name if isinstance(name, str) else "")
    root = top.reading.env.root
    source = part.get("source", values.path)
    return EntrySpec(
        name=part.entry,
        source=source,
        source_path=part.get("source", lambda _: resolve(source, root)) if source else "",
        variants=_variants(part),
        load=part.get("load", values.choice("eager", "idle", "lazy")),
        on_regression=part.get("on_regression", values.choice("error", "rollback")),
        max_error=part.get("max_error", values.optional(values.number(0))),
        golden=_golden(part),
        budget=_budget(part),
        assets=_assets(part),
        external_ops=part.get("external_ops", values.sequence(_operator)),
        allow_external=part.get("allow_external", values.sequence(lambda v: _folder(v, root))),
    )


_operator = values.matching(r"[\w.-]+::(\w+|\*)", 'an operator such as "my.domain::MyOp" or "my.domain::*"')


def _variants(part: Part) -> tuple[VariantSpec, ...]:
    shared = read_chain(
        part.given.get("use"), Chain(part.entry, f"{part.entry}/use", part.site, ("use",)), part.reading
    )
    raw = part.given.get("variants")
    if raw is not None and not isinstance(raw, Mapping):
        fix = 'Write variants={"q8": [quantize_dynamic()]}.'
        part.report(
            "MB112", f"`variants` must map names to lists of loaders, not {values.shown(raw)}.", ("variants",), fix=fix
        )
        raw = None
    if not raw:
        return (VariantSpec("default", shared),)
    _names(part, raw, ("variants",), "a variant", "variant")
    return tuple(
        VariantSpec(
            str(name),
            shared
            + read_chain(
                steps, Chain(part.entry, f"{part.entry}/variants/{name}", part.site, ("variants", name)), part.reading
            ),
        )
        for name, steps in raw.items()
    )


def _golden(entry: Part) -> GoldenSpec | None:
    part = entry.part("golden", Golden)
    if part is None:
        return None
    low = part.get("at_least", values.optional(values.number(-1)))
    high = part.get("at_most", values.optional(values.number(0)))
    if low is not None and high is not None and low > high:
        part.report("MB131", f"`at_least` of Golden is {low:g}, more than `at_most`, {high:g}.", ("at_least",))
    root = part.reading.env.root
    path = part.get("path", lambda value: _file(value, root))
    return GoldenSpec(path, part.get("metric", values.choice(*METRICS)), low, high)


def _budget(entry: Part) -> BudgetSpec | None:
    part = entry.part("budget", Budget)
    if part is None:
        return None
    return BudgetSpec(
        size=part.get("size", values.optional(values.size)),
        latency=part.get("latency", values.optional(values.seconds)),
        load=part.get("load", values.optional(values.load_time)),
        accuracy=part.get("accuracy", values.optional(values.share(1))),
        growth=part.get("growth", values.optional(values.share(10))),
    )


def _assets(part: Part) -> tuple[str, ...]:
    root = part.reading.env.root
    assets = part.get("assets", values.sequence(lambda value: _file(value, root)))
    seen: dict[str, str] = {}
    for index, path in enumerate(assets):
        name = os.path.basename(path)
        if name in seen and seen[name] != path:
            both = f"{relative(seen[name], root)} and {relative(path, root)}"
            part.report("MB132", f'Two assets are called "{printable(name)}": {both}.', ("assets", index))
        seen.setdefault(name, path)
    return tuple(dict.fromkeys(assets))


def _file(value: Any, root: str) -> str:
    """Absolute path of an existing regular file."""
    written = values.path(value)
    path = os.path.normpath(os.path.join(root, written))
    status = existing(path, "MB148", written, root)
    if os.path.isdir(path):
        raise Bad(f"must be a file, but {values.shown(written)} is a folder")
    readable(path, status)
    return path


def _folder(value: Any, root: str) -> str:
    """Absolute path of an existing folder."""
    written = values.path(value)
    path = os.path.normpath(os.path.join(root, written))
    existing(path, "MB148", written, root)
    if not os.path.isdir(path):
        raise Bad(f"must be a folder, but {values.shown(written)} is a file")
    return path


def _output(top: Part, entries: list[EntrySpec]) -> OutputSpec:
    reading = top.reading
    part = top.part("output", Output) or Part(Output(), reading)
    inputs = [reading.config_file, *sorted(reading.project.inputs)]
    for entry in entries:
        inputs += [
            path for path in (entry.source_path, *entry.assets, entry.golden.path if entry.golden else "") if path
        ]
    written = part.get("dir", values.path)
    site = part if "dir" in part.given else top
    return OutputSpec(
        dir=_output_dir(site, written, inputs),
        base=part.get("base", values.base_url),
        max_ir_version=part.get("max_ir_version", values.whole(3, 13)),
        max_opset=part.get("max_opset", values.whole(7, 26)),
        keep=part.get("keep", values.whole(1, 100)),
    )


def _output_dir(part: Part, written: str, inputs: list[str]) -> str:
    try:
        return output_dir(written, part.reading.env.root, inputs)
    except Bad as bad:
        part.report(bad.code, f"`dir` of Output {bad.what}.", ("dir",) if "dir" in part.given else (), fix=bad.fix)
        return ""


def _chunks(top: Part) -> ChunkSpec:
    largest = CHUNK_SIZE[top.reading.env.mode]
    part = top.part("chunks", Chunks)
    if part is None:
        return ChunkSpec(largest // 4, largest)
    high = part.get("max_size", values.optional(_chunk_size)) or largest
    low = part.get("min_size", values.optional(_chunk_size)) or max(_CHUNK_LIMITS[0], min(high, largest) // 4)
    if low > high:
        what = f"`min_size` of Chunks is {low} bytes, more than `max_size`, {high} bytes."
        part.report("MB131", what, ("min_size",))
    return ChunkSpec(low, high)


def _chunk_size(value: Any) -> int:
    amount = values.size(value)
    if not _CHUNK_LIMITS[0] <= amount <= _CHUNK_LIMITS[1]:
        raise Bad(f'must be between "4 KiB" and "1 GiB", not {values.shown(value)}', code="MB113")
    return amount
