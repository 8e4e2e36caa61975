"""Makes an output folder in the layout of a build straight from an .onnx file, for tests of the runtime alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from bundler.emit.loader import render, runtime_files

ALIGN = 64
MIB = 1 << 20


@dataclass(frozen=True)
class Piece:
    """A run of bytes of a data file that becomes one chunk."""

    content: bytes


def build(
    out: Path, entries: dict[str, dict[str, Any]], *, max_size: int = MIB, base: str = "./", load: str = "lazy"
) -> dict[str, Any]:
    """Writes `out` and returns the manifest. `entries`: name -> {variant name: path or ModelProto}."""
    assets = out / "assets"
    assets.mkdir(parents=True, exist_ok=True)
    manifest = {
        "version": 1,
        "generator": "mbundle test",
        "entries": {
            name: {
                "load": load,
                "assets": [],
                "variants": [variant(assets, name, *one, max_size) for one in variants.items()],
            }
            for name, variants in sorted(entries.items())
        },
    }
    content = json.dumps(manifest, sort_keys=True, indent=1).encode()
    digest = hashlib.sha256(content).hexdigest()
    file = f"manifest-{digest[:16]}.json"
    (assets / file).write_bytes(content)
    (out / "model-manifest.json").write_bytes(content)
    runtime, modules = runtime_files()
    texts = {f"{runtime}/{name}": body for name, body in modules.items()}
    for path, body in {**texts, **render(manifest, file, digest, len(content), base=base)}.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(body)
    return manifest


def variant(assets: Path, entry: str, name: str, source: Any, max_size: int) -> dict[str, Any]:
    model = (
        onnx.load(source) if isinstance(source, str | Path) else onnx.ModelProto.FromString(source.SerializeToString())
    )
    pieces, tensors = externalise(model, max_size)
    content = model.SerializeToString(deterministic=True)
    graph = write(assets, f"{entry}.{name}-", ".onnx", content)
    chunks, offset = [], 0
    for piece in pieces:
        chunks.append({**write(assets, "", ".bin", piece.content), "offset": offset})
        offset += len(piece.content)
    data = [{"path": "weights-0", "bytes": offset, "chunks": chunks, "tensors": tensors}] if chunks else []
    return {
        "name": name,
        "graph": graph,
        "data": data,
        "inputs": [
            port(value) for value in model.graph.input if value.name not in {i.name for i in model.graph.initializer}
        ],
        "outputs": [port(value) for value in model.graph.output],
        "requires": {
            "dtypes": [],
            "irVersion": model.ir_version,
            "memory": offset,
            "opset": 0,
            "ops": [],
            "shaderF16": False,
        },
        "measured": {"bytes": graph["bytes"] + offset},
    }


def externalise(model: onnx.ModelProto, max_size: int) -> tuple[list[Piece], list[int]]:
    """Moves initializers of 1 KiB and more out of `model`; chunks end at tensors, larger tensors are cut."""
    pieces: list[Piece] = []
    tensors: list[int] = []
    offset, open_ = 0, b""
    for tensor in model.graph.initializer:
        content = onnx.numpy_helper.to_array(tensor).tobytes()
        if len(content) < 1024 or tensor.data_type == onnx.TensorProto.STRING:
            continue
        padded = content + b"\0" * (-len(content) % ALIGN)
        if open_ and len(open_) + len(padded) > max_size:
            pieces.append(Piece(open_))
            open_ = b""
        tensors += [offset, len(content)]
        point(tensor, offset, len(content))
        offset += len(padded)
        open_ += padded
        while len(open_) > max_size:
            pieces.append(Piece(open_[:max_size]))
            open_ = open_[max_size:]
    return [*pieces, *([Piece(open_)] if open_ else [])], tensors


def point(tensor: onnx.TensorProto, offset: int, length: int) -> None:
    for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
        tensor.ClearField(field)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": "weights-0", "offset": offset, "length": length}.items():
        tensor.external_data.add(key=key, value=str(value))


def write(assets: Path, prefix: str, suffix: str, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    file = f"{prefix}{digest[:16]}{suffix}"
    (assets / file).write_bytes(content)
    return {"file": file, "bytes": len(content), "sha256": digest}


def port(value: onnx.ValueInfoProto) -> dict[str, Any]:
    kind = value.type.tensor_type
    shape = [size(dim) for dim in kind.shape.dim] if kind.HasField("shape") else None
    name = onnx.TensorProto.DataType.Name(kind.elem_type).lower()
    return {"name": value.name, "dtype": {"float": "float32", "double": "float64"}.get(name, name), "shape": shape}


def size(dim: onnx.TensorShapeProto.Dimension) -> int | str | None:
    return dim.dim_value if dim.HasField("dim_value") else (dim.dim_param or None)


def pins(out: Path) -> list[dict[str, Any]]:
    """The hashed manifests of an output folder, as its modules name them."""
    contents = {path.name: path.read_bytes() for path in sorted((out / "assets").glob("manifest-*.json"))}
    return [
        {"file": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in contents.items()
    ]
