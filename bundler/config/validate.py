"""From what the user declared to a BuildConfig; every mistake is found in one pass, each with its place."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

from . import values
from .declare import Chunks, Config, Output
from .entries import read_entries
from .findings import Bad
from .output import output_dir
from .part import Part
from .schema import BuildConfig, ChunkSpec, EntrySpec, OutputSpec
from .steps import Reading

CHUNKS = {"production": ChunkSpec(), "development": ChunkSpec(max_size=64 << 20)}
"""Defaults. On localhost nothing is downloaded over a slow line: fewer files are faster."""
_CHUNK_LIMITS = (4 << 10, 1 << 30)
_CHUNK_FIX = 'Write a size such as "16 MiB".'


def validate(config: Config, reading: Reading) -> BuildConfig:
    """The BuildConfig that `config` says. Raises ConfigError with everything that is wrong."""
    top = Part(config, reading)
    entries = read_entries(top)
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
        verdicts=_verdicts(reading.env.root),
    )


def _verdicts(root: str) -> str:
    path = os.path.join(root, "golden", "verdicts.json")
    return path if os.path.isfile(path) else ""


def _output(top: Part, entries: list[EntrySpec]) -> OutputSpec:
    reading = top.reading
    part = top.part("output", Output) or Part(Output(), reading)
    inputs = [reading.config_file, *sorted(reading.project.inputs)]
    for entry in entries:
        golden = (entry.golden.path, entry.golden.calibration) if entry.golden else ()
        inputs += [path for path in (*entry.inputs(), *entry.assets, *golden) if path]
    written = part.get("dir", values.path)
    site = part if "dir" in part.given else top
    return OutputSpec(
        dir=_output_dir(site, written, inputs),
        base=part.get("base", values.base_url),
        max_ir_version=part.get("max_ir_version", values.whole(3, 13)),
        max_opset=part.get("max_opset", values.whole(7, 26)),
        keep=part.get("keep", values.whole(1, 100)),
        ort=part.get("ort", values.choice("app", "self")),
        layout=part.get("layout", values.choice("mbundle", "transformers.js")),
        compress=tuple(sorted(set(part.get("compress", values.sequence(_encoding))))),
    )


_COMPRESSORS = {"br": "brotli", "zstd": "zstandard"}


def _encoding(value: Any) -> Any:
    name: str = values.choice(*_COMPRESSORS)(value)
    if find_spec(_COMPRESSORS[name]) is None:
        raise Bad(f"needs the package {_COMPRESSORS[name]} for {values.shown(value)}", code="MB134")
    return name


def _output_dir(part: Part, written: str, inputs: list[str]) -> str:
    try:
        return output_dir(written, part.reading.env.root, inputs)
    except Bad as bad:
        part.report(bad.code, f"`dir` of Output {bad.what}.", ("dir",) if "dir" in part.given else (), fix=bad.fix)
        return ""


def _chunks(top: Part) -> ChunkSpec:
    default = CHUNKS[top.reading.env.mode]
    part = top.part("chunks", Chunks)
    if part is None:
        return default
    high = part.get("max_size", values.optional(_chunk_size)) or default.max_size
    low = part.get("min_size", values.optional(_chunk_size)) or min(default.min_size, high)
    if low > high:
        what = f"`min_size` of Chunks is {low} bytes, more than `max_size`, {high} bytes."
        part.report("MB131", what, ("min_size",))
    return ChunkSpec(low, high)


def _chunk_size(value: Any) -> int:
    amount = values.size(value)
    if not _CHUNK_LIMITS[0] <= amount <= _CHUNK_LIMITS[1]:
        raise Bad(f'must be between "4 KiB" and "1 GiB", not {values.shown(value)}', _CHUNK_FIX, code="MB113")
    return amount
