"""`mbundle why`: why a tensor, a chunk, an operator or a byte is in the output, and who shares it.

From the manifest, the emitted graph files (read in a child) and, where there is one, the last build's stats.json.
"""

from __future__ import annotations

import difflib
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..cache.location import WORK_FOLDER
from ..catalogue import problem
from ..chunks import names
from ..chunks.placement import ChunkRef
from ..emit.manifest import Variant, read_manifest
from ..errors import UsageError, printable
from ..graph.anatomy import Anatomy, Part, anatomy_of

Row = dict[str, Any]
_TOP = 10


@dataclass(frozen=True)
class Output:
    """`variants`: "entry/variant" -> what the manifest and its graph file say. `steps`: the same -> its loaders."""

    variants: dict[str, tuple[Variant, Anatomy]]
    steps: dict[str, list[str]]

    @cached_property
    def users(self) -> dict[str, list[str]]:
        """File in assets/ -> the variants that download it."""
        found: dict[str, list[str]] = {}
        for name, (variant, _) in self.variants.items():
            files = {ref.file for ref in variant.downloads}
            for file in files:
                found.setdefault(file, []).append(name)
        return found

    @cached_property
    def sizes(self) -> dict[str, int]:
        return {ref.file: ref.nbytes for variant, _ in self.variants.values() for ref in variant.downloads}

    def chunks(self, name: str, tensor: Part) -> list[ChunkRef]:
        """The chunks that hold the tensor's bytes."""
        data = next((one for one in self.variants[name][0].data if one.path == tensor.path), None)
        end = tensor.offset + tensor.nbytes
        return [c for c in (data.chunks if data else ()) if c.offset < end and tensor.offset < c.offset + c.nbytes]


def read_output(dist: str, root: str) -> Output:
    """InputError MB420-MB422 and what a child says of a graph file that is none."""
    manifest = read_manifest(dist)
    assets = os.path.join(os.path.abspath(dist), names.ASSETS)
    variants = {
        f"{entry}/{one.name}": (one, anatomy_of(os.path.join(assets, one.graph.file), f"reading {one.graph.file}"))
        for entry, described in sorted(manifest.entries.items())
        for one in described.variants
    }
    return Output(variants, _steps(root))


def _steps(root: str) -> dict[str, list[str]]:
    try:
        with open(os.path.join(root, WORK_FOLDER, "stats.json"), "rb") as file:
            entries = json.load(file)["entries"]
        return {
            f"{entry['name']}/{one['name']}": [s["step"] for s in one["steps"] if s["status"] in ("ok", "cached")]
            for entry in entries
            for one in entry["variants"]
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def why(output: Output, thing: str) -> Row:
    """{"kind": "bytes" | "chunk" | "op" | "tensor", ...}; sizes in bytes. UsageError MB530."""
    if thing == "bytes":
        return _bytes(output)
    bare = thing.removeprefix("assets/")
    files = [file for file in output.users if file == bare or (len(bare) >= 6 and file.startswith(bare))]
    if len(files) == 1:
        return _file(output, files[0])
    ops = {op for _, anatomy in output.variants.values() for op, _ in anatomy.ops}
    op = _named(thing, ops)
    known = {tensor.name for _, anatomy in output.variants.values() for tensor in anatomy.parts}
    if op is not None and (op == thing or thing not in known):
        return _op(output, op)
    near = sorted(name for name in known if thing.lower() in name.lower())
    if thing in known or len(near) == 1:
        return _tensor(output, thing if thing in known else near[0])
    like = near or difflib.get_close_matches(thing, [*known, *ops, *output.users], 5)
    fix = f"Did you mean {', '.join(printable(one, 60) for one in like[:5])}?" if like else None
    raise UsageError(problem("MB530", f"There is no tensor, chunk or operator {printable(thing)!r}.", fix=fix))


def _named(thing: str, ops: set[str]) -> str | None:
    """The operator that is meant: whoever types "conv" does not know that it is "Conv", nor of which domain it is."""
    folded = thing.casefold()
    alike = [op for op in ops if folded in (op.casefold(), op.rpartition("::")[2].casefold())]
    return thing if thing in ops else alike[0] if len(alike) == 1 else None


def _tensor(output: Output, name: str) -> Row:
    places = [
        {
            "variant": variant,
            "dtype": one.dtype,
            "shape": list(one.shape),
            "bytes": one.nbytes,
            "readBy": dict(Counter(one.users)),
            "steps": output.steps.get(variant, []),
            "chunks": [_shared(output, chunk) for chunk in output.chunks(variant, one)],
        }
        for variant, one in _tensors(output)
        if one.name == name
    ]
    absent = [variant for variant in output.variants if variant not in {place["variant"] for place in places}]
    return {"kind": "tensor", "name": name, "places": places, "absent": absent}


def _tensors(output: Output) -> Iterator[tuple[str, Part]]:
    return ((name, tensor) for name, (_, anatomy) in output.variants.items() for tensor in anatomy.parts)


def _shared(output: Output, chunk: ChunkRef) -> Row:
    return {"file": chunk.file, "bytes": chunk.nbytes, "users": output.users[chunk.file]}


def _file(output: Output, file: str) -> Row:
    """A chunk with the tensors in it, or a graph file with the operators in it."""
    row: Row = {"kind": "chunk", "file": file, "bytes": output.sizes[file], "users": output.users[file]}
    first = output.users[file][0]
    variant, anatomy = output.variants[first]
    if file in {ref.file for ref in variant.graphs}:
        inline = sum(tensor.nbytes for tensor in anatomy.parts if not tensor.path)
        return row | {"graph": True, "ops": dict(anatomy.ops), "inline": inline, "tensors": []}
    held: dict[str, Row] = {}
    for name in output.users[file]:
        for tensor in output.variants[name][1].parts:
            for chunk in output.chunks(name, tensor):
                if chunk.file == file:
                    held.setdefault(tensor.name, _held(output, name, tensor, chunk))
    return row | {"graph": False, "tensors": sorted(held.values(), key=lambda one: (-one["bytes"], one["name"]))}


def _held(output: Output, name: str, tensor: Part, chunk: ChunkRef) -> Row:
    start, end = max(chunk.offset, tensor.offset), min(chunk.offset + chunk.nbytes, tensor.offset + tensor.nbytes)
    told = {
        "name": tensor.name,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "readBy": dict(Counter(tensor.users)),
    }
    return told | {"bytes": end - start, "of": tensor.nbytes}


def _op(output: Output, op: str) -> Row:
    places = []
    for name, (_, anatomy) in output.variants.items():
        count = dict(anatomy.ops).get(op, 0)
        read = [tensor for tensor in anatomy.parts if op in tensor.users]
        steps = output.steps.get(name, [])
        if count:
            top = sorted(read, key=lambda one: -one.nbytes)[:_TOP]
            weights = {"weights": len(read), "bytes": sum(one.nbytes for one in read)}
            largest = [{"name": one.name, "bytes": one.nbytes} for one in top]
            places.append({"variant": name, "nodes": count, **weights, "steps": steps, "largest": largest})
    with_op = {str(place["variant"]) for place in places}
    absent = [name for name in output.variants if name not in with_op]
    return {"kind": "op", "name": op, "places": places, "absent": absent, "broughtBy": _brought(output, with_op)}


def _brought(output: Output, having: set[str]) -> list[str]:
    """Steps that all variants which have the operator share, and that none of the others went through."""
    others = {step for name, steps in output.steps.items() if name not in having for step in steps}
    shared = [set(output.steps.get(name, [])) for name in having]
    return sorted(set.intersection(*shared) - others) if shared and len(having) < len(output.variants) else []


def _bytes(output: Output) -> Row:
    rows = []
    for name, (variant, anatomy) in output.variants.items():
        files = {file for file, users in output.users.items() if name in users}
        shared = sum(output.sizes[file] for file in files if len(output.users[file]) > 1)
        total = sum(output.sizes[file] for file in files)
        kinds: Counter[str] = Counter()
        readers: Counter[str] = Counter()
        for tensor in anatomy.parts:
            kinds[tensor.dtype] += tensor.nbytes
            readers[tensor.users[0] if tensor.users else "nobody"] += tensor.nbytes
        largest = sorted(anatomy.parts, key=lambda one: (-one.nbytes, one.name))[:_TOP]
        rows.append({
            "variant": name, "bytes": total, "graph": sum(ref.nbytes for ref in variant.graphs), "shared": shared,
            "dtypes": dict(kinds.most_common()), "readers": dict(readers.most_common()),
            "largest": [{"name": one.name, "bytes": one.nbytes, "dtype": one.dtype} for one in largest],
        })  # fmt: skip
    return {"kind": "bytes", "stored": sum(output.sizes.values()), "variants": rows}
