"""A small project whose weights go through the real chunk writer and transaction, without config and ONNX.

As a program, `python -m tests.emit_project <folder> <revision>` builds it: what the crash sweep kills.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import sys
from collections.abc import Mapping
from pathlib import Path

from bundler.chunks.label import VariantId
from bundler.chunks.memo import BuildMemo, Memo
from bundler.chunks.placement import Placement
from bundler.chunks.write import write_chunks
from bundler.config.schema import ChunkSpec
from bundler.emit import describe
from bundler.emit.manifest import Entry, Manifest
from bundler.emit.transaction import Committed, Transaction
from bundler.errors import MbundleError
from bundler.graph.model import Model, Port, Region, Signature, Weight

SPEC = ChunkSpec(min_size=8 << 10, max_size=32 << 10)
SIGNATURE = Signature((Port("x", "float32", ("N", 3)),), (Port("y", "float32", None),))


def model(path: Path | str, sizes: list[int], seed: int = 0, gap: int = 0) -> Model:
    """A Model whose weights lie one after the other in a new file at `path`, `gap` bytes apart."""
    weights, offset = [], 0
    with open(path, "wb") as file:
        for number, size in enumerate(sizes):
            file.write(random.Random(f"{seed}:{number}").randbytes(size) + bytes(gap))
            weights.append(Weight(f"w{number}", "uint8", (size,), Region(str(path), offset, size)))
            offset += size + gap
    return of(weights)


def of(weights: list[Weight]) -> Model:
    skeleton = json.dumps([weight.name for weight in weights]).encode()
    return Model(skeleton, tuple(weights), SIGNATURE, 8, (("", 17),), (("MatMul", 2), ("Add", 1)))


def two_entries(folder: Path, revision: int) -> dict[VariantId, Model]:
    """Two entries, one of them with two variants that share most weights, and one that only this revision has."""
    small = [1024 + 40 * number for number in range(16)]
    first = model(folder / "first.weights", [70_000, 9_000, *small, 33_333], seed=1)
    second = model(folder / "second.weights", [20_000, 12_345, *small], seed=10 + revision)
    shared = of([*first.weights[:-1], *second.weights[:3]])
    tiny = model(folder / "tiny.weights", [2000], seed=revision)
    return {
        ("first", "fp32"): first,
        ("first", "q8"): shared,
        ("second", "fp32"): second,
        (f"tiny{revision}", "fp32"): tiny,
    }


def build(
    folder: Path,
    models: Mapping[VariantId, Model],
    *,
    memo: Memo | None = None,
    spec: ChunkSpec = SPEC,
    keep: int = 2,
    threads: int = 2,
) -> tuple[Committed, dict[VariantId, Placement]]:
    memo = memo or BuildMemo()
    with Transaction(str(folder / "dist"), str(folder), memo=memo, keep=keep) as transaction:
        placements = write_chunks(models, spec, transaction, memo, threads)
        asset = folder / "labels.txt"
        assets = (describe.put_asset(transaction, str(asset)),) if asset.exists() else ()
        variants: dict[str, list[describe.Variant]] = {}
        for (entry, name), placement in sorted(placements.items()):
            graph = _graph(models[entry, name], placement)
            ref = describe.put_graph(transaction, entry, name, graph)
            variants.setdefault(entry, []).append(describe.variant(name, models[entry, name], ref, placement))
        manifest = Manifest(
            {entry: Entry(tuple(found), "lazy", assets) for entry, found in variants.items()}, "mbundle 0"
        )
        data = manifest.to_bytes()
        transaction.put("runtime-01234567/index.js", b"export const load = () => {}\n")
        return transaction.commit(_pointers(data, list(variants)), data), placements


def _graph(of_model: Model, placement: Placement) -> bytes:
    return of_model.skeleton + json.dumps(placement.places).encode()


def _pointers(manifest: bytes, entries: list[str]) -> dict[str, bytes]:
    sha256 = hashlib.sha256(manifest).hexdigest()
    pin = f'"assets/manifest-{sha256[:16]}.json", "{sha256}"'
    one = {
        f"entries/{entry}.js": f'import "../runtime-01234567/index.js"; open({pin});\n'.encode() for entry in entries
    }
    return {"models.js": f'import "./runtime-01234567/index.js"; open({pin});\n'.encode(), "models.d.ts": b"", **one}


def tree(folder: Path) -> dict[str, str]:
    """Path -> sha256 of every file, hidden ones too; folders end in "/"."""
    return {
        str(path.relative_to(folder)) + "/" * path.is_dir(): "" if path.is_dir() else _sha256(path)
        for path in sorted(folder.rglob("*"))
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def prepare(folder: Path, revisions: int) -> None:
    """Writes the sources that `main` builds from: a build itself writes none."""
    (folder / "labels.txt").write_text("cat\ndog\n")
    for revision in range(revisions):
        source = folder / f"revision{revision}"
        source.mkdir()
        (source / "models.pickle").write_bytes(pickle.dumps(two_entries(source, revision)))


def main() -> int:
    folder, revision = Path(sys.argv[1]), sys.argv[2]
    models = pickle.loads((folder / f"revision{revision}" / "models.pickle").read_bytes())
    try:
        committed, _ = build(folder, models, threads=1)
    except MbundleError as error:
        _tell(str(error))
        return error.exit_status
    for warning in committed.warnings:
        _tell(f"warning: {warning.code}: {warning.what}")
    return 0


def _tell(message: str) -> None:
    """Not by `write`: strace counts calls for each thread, and a fault meant for a file would hit the message."""
    os.writev(2, [message.encode() + b"\n"])


if __name__ == "__main__":
    sys.exit(main())
