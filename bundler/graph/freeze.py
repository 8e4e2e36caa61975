"""Makes the immutable Model of a ModelProto whose big tensors are references into `Payloads`.

The skeleton is serialised in protobuf's canonical order with locations "#0", "#1", …: the same model gives
the same bytes, wherever its files lie and however they were written.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from .computing import count_dtypes
from .dtypes import DTYPES
from .model import Model, Weight
from .operators import operator_name
from .opsets import opset_table
from .payloads import Payloads
from .signature import signature_of
from .visit import nodes, tensors


def freeze(model: Any, payloads: Payloads) -> Model:
    """The Model. What could not be lifted into the main graph's initializers goes back inside."""
    weights = _number_weights(model.graph, payloads)
    for site in tensors(model):
        payloads.inline(site.tensor)
    opsets = opset_table(model.opset_import)
    return Model(
        skeleton=model.SerializeToString(deterministic=True),
        weights=weights,
        signature=signature_of(model.graph),
        ir_version=model.ir_version,
        opsets=tuple(sorted(opsets.items())),
        ops=_count_operators(model),
        dtypes=count_dtypes(model, opsets.get("", 1)),
    )


def _number_weights(graph: Any, payloads: Payloads) -> tuple[Weight, ...]:
    weights: list[Weight] = []
    for tensor in graph.initializer:
        region = payloads.region(tensor)
        if region is not None:
            tensor.external_data[0].value = f"#{len(weights)}"
            weights.append(Weight(tensor.name, DTYPES[tensor.data_type].name, tuple(tensor.dims), region))
    return tuple(weights)


def _count_operators(model: Any) -> tuple[tuple[str, int], ...]:
    counts = Counter(
        operator_name(node.domain, node.op_type) for body in (model.graph, *model.functions) for node in nodes(body)
    )
    return tuple(sorted(counts.items()))
