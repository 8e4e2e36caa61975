"""A Model as bytes, without its weights: a JSON head and the skeleton. Never pickle: cache entries are not trusted.

Each weight says its digest and its place: an offset into the step's own blob of weights, or -1 for "the weight of
the source that has this digest", which is found again wherever the source lies by then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from ..graph.model import Model, Port, Region, Signature, Weight

IN_SOURCE = -1


def encode(model: Model, digests: Sequence[str], places: Sequence[int]) -> bytes:
    """`digests` and `places` belong to `model.weights`, one by one."""
    rows = [
        [weight.name, weight.dtype, weight.shape, weight.region.length, digest, place]
        for weight, digest, place in zip(model.weights, digests, places, strict=True)
    ]
    head = {
        "ir": model.ir_version,
        "opsets": model.opsets,
        "ops": model.ops,
        "dtypes": model.dtypes,
        "inputs": [_port(port) for port in model.signature.inputs],
        "outputs": [_port(port) for port in model.signature.outputs],
        "inPlace": model.signature.in_place,
        "weights": rows,
    }
    return orjson.dumps(head) + b"\n" + model.skeleton


def decode(data: bytes, blob_path: str | None, sources: Mapping[str, Region]) -> tuple[Model, tuple[str, ...]]:
    """The Model and its weights' digests. KeyError, TypeError or ValueError when it cannot be put together."""
    text, _, skeleton = data.partition(b"\n")
    head: dict[str, Any] = orjson.loads(text)
    rows = head["weights"]
    model = Model(
        skeleton=skeleton,
        weights=tuple(_weight(row, blob_path, sources) for row in rows),
        signature=_signature(head),
        ir_version=head["ir"],
        opsets=tuple((domain, version) for domain, version in head["opsets"]),
        ops=tuple((op, count) for op, count in head["ops"]),
        dtypes=tuple((dtype, count) for dtype, count in head["dtypes"]),
    )
    return model, tuple(row[4] for row in rows)


def _weight(row: Sequence[Any], blob_path: str | None, sources: Mapping[str, Region]) -> Weight:
    name, dtype, shape, length, digest, place = row
    if place == IN_SOURCE:
        return Weight(name, dtype, tuple(shape), sources[digest])
    if blob_path is None:
        raise ValueError(f"weight {name!r} lies in a blob that the record does not name")
    return Weight(name, dtype, tuple(shape), Region(blob_path, place, length))


def _signature(head: Mapping[str, Any]) -> Signature:
    in_place = tuple((past, present) for past, present in head["inPlace"])
    return Signature(tuple(map(_as_port, head["inputs"])), tuple(map(_as_port, head["outputs"])), in_place)


def _port(port: Port) -> list[Any]:
    return [port.name, port.dtype, port.shape]


def _as_port(row: Sequence[Any]) -> Port:
    name, dtype, shape = row
    return Port(name, dtype, None if shape is None else tuple(shape))
