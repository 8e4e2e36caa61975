"""The last stages: chunks and graph files are staged, and one commit makes them the current build."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import orjson

from .. import __version__
from ..built import BuiltEntry, Shipment
from ..cache import fresh
from ..cache.twins import Twins
from ..chunks import names
from ..chunks.write import write_chunks
from ..config.ending import end_tokens, start_tokens, suppressed_tokens
from ..emit import transformers_js, verdicts
from ..emit.describe import put_asset, put_graph, variant
from ..emit.loader import render, runtime_files
from ..emit.manifest import Entry, Manifest
from ..emit.ort import put as put_ort
from ..emit.staged import joined, part, put_stages
from ..emit.transaction import Committed, Transaction
from ..emit.transformers_js import Part
from ..graph.generation import Texts, generation_of
from ..graph.write import graph_file
from .job import Job
from .sources import refuse_changed_sources


def open_output(job: Job, entries: tuple[BuiltEntry, ...]) -> Transaction:
    output = job.config.output
    fresh.forget(job.config)
    inputs = job.inputs(entries)
    return Transaction(
        output.dir,
        job.config.root,
        inputs,
        memo=job.memo,
        keep=output.keep,
        waiting=job.progress.line,
        alive=job.progress.alive,
    )


def stage_files(job: Job, entries: tuple[BuiltEntry, ...], output: Transaction) -> Shipment:
    """Chunks, each shared one once, and the graph files that refer to them."""
    built = {key: one for entry in entries for key, one in entry.keyed()}
    whole = {key: one.model for key, one in built.items() if not one.stages}
    parts = {part(key, n): stage for key, one in built.items() for n, stage in enumerate(one.stages)}
    with job.progress.span("writing chunks"):
        placements = write_chunks(whole | parts, job.config.chunks, output, job.memo)
    with job.progress.span("writing graphs"):
        stages = {key: put_stages(output, key, one.stages, placements) for key, one in built.items() if one.stages}
        placed = {key: joined(key, one.model, one.stages, placements) for key, one in built.items()}
        graphs = {key: put_graph(output, *key, graph_file(one.model, placed[key].places)) for key, one in built.items()}
    return Shipment(entries, placed, graphs, stages)


def commit(job: Job, shipment: Shipment, output: Transaction) -> Committed:
    """Manifest, runtime and generated loader; then the new build becomes the current one."""
    refuse_changed_sources(job)
    site = job.config.output
    found = verdicts.read(job.config.verdicts)
    described = {entry.spec.name: _described(job, entry, shipment, output) for entry in shipment.entries}
    described = {name: _heeding(job, name, entry, found) for name, entry in described.items()}
    ort = put_ort(output, job.config.root, job.memo) if site.ort == "self" else None
    manifest = Manifest(described, f"mbundle {__version__}")
    manifest = replace(manifest, encodings=_compressed(job, manifest, output))
    data = manifest.to_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    folder, modules = runtime_files()
    for name, content in modules.items():
        output.put(f"{folder}/{name}", content)
    pointers = render(orjson.loads(data), names.manifest(sha256), sha256, len(data), base=site.base, ort=ort)
    if site.layout == "transformers.js":
        for entry in shipment.entries:
            pointers |= _for_transformers(job, entry, shipment, output)
    return output.commit(pointers, data)


def _for_transformers(job: Job, entry: BuiltEntry, shipment: Shipment, output: Transaction) -> dict[str, bytes]:
    with job.progress.span(f"{entry.spec.name}: laying out for transformers.js"):
        whole = [(key, one) for key, one in entry.keyed() if not one.stages]  # that library knows none
        parts = [Part(one.name, one.model, shipment.placements[key]) for key, one in whole]
        base = job.config.output.base
        if not parts:
            return {}
        return transformers_js.put(output, entry.spec.name, parts, entry.spec.assets, job.memo, base, job.warn)


def _heeding(job: Job, name: str, entry: Entry, found: verdicts.Verdicts) -> Entry:
    """Without the providers on which golden checks found a variant wrong; that is told."""
    for one in entry.variants:
        for warning in verdicts.warnings(name, one, found.get((name, one.name))):
            job.warn(warning)
    heeded = (verdicts.providers(found.get((name, one.name))) for one in entry.variants)
    left = (tuple(p for p in one.providers if p in right) for one, right in zip(entry.variants, heeded, strict=True))
    kept = tuple(replace(one, providers=where) for one, where in zip(entry.variants, left, strict=True))
    return replace(entry, variants=kept)


def _compressed(job: Job, manifest: Manifest, output: Transaction) -> dict[str, dict[str, int]]:
    """Name in assets/ -> encoding -> bytes, of the files that the manifest names."""
    wanted = job.config.output.compress
    if not wanted:
        return {}
    from ..emit.compress import compress

    with job.progress.span(f"compressing ({', '.join(wanted)})"):
        known = Twins(job.store)
        twins = compress(output, wanted, known, job.options.jobs)
        known.save()
    shipped = manifest.files()
    return {name: sizes for name, sizes in twins.items() if name in shipped}


def _described(job: Job, entry: BuiltEntry, shipment: Shipment, output: Transaction) -> Entry:
    variants = []
    texts = Texts(end_tokens(entry.spec), start_tokens(entry.spec), suppressed_tokens(entry.spec))
    for key, one in entry.keyed():
        generation = generation_of(one.model.signature, entry.source.signature, texts)
        compared = [record for record in one.records if record.status in ("ok", "cached")]
        figures = (compared[-1].max_error, compared[-1].cosine) if compared else (None, None)
        placed = (shipment.graphs[key], shipment.placements[key])
        variants.append(variant(one.name, one.model, *placed, *figures, shipment.stages.get(key, ()), generation))
    assets = tuple(put_asset(output, path, job.memo) for path in entry.spec.assets)
    return Entry(tuple(variants), entry.spec.load, assets)
