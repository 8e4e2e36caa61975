"""What a model holds and which chunks it would give, as plain data for `mbundle inspect`."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..config.schema import ChunkSpec
from ..graph.model import Port
from ..graph.read import ReadResult
from .memo import BuildMemo
from .write import plan_chunks

_LARGEST = 10


def describe_plan(path: str, read: ReadResult, max_size: int) -> dict[str, Any]:
    """Sizes in bytes. `chunks`: one row each, in the order in which they would be written."""
    model = read.model
    spec = ChunkSpec(min(ChunkSpec().min_size, max_size), max_size)
    planned = plan_chunks({("", ""): model}, spec, BuildMemo())
    weights = sorted(model.weights, key=lambda weight: (-weight.region.length, weight.name))
    dtypes: Counter[str] = Counter()
    for weight in model.weights:
        dtypes[weight.dtype] += weight.region.length
    return {
        "kind": "model",
        "path": path,
        "bytes": model.nbytes,
        "graphBytes": len(model.skeleton),
        "irVersion": model.ir_version,
        "opsets": {domain or "ai.onnx": version for domain, version in model.opsets},
        "inputs": [_port(port) for port in model.signature.inputs],
        "outputs": [_port(port) for port in model.signature.outputs],
        "nodes": model.nodes,
        "ops": dict(model.ops),
        "weightBytes": dict(dtypes),
        "weights": len(model.weights),
        "largest": [
            {"name": weight.name, "dtype": weight.dtype, "shape": list(weight.shape), "bytes": weight.region.length}
            for weight in weights[:_LARGEST]
        ],
        "chunks": [{"bytes": chunk.nbytes, "tensors": len(chunk.slices)} for chunk in planned.chunks],
        "notes": list(read.notes),
    }


def _port(port: Port) -> dict[str, Any]:
    return {"name": port.name, "dtype": port.dtype, "shape": None if port.shape is None else list(port.shape)}
