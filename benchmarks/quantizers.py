"""One quantization, from a source file to what a server would serve, in a process of its own.

`python -m benchmarks.quantizers ours|stock|bare|bare-stock <job> <source.onnx> <folder>`: ours ends with chunks and a
graph file, the stock tool with the file that it saves; neither verifies its result, and neither waits for the disk.
"bare" imports what ours imports and "bare-stock" what the stock tool does: the memory that is not the job's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

LARGE = 1 << 30
"""Bytes of a source above which the stock tools must save external data."""
JOBS = ("int8", "int8-per-channel", "4bit", "float16")


def ours(job: str, source: str, folder: Path) -> None:
    from bundler.chunks.memo import BuildMemo
    from bundler.chunks.write import write_chunks
    from bundler.config.schema import ChunkSpec
    from bundler.graph.read import ReadPolicy, read_model
    from bundler.graph.write import graph_file
    from bundler.loaders.base import Context

    scratch = str(folder / "scratch")
    os.mkdir(scratch)
    model = read_model(source, ReadPolicy(os.path.dirname(source), scratch)).model
    model = _loader(job).apply(model, Context(scratch, "production", scratch, "it"))
    placement = write_chunks({("it", "q"): model}, ChunkSpec(), Folder(folder), BuildMemo())
    (folder / "graph.onnx").write_bytes(graph_file(model, placement["it", "q"].places))


def _loader(job: str) -> Any:
    from bundler.loaders.float16 import Float16
    from bundler.loaders.quantize_dynamic import QuantizeDynamic
    from bundler.loaders.quantize_weights import QuantizeWeights

    loaders: dict[str, Callable[[], Any]] = {
        "int8": QuantizeDynamic,
        "int8-per-channel": lambda: QuantizeDynamic(per_channel=True),
        "4bit": lambda: QuantizeWeights(bits=4, embeddings=False),
        "float16": Float16,
    }
    return loaders[job]()


class Folder:
    """A chunk writer's target that is a plain folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = 0

    def have(self, name: str, sha256: str, nbytes: int) -> bool:
        return False

    def resembles(self, nbytes: int, head: Callable[[], bytes]) -> bool:
        return False

    def stage(self) -> Chunk:
        self._count += 1
        return Chunk(self._path, self._count)


class Chunk:
    def __init__(self, folder: Path, number: int) -> None:
        self._folder, self._path = folder, folder / f"{number}.part"
        self._file = open(self._path, "wb", buffering=0)  # noqa: SIM115

    def write(self, block: bytes | memoryview) -> None:
        self._file.write(block)

    def finish(self, name: str, sha256: str) -> None:
        self._file.close()
        self._path.rename(self._folder / os.path.basename(name))

    def discard(self) -> None:
        self._file.close()


def stock(job: str, source: str, folder: Path) -> None:
    target, large = str(folder / "model.onnx"), _size(source) > LARGE
    if job.startswith("int8"):
        from onnxruntime.quantization import QuantType, quantize_dynamic

        per_channel = job.endswith("per-channel")
        quantize_dynamic(
            source, target, per_channel=per_channel, weight_type=QuantType.QInt8, use_external_data_format=large
        )
    elif job == "4bit":
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

        quantizer = MatMulNBitsQuantizer(source, bits=4, block_size=32, is_symmetric=True)
        quantizer.process()
        quantizer.model.save_model_to_file(target, use_external_data_format=large)
    else:
        import onnx
        from onnxruntime.transformers.float16 import convert_float_to_float16

        half = convert_float_to_float16(source, keep_io_types=True)
        onnx.save(half, target, save_as_external_data=large)


def _size(source: str) -> int:
    return sum(path.stat().st_size for path in Path(source).parent.glob(Path(source).stem + ".*"))


def bare(job: str, source: str, folder: Path) -> None:
    for name in ("numpy", "onnx", "bundler.chunks.write", "bundler.graph.read", "bundler.loaders.halves"):
        import_module(name)


def bare_stock(job: str, source: str, folder: Path) -> None:
    for name in ("onnxruntime.quantization.matmul_nbits_quantizer", "onnxruntime.transformers.float16"):
        import_module(name)


if __name__ == "__main__":
    sides = {"ours": ours, "stock": stock, "bare": bare, "bare-stock": bare_stock}
    side, job, source, folder = sys.argv[1:]
    sides[side](job, source, Path(folder))
