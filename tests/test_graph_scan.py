"""The scanner: what it moves, what it leaves, and that no bytes at all make it fail in another way than its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto

from bundler.errors import MbundleError
from bundler.graph.read import ReadPolicy, read_model
from bundler.graph.scan import scan
from bundler.graph.wire import WireFault, read_varint, varint
from fixtures import models as good


@given(st.integers(0, (1 << 64) - 1))
def test_varints_come_back(value: int) -> None:
    data = varint(value)
    assert read_varint(memoryview(data), 0, len(data)) == (value, len(data))


@given(st.binary(max_size=200))
def test_any_bytes_scan_or_fault(data: bytes) -> None:
    try:
        scan(memoryview(data))
    except WireFault as fault:
        outcome = fault.kind
    else:
        outcome = "read"
    assert outcome in ("read", "truncated", "corrupt", "deep")


def _tensor(**fields: object) -> bytes:
    model = ModelProto()
    model.graph.initializer.append(TensorProto(name="t", **fields))
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("fields", "moved"),
    [
        ({"data_type": 1, "dims": [256], "raw_data": bytes(1024)}, True),
        ({"data_type": 1, "dims": [255], "raw_data": bytes(1020)}, False),
        ({"data_type": 1, "dims": [300], "float_data": [1.5] * 300}, True),
        ({"data_type": 11, "dims": [300], "double_data": [1.5] * 300}, True),
        ({"data_type": 2, "dims": [1100], "int32_data": [7] * 1100}, True),
        ({"data_type": 2, "dims": [1100], "int32_data": [200] * 1100}, False),
        ({"data_type": 6, "dims": [1100], "int32_data": [7] * 1100}, False),
        ({"data_type": 7, "dims": [1100], "int64_data": [7] * 1100}, False),
        ({"data_type": 8, "dims": [1], "string_data": [bytes(2000)]}, False),
        ({"data_type": 1, "dims": [256], "raw_data": bytes(1024), "float_data": [1.0]}, False),
        ({"data_type": 1, "dims": [256], "raw_data": bytes(1024), "data_location": 1}, False),
    ],
)
def test_what_is_moved(fields: dict[str, object], moved: bool) -> None:
    data = _tensor(**fields)
    found = scan(memoryview(data))
    assert bool(found.spans) == moved
    if not moved:
        assert found.skeleton == data


def test_the_payload_is_the_raw_bytes() -> None:
    values = good.noise(0, 300)
    data = _tensor(data_type=1, dims=[300], float_data=values.tolist())
    (span,) = scan(memoryview(data)).spans
    assert data[span.offset : span.offset + span.length] == values.tobytes()


def test_bytes_kept_in_varints_are_rewritten(tmp_path: Path) -> None:
    """int8 below zero, float16 and int64 in typed fields: their bytes in the file are not those of raw_data."""
    arrays = {
        TensorProto.INT8: np.arange(-1000, 1000).astype(np.int8),
        TensorProto.FLOAT16: good.noise(1, 2000).astype(np.float16),
        TensorProto.INT64: np.arange(-500, 500),
        TensorProto.UINT64: np.arange(1000, dtype=np.uint64) << np.uint64(50),
        TensorProto.BOOL: np.arange(2000) % 3 == 0,
    }
    model = good.mlp()
    for dtype, array in arrays.items():
        values = array.view(np.uint16) if dtype == TensorProto.FLOAT16 else array
        model.graph.initializer.append(
            onnx.helper.make_tensor(f"t{dtype}", dtype, array.shape, array if dtype != 10 else values.view(np.float16))
        )
    result = read_model(good.save(model, tmp_path / "m.onnx"), ReadPolicy(str(tmp_path), str(tmp_path))).model
    for weight, array in zip(result.weights[2:], arrays.values(), strict=True):
        with open(weight.region.path, "rb") as file:
            file.seek(weight.region.offset)
            assert file.read(weight.region.length) == array.tobytes()


BASES: tuple[Callable[[], ModelProto], ...] = (
    good.mlp,
    good.constant_weights,
    good.if_model,
    good.scan_model,
    good.function_model,
    lambda: good.function_model(weight_inside=True),
    good.sparse_model,
    lambda: good.cast_model(TensorProto.INT4),
    lambda: good.mlp(opset=24, ir=12),
)


def _mutated(data: bytes, dice: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        at = dice.randrange(min(len(out), dice.choice((600, 1 << 30))) or 1)
        match dice.randrange(6):
            case 0:
                out[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                out[at : at + 1] = bytes([out[at] ^ 1 << dice.randrange(8)]) if at < len(out) else b""
            case 2:
                del out[at : at + dice.randrange(1, 9)]
            case 3:
                out[at:at] = dice.randbytes(dice.randrange(1, 9))
            case 4:
                source = dice.randrange(len(out) or 1)
                out[at:at] = out[source : source + dice.randrange(1, 64)]
            case _:
                del out[at:]
    return bytes(out) or b"\x08"


@pytest.mark.parametrize("seed", range(len(BASES)))
def test_mutants_are_read_or_refused(seed: int, tmp_path: Path) -> None:
    """Seeded byte mutations: never another exception than ours. 300 for each of nine models."""
    data, dice = BASES[seed]().SerializeToString(), random.Random(seed)
    path, policy = tmp_path / "model.onnx", ReadPolicy(str(tmp_path), str(tmp_path))
    refused = 0
    for _ in range(300):
        path.write_bytes(_mutated(data, dice))
        try:
            read_model(str(path), policy)
        except MbundleError:
            refused += 1
    assert refused > 30
