"""From the entries that the user declared to EntrySpecs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..errors import printable
from . import values
from .budgets import read_budget
from .checkpoints import assets_of, read_export
from .declare import Entry, distill
from .files import Missing, existing
from .findings import Bad, relative
from .frame import Path
from .goldens import file_of, read_golden
from .names import complaint, slug
from .part import Part
from .schema import EntrySpec, ExportSpec, LoaderSpec, VariantSpec
from .sources import resolve
from .splitting import apart
from .steps import Chain, read_chain
from .students import read_distill, with_golden


def read_entries(top: Part) -> list[EntrySpec]:
    """Every entry that could be read; with findings, fewer or odd ones."""
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
    golden = read_golden(part)
    found = [(*one[:3], with_golden(one[3], golden)) for one in _sources(top, part, root)]
    name, source, path, export = found[0]
    spec = EntrySpec(
        name=part.entry,
        source=source,
        source_path=path,
        variants=_variants(part),
        load=part.get("load", values.choice("eager", "idle", "lazy")),
        on_regression=part.get("on_regression", values.choice("error", "rollback")),
        max_error=part.get("max_error", values.optional(values.number(0))),
        golden=golden,
        budget=read_budget(part, golden),
        assets=_assets(part, export),
        external_ops=part.get("external_ops", values.sequence(_operator)),
        allow_external=part.get("allow_external", values.sequence(lambda v: _folder(v, root))),
        export=export,
    )
    if not name:
        return spec
    if spec.golden is None or spec.golden.at_least is None:
        fix = 'Write golden=Golden("inputs.npz", at_least=0.95).'
        part.report(
            "MB131", "`candidates` of Entry are judged by a golden set, and there is none.", ("candidates",), fix=fix
        )
    return replace(spec, candidates=tuple(_candidate(part, spec, *one) for one in found))


def _candidate(part: Part, spec: EntrySpec, name: str, source: str, path: str, export: ExportSpec | None) -> EntrySpec:
    assets = _assets(part, export)
    return replace(spec, name=f"{spec.name}:{name}", source=source, source_path=path, export=export, assets=assets)


def _sources(top: Part, part: Part, root: str) -> list[tuple[str, str, str, ExportSpec | None]]:
    """(candidate or "", as written, absolute path or "", export) of each; one at least."""
    raw = part.given.get("candidates")
    if raw is None:
        if "source" not in part.given:
            part.report("MB111", "Entry needs the option `source`.", fix="Write Entry(source=...).")
        return [("", *_source(top, part, part.given.get("source", ""), ("source",), root))]
    if "source" in part.given:
        part.report("MB131", "Entry has `candidates`, so it takes no `source`.", ("source",), key=True)
    if not isinstance(raw, Mapping) or not raw:
        fix = 'Write candidates={"large": "large.onnx", "small": "small.onnx"}.'
        part.report(
            "MB112", f"`candidates` must map names to sources, not {values.shown(raw)}.", ("candidates",), fix=fix
        )
        return [("", "", "", None)]
    _names(part, raw, ("candidates",), "a candidate", "candidate")
    found = []
    for name, value in raw.items():
        found.append((str(name), *_source(top, part, value, ("candidates", name), root)))
    return found


def _source(top: Part, part: Part, value: Any, where: Path, root: str) -> tuple[str, str, ExportSpec | None]:
    """(as written, absolute path or "", export). `where`: of the option's value, for what is reported."""
    source = ""
    try:
        if isinstance(value, distill):
            source, export = read_distill(top, part, value)
            return source, "", export
        if where == ("source",) and where[0] not in part.given:
            return "", "", None
        source = values.path(value)
        export = read_export(top, part, source, root, several=where[0] == "candidates")
        return source, "" if export else resolve(source, root), export
    except Bad as bad:
        if isinstance(bad, Missing):
            part.findings.missing.append(bad.missing)
        of = f', "{printable(str(where[1]))}":' if len(where) > 1 and not source else ""
        part.report(bad.code, f"`{where[0]}` of Entry{of} {bad.what}.", where, fix=bad.fix)
        return source, "", None


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
    common, cut = apart(shared, part, ("use",))
    if not raw:
        return (VariantSpec("default", common, cut),)
    _names(part, raw, ("variants",), "a variant", "variant")
    return tuple(_variant(part, str(name), steps, common, cut) for name, steps in raw.items())


def _variant(part: Part, name: str, steps: Any, shared: tuple[LoaderSpec, ...], cut: LoaderSpec | None) -> VariantSpec:
    chain = Chain(part.entry, f"{part.entry}/variants/{name}", part.site, ("variants", name))
    own, own_cut = apart(read_chain(steps, chain, part.reading), part, chain.path)
    return VariantSpec(name, shared + own, own_cut or cut)


def _assets(part: Part, export: ExportSpec | None) -> tuple[str, ...]:
    """The user's own, then those of a checkpoint whose names are still free."""
    root = part.reading.env.root
    own: tuple[str, ...] = part.get("assets", values.sequence(lambda value: file_of(value, root)))
    named = {os.path.basename(path) for path in own}
    assets = own + tuple(path for path in assets_of(export) if os.path.basename(path) not in named)
    seen: dict[str, str] = {}
    for index, path in enumerate(assets):
        name = os.path.basename(path)
        if name in seen and seen[name] != path:
            both = f"{relative(seen[name], root)} and {relative(path, root)}"
            part.report("MB132", f'Two assets are called "{printable(name)}": {both}.', ("assets", index))
        seen.setdefault(name, path)
    return tuple(dict.fromkeys(assets))


def _folder(value: Any, root: str) -> str:
    """Absolute path of an existing folder."""
    written = values.path(value)
    path = os.path.normpath(os.path.join(root, written))
    existing(path, "MB148", written, root)
    if not os.path.isdir(path):
        raise Bad(f"must be a folder, but {values.shown(written)} is a file")
    return path
