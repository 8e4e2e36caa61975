"""Small edits of a Model on its bare protobuf, for what does not need the IR."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..graph.model import Model
from ..graph.visit import graphs


def without_additions(model: Model, source: Model) -> Model:
    """`model` without what a library noted down beside its work: only the value_info and metadata that `source` had.

    Every runtime infers shapes again, and they are a tenth of a small model; onnxsim adds 19 settings of its own.
    """
    proto, own = _proto(model), _proto(source)
    proto.ClearField("metadata_props")
    proto.metadata_props.MergeFrom(own.metadata_props)
    known = {value.name for graph in graphs(own.graph) for value in graph.value_info}
    for graph in graphs(proto.graph):
        kept = [value for value in graph.value_info if value.name in known]
        if len(kept) < len(graph.value_info):
            rest = type(graph)(value_info=kept)
            graph.ClearField("value_info")
            graph.value_info.MergeFrom(rest.value_info)
    return _with(model, proto)


def _proto(model: Model) -> Any:
    import onnx

    return onnx.load_model_from_string(model.skeleton)


def _with(model: Model, proto: Any) -> Model:
    return replace(model, skeleton=proto.SerializeToString(deterministic=True))
