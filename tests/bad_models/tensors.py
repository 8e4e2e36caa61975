"""Bad models: tensors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import ModelProto, TensorProto

from fixtures import models as good

from .table import WIDTH, edited


def weight(name: str, code: str, edit: Callable[[TensorProto], object]) -> None:
    edited(name, code, lambda model: edit(model.graph.initializer[0]))


def extra(name: str, code: str, **fields: object) -> None:
    """Registers `product` with one more initializer of these fields."""
    edited(name, code, lambda model: model.graph.initializer.append(TensorProto(name="extra", **fields)))


weight("raw-data-short", "MB232", lambda t: setattr(t, "raw_data", t.raw_data[:-4]))
weight("raw-data-long", "MB232", lambda t: setattr(t, "raw_data", t.raw_data + bytes(4)))
weight(
    "raw-data-of-small-tensor-long",
    "MB232",
    lambda t: t.CopyFrom(TensorProto(name="w", data_type=1, dims=[2], raw_data=bytes(9))),
)
weight("negative-dimension", "MB230", lambda t: t.dims.__setitem__(0, -32))
weight("dimensions-overflow", "MB230", lambda t: t.dims.extend([1 << 40, 1 << 40]))
weight("dimension-of-2-63", "MB230", lambda t: t.dims.__setitem__(0, (1 << 63) - 1))
weight("data-type-77", "MB231", lambda t: setattr(t, "data_type", 77))
weight("data-type-missing", "MB231", lambda t: t.ClearField("data_type"))
weight("no-data", "MB233", lambda t: t.ClearField("raw_data"))
weight("data-twice", "MB233", lambda t: t.float_data.extend([0.0] * WIDTH * WIDTH))
weight(
    "data-inside-and-outside",
    "MB233",
    lambda t: t.MergeFrom(good.refer(TensorProto(), "w.bin")),
)
weight("external-entries-but-inside", "MB233", lambda t: t.external_data.add(key="location", value="w.bin"))
extra("float-data-short", "MB232", data_type=1, dims=[300], float_data=[0.0] * 299)
extra("int64-data-long", "MB232", data_type=7, dims=[300], int64_data=range(301))
extra("data-in-the-wrong-field", "MB231", data_type=7, dims=[3], float_data=[1.0, 2.0, 3.0])
extra("text-in-raw-data", "MB231", data_type=8, dims=[3], raw_data=b"abc")
extra("text-of-wrong-count", "MB232", data_type=8, dims=[3], string_data=[b"a"])
extra("data-without-elements", "MB232", data_type=1, dims=[0, 4], raw_data=bytes(16))
extra("int4-of-wrong-size", "MB232", data_type=TensorProto.INT4, dims=[5], raw_data=bytes(2))
extra("text-outside", "MB231", data_type=8, dims=[1], data_location=1)
extra("uint8-values-short", "MB232", data_type=2, dims=[3000], int32_data=[1] * 2000)
edited("value-of-unknown-type", "MB231", lambda m: m.graph.value_info.append(good.port("m", None, 77)))


def _sparse(edit: Callable[[onnx.SparseTensorProto], object]) -> Callable[[ModelProto], object]:
    return lambda model: edit(model.graph.sparse_initializer[0])


def _indices(*values: int) -> Callable[[onnx.SparseTensorProto], object]:
    def edit(sparse: onnx.SparseTensorProto) -> None:
        sparse.values.CopyFrom(good.tensor("w", good.noise(0, len(values))))
        sparse.indices.CopyFrom(good.tensor("at", np.array(values, np.int64)))

    return edit


edited("sparse-index-out-of-range", "MB234", _sparse(_indices(1, 64 * 64)), good.sparse_model)
edited("sparse-index-negative", "MB234", _sparse(_indices(-1, 5)), good.sparse_model)
edited("sparse-indices-out-of-order", "MB234", _sparse(_indices(9, 3)), good.sparse_model)
edited("sparse-index-twice", "MB234", _sparse(_indices(3, 3)), good.sparse_model)
edited(
    "sparse-counts-differ",
    "MB234",
    _sparse(lambda s: s.values.CopyFrom(good.tensor("w", good.noise(0, 3)))),
    good.sparse_model,
)
edited("sparse-too-large", "MB235", _sparse(lambda s: s.dims.__setitem__(0, 1 << 40)), good.sparse_model)
edited("sparse-negative-dimension", "MB230", _sparse(lambda s: s.dims.__setitem__(0, -64)), good.sparse_model)
edited("sparse-values-short", "MB232", _sparse(lambda s: s.values.dims.__setitem__(0, 201)), good.sparse_model)
