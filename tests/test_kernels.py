"""Kernels give the numbers of onnxruntime's own tools, whatever the shape, and hold no tensor whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from onnxruntime.capi._pybind_state import quantize_matmul_4bits, quantize_matmul_8bits
from onnxruntime.quantization.quant_utils import quantize_data
from onnxruntime.transformers.float16 import convert_np_to_float16

from bundler.errors import InputError
from bundler.graph.model import Region
from bundler.loaders.kernels import blocks, half, integers
from bundler.loaders.kernels.blocks import Blocks
from bundler.loaders.kernels.integers import Axis, Integers
from bundler.loaders.kernels.output import Output
from bundler.loaders.kernels.tiles import TILE, Matrix, Workers, tiles

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng


@pytest.fixture
def workers() -> Iterator[Workers]:
    with Workers() as workers:
        yield workers


def matrix(folder: Path, array: Array, dtype: str = "") -> Matrix:
    """In a file, at an odd offset."""
    path = folder / "weights.bin"
    path.write_bytes(b"xyz" + array.tobytes())
    return Matrix(Region(str(path), 3, array.nbytes), dtype or array.dtype.name, *array.shape)


def stock_blocks(weight: Array, kind: Blocks) -> tuple[Array, Array, Array]:
    k, n = weight.shape
    padded = np.pad(weight, ((0, kind.count(k) * kind.size - k), (0, 0)))
    packed, zeros = np.zeros(kind.shape(k, n), np.uint8), np.zeros(kind.zeros_shape(k, n), np.uint8)
    scales = np.zeros((n, kind.count(k)), weight.dtype)
    tool = quantize_matmul_4bits if kind.bits == 4 else quantize_matmul_8bits
    tool(packed, padded, scales, zeros, kind.size, n, k, kind.symmetric)
    return packed, scales, zeros


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("size", [16, 32, 128])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("shape", [(64, 48), (100, 33), (96, 7), (1000, 301)])
def test_blocks_are_onnxruntimes_bit_for_bit(
    shape: tuple[int, int], bits: int, size: int, symmetric: bool, dtype: str, tmp_path: Path, workers: Workers
) -> None:
    weight = RNG(bits + size).standard_normal(shape).astype(dtype)
    weight[:, 0] = 0
    kind = Blocks(bits, size, symmetric)
    expected = stock_blocks(weight, kind)
    for transposed in (False, True):
        source = matrix(tmp_path, np.ascontiguousarray(weight.T) if transposed else weight)
        found = packed_blocks(source, kind, shape, workers, transposed)
        for one, other in zip(found, expected if not symmetric else expected[:2], strict=False):
            assert np.array_equal(one, other)


def packed_blocks(
    source: Matrix, kind: Blocks, shape: tuple[int, int], workers: Workers, transposed: bool
) -> tuple[Array, Array, Array]:
    k, n = shape
    packed, zeros = np.zeros(kind.shape(k, n), np.uint8), np.zeros((n, kind.count(k)), np.uint8)
    scales = np.zeros((n, kind.count(k)), "float32" if source.dtype == "bfloat16" else source.dtype)
    blocks.quantize(source, kind, packed, scales, zeros, workers, transposed=transposed)
    short = np.zeros(kind.zeros_shape(k, n), np.uint8)
    blocks.pack_zeros(zeros, kind, short)
    return packed, scales, short


@pytest.mark.parametrize("kind", [Integers(s, r) for s in (True, False) for r in (True, False)], ids=str)
@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("shape", [(64, 48), (1000, 300), (3, TILE + 7)])
def test_integers_are_onnxruntimes(
    shape: tuple[int, int], axis: Axis, kind: Integers, tmp_path: Path, workers: Workers
) -> None:
    weight = (RNG(1).standard_normal(shape) * 0.05 + 0.01).astype(np.float32)
    weight[:, 0], weight[:, 1] = 0, 1e-40
    source = matrix(tmp_path, weight)
    scale, zero = integers.scales(*integers.ranges(source, axis, workers), kind)
    area = Output(str(tmp_path)).reserve(shape, kind.dtype)
    integers.quantize(source, scale, zero, kind, area, workers)
    for index in range(1 if axis is None else min(shape[axis], 50)):
        part = weight if axis is None else weight.take(index, axis)
        found = area.array if axis is None else area.array.take(index, axis)
        dtype = TensorProto.INT8 if kind.signed else TensorProto.UINT8
        expected = quantize_data(part.ravel(), dtype, kind.signed, kind.reduced)
        assert (zero.ravel()[index], scale.ravel()[index]) == (expected[0], expected[1])
        assert np.array_equal(found.ravel(), expected[2])


def test_integers_can_be_written_transposed(tmp_path: Path, workers: Workers) -> None:
    weight = RNG(2).standard_normal((300, 700)).astype(np.float32)
    source, kind = matrix(tmp_path, weight), Integers(signed=True)
    params = integers.scales(*integers.ranges(source, 0, workers), kind)
    straight, turned = np.zeros((300, 700), np.int8), np.zeros((700, 300), np.int8)
    integers.quantize(source, *params, kind, straight, workers)
    integers.quantize(source, *params, kind, turned.T, workers)
    assert np.array_equal(straight, turned.T)


def test_halves_are_onnxruntimes(tmp_path: Path, workers: Workers) -> None:
    random = RNG(3)
    weight = (random.standard_normal((300, 400)) * np.exp(random.uniform(-25, 8, (300, 400)))).astype(np.float32)
    weight[0, :4] = np.inf, -np.inf, 1e-9, 0
    area = Output(str(tmp_path)).reserve(weight.shape, np.float16)
    assert half.convert(matrix(tmp_path, weight), area, workers)
    assert np.array_equal(area.array, convert_np_to_float16(weight))
    assert np.array_equal(half.small(weight * 100), convert_np_to_float16(weight * np.float32(100)))


def test_what_float16_cannot_hold_is_told(tmp_path: Path, workers: Workers) -> None:
    weight = np.full((2, 600), 7e4, np.float32)
    area = Output(str(tmp_path)).reserve(weight.shape, np.float16)
    assert not half.convert(matrix(tmp_path, weight), area, workers)


def test_bfloat16_is_read_as_what_it_means(tmp_path: Path, workers: Workers) -> None:
    weight = RNG(4).standard_normal((64, 96)).astype(np.float32)
    short = (weight.view(np.uint32) >> 16).astype(np.uint16)
    wide = (short.astype(np.uint32) << 16).view(np.float32)
    low, high = integers.ranges(matrix(tmp_path, short, "bfloat16"), None, workers)
    assert (low[0, 0], high[0, 0]) == (wide.min(), wide.max())
    found = packed_blocks(matrix(tmp_path, short, "bfloat16"), Blocks(8, 32, True), (64, 96), workers, False)
    assert np.array_equal(found[0], stock_blocks(wide, Blocks(8, 32, True))[0])


def test_nan_and_infinity_are_seen(tmp_path: Path, workers: Workers) -> None:
    weight = np.ones((4, 300), np.float32)
    weight[1, 5], weight[2, 6] = np.nan, -np.inf
    low, high = integers.ranges(matrix(tmp_path, weight), 0, workers)
    assert [bool(np.isfinite(a) & np.isfinite(b)) for a, b in zip(low[:, 0], high[:, 0], strict=True)] == [
        True,
        False,
        False,
        True,
    ]


def test_a_file_that_became_shorter_is_told(tmp_path: Path, workers: Workers) -> None:
    source = matrix(tmp_path, np.ones((64, 64), np.float32))
    Path(source.region.path).write_bytes(bytes(1000))
    with pytest.raises(InputError) as caught:
        integers.ranges(source, None, workers)
    assert caught.value.problems[0].code == "MB265"


@pytest.mark.parametrize(("rows", "cols", "step", "width"), [(1, 1, 1, 1), (1000, 300, 32, 1), (7, 3 * TILE, 1, 32)])
def test_tiles_cover_a_matrix_once(rows: int, cols: int, step: int, width: int) -> None:
    seen = np.zeros((rows, cols), np.uint8)
    for tile in tiles(rows, cols, step, width):
        seen[tile.place] += 1
        assert tile.top % step == 0
        assert tile.left % width == 0
        assert np.prod(tile.shape) <= TILE + width * step
    assert (seen == 1).all()


def test_an_error_in_one_tile_ends_the_others_and_is_told(workers: Workers) -> None:
    begun = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 3:
            raise ValueError("tile 3")
        return item

    assert workers.run(work, (item for item in range(3))) == [0, 1, 2]
    with pytest.raises(ValueError, match="tile 3"):
        workers.run(work, range(100_000))
    assert len(begun) < 100_000


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors")
def test_files_are_opened_once_a_thread_and_closed_when_the_work_is_done(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    source = matrix(tmp_path, RNG(0).standard_normal((8 * TILE // 512, 512)).astype(np.float32))
    with Workers() as workers:
        out = Output(str(tmp_path)).reserve((source.rows, source.cols), np.int8)
        integers.quantize(source, np.ones((1, 1)), np.zeros((1, 1)), Integers(signed=True), out, workers)
        assert len(os.listdir("/proc/self/fd")) <= before + 2 * 2
    del workers
    assert len(os.listdir("/proc/self/fd")) == before
