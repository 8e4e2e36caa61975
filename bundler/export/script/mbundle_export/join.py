"""Encoder and decoder in one graph.

optimum writes three: an encoder, a decoder for the first token and one for each later token, which takes what the first
has made of the encoder's result for the cross attention. Here these keys and values belong to the encoder, so that one
decoder does all tokens, from a past of no tokens on: no weight is there twice, and nothing is decided while it runs.
`input_ids` and `attention_mask` are then those of the encoder, `decoder_input_ids` those of the decoder, and only the
decoder's own cache is left: `past_key_values.N.key` to `present.N.key`.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

NAME = "model.onnx"
_FILES = ("encoder_model.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx")
_CROSS = re.compile(r"(?:past_key_values|present)\.(\d+)\.encoder\.(key|value)")
_OWN = re.compile(r"(past_key_values|present)\.(\d+)\.decoder\.(key|value)")
_HIDDEN, _MASK = "encoder_hidden_states", "encoder_attention_mask"
_FRESH = "decoder_sequence_length"
_PROTOBUF = 1_900_000_000
"""Bytes; a protobuf ends at 2 GiB."""


class Unjoinable(Exception):
    """Half a sentence: why these are no encoder and decoder as described above."""


def joined(folder: str) -> None:
    """Writes `model.onnx` beside the three. Unjoinable."""
    import onnx

    if not all(os.path.isfile(os.path.join(folder, name)) for name in _FILES):
        raise Unjoinable("the decoder was exported without its past; the task is to end with -with-past")
    encoder, first, later = (onnx.load(os.path.join(folder, name)) for name in _FILES)
    if any(model.functions or any(g for g in model.graph.sparse_initializer) for model in (encoder, first, later)):
        raise Unjoinable("they have functions or sparse weights")
    _link(encoder.graph, first.graph, later.graph)
    whole = _whole(encoder, first, later)
    large = sum(len(tensor.raw_data) for tensor in whole.graph.initializer) > _PROTOBUF
    path = os.path.join(folder, NAME)
    onnx.save(whole, path, save_as_external_data=large, location=f"{NAME}_data", size_threshold=1024)


def parted(folder: str) -> None:
    """Takes what `joined` wrote away, if it did."""
    for name in (NAME, f"{NAME}_data"):
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(folder, name))


def _link(encoder: Any, first: Any, later: Any) -> None:
    """Renames and cuts, in place: then `first` makes the cross attention's keys and values alone, from the encoder's
    output, and `later` takes them."""
    if len(encoder.output) != 1 or "logits" not in {value.name for value in later.output}:
        raise Unjoinable("the encoder gives several things, or the decoder no logits")
    _apart(first, (encoder,), "keys")
    _apart(later, (encoder, first), "decoder")
    hidden = encoder.output[0].name
    common = {_HIDDEN: hidden, _MASK: "attention_mask", "input_ids": "decoder_input_ids"}
    made, taken = _cross(first.output), _cross(later.input)
    if not made or not set(made.values()).issuperset(taken.values()):
        raise Unjoinable("the decoder does not give out all that it keeps of the encoder's result")
    rename(first, {**common, **made})
    _only(first, set(taken.values()), {value.name for value in encoder.input} | {hidden})
    own = {value.name: _OWN.sub(r"\1.\2.\3", value.name) for value in (*later.input, *later.output)}
    rename(later, {**own, **common, **taken})


def _cross(values: Any) -> dict[str, str]:
    """What the decoder keeps of the encoder's result -> its name from now on."""
    found = {value.name: _CROSS.fullmatch(value.name) for value in values}
    return {name: f"encoder.{match[1]}.{match[2]}" for name, match in found.items() if match}


def _apart(graph: Any, others: Sequence[Any], prefix: str) -> None:
    """Another name for each of its own values, weights and nodes whose name the others have too."""
    taken = {
        name for other in others for name in (*_inner(other), *(port.name for port in (*other.input, *other.output)))
    }
    ports = {value.name for value in (*graph.input, *graph.output)}
    rename(graph, {name: f"{prefix}:{name}" for name in _inner(graph) if name in taken and name not in ports})
    named = {node.name for other in others for node in other.node}
    for node in graph.node:
        node.name = f"{prefix}:{node.name}" if node.name in named else node.name


def _inner(graph: Any) -> Iterator[str]:
    """Names of what the graph makes itself, and of its weights."""
    for node in graph.node:
        yield from filter(None, node.output)
    yield from (tensor.name for tensor in graph.initializer)


def rename(graph: Any, names: dict[str, str]) -> None:
    """Values and weights, in place; in the bodies of an If or a Loop, too."""
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        for side in (node.input, node.output):
            side[:] = [names.get(name, name) for name in side]
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                rename(inner, names)


def _only(graph: Any, wanted: set[str], given: set[str]) -> None:
    """What makes `wanted` of `given` and weights alone: sizes that it takes from the decoder's side are the batch's,
    which the encoder has as well. Unjoinable."""
    import onnx

    maker = {name: node for node in graph.node for name in node.output}
    known = given | {tensor.name for tensor in graph.initializer}
    source = min(given.intersection(value.name for value in graph.input))
    sizes = f"{source}:sizes"
    for node in graph.node:
        if _is_batch(node, maker, graph) and _missing(node.input, maker, known):
            node.input[0] = sizes
    graph.node.insert(0, onnx.helper.make_node("Shape", [source], [sizes], name=sizes))
    maker[sizes] = graph.node[0]
    lost = _missing(wanted, maker, known)
    if lost:
        raise Unjoinable(f"what the decoder keeps of the encoder's result depends on {min(lost)}")
    _keep(graph, wanted, _made(wanted, maker, known))


def _made(names: Iterable[str], maker: dict[str, Any], known: set[str]) -> set[str]:
    """All values on the way from `known` to `names`; those that nothing makes among them."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name and name not in known and name not in found:
            found.add(name)
            waiting += _uses(maker[name]) if name in maker else ()
    return found


def _uses(node: Any) -> Iterator[str]:
    """Names that it reads, also in the bodies of an If or a Loop."""
    yield from node.input
    for attribute in node.attribute:
        for body in (attribute.g, *attribute.graphs):
            own = {*_inner(body), *(value.name for value in body.input)}
            yield from (name for inner in body.node for name in _uses(inner) if name not in own)


def _missing(names: Iterable[str], maker: dict[str, Any], known: set[str]) -> set[str]:
    return _made(names, maker, known) - maker.keys()


def _keep(graph: Any, outputs: set[str], made: set[str]) -> None:
    """Removes what does not help to make `outputs`."""
    nodes = [node for node in graph.node if made.intersection(node.output)]
    used = {name for node in nodes for name in _uses(node)}
    left = {
        "node": nodes,
        "initializer": [tensor for tensor in graph.initializer if tensor.name in used],
        "value_info": [value for value in graph.value_info if value.name in made],
        "output": [value for value in graph.output if value.name in outputs],
    }
    for field, values in left.items():
        copies = [type(one).FromString(one.SerializeToString()) for one in values]
        graph.ClearField(field)
        getattr(graph, field).extend(copies)


def _is_batch(node: Any, maker: dict[str, Any], graph: Any) -> bool:
    """Whether it takes the first of a tensor's sizes."""
    import onnx

    if node.op_type != "Gather" or node.input[0] not in maker or maker[node.input[0]].op_type != "Shape":
        return False
    index = next((tensor for tensor in graph.initializer if tensor.name == node.input[1]), None)
    if index is None and node.input[1] in maker and maker[node.input[1]].op_type == "Constant":
        index = next((one.t for one in maker[node.input[1]].attribute if one.name == "value"), None)
    return index is not None and onnx.numpy_helper.to_array(index).ravel().tolist() == [0]


def _whole(encoder: Any, first: Any, later: Any) -> Any:
    """One model of the three, with each weight once."""
    import onnx

    graph = onnx.GraphProto(name="encoder-decoder")
    known: dict[bytes, str] = {}
    for part in (encoder.graph, first.graph, later.graph):
        rename(part, _twins(part, known))
        held = {tensor.name for tensor in graph.initializer}
        graph.initializer.extend(tensor for tensor in part.initializer if tensor.name not in held)
        graph.node.extend(part.node)
        graph.value_info.extend(part.value_info)
    made = {name for node in graph.node for name in node.output}
    for value in (*encoder.graph.input, *later.graph.input):
        if value.name not in made and value.name not in {one.name for one in graph.input}:
            graph.input.append(value)
    graph.output.extend(later.graph.output)
    _one_by_one(graph)
    opsets = {one.domain: one.version for model in (encoder, first, later) for one in model.opset_import}
    imports = [onnx.helper.make_opsetid(domain, version) for domain, version in sorted(opsets.items())]
    return onnx.helper.make_model(graph, opset_imports=imports, ir_version=max(encoder.ir_version, later.ir_version))


def _twins(graph: Any, known: dict[bytes, str]) -> dict[str, str]:
    """Weights of the graph that others before it have too, under their names there."""
    import hashlib

    import onnx

    found: dict[str, str] = {}
    for tensor in graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        shape = f"{tensor.data_type} {list(tensor.dims)}".encode()
        name = known.setdefault(hashlib.sha256(shape + array.tobytes()).digest(), tensor.name)
        found |= {tensor.name: name} if name != tensor.name else {}
    return found


def _one_by_one(graph: Any) -> None:
    """Says that the decoder takes one token at a time: that is what was traced, with no mask between new tokens."""
    for value in (*graph.input, *graph.output):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param in ("1", _FRESH):
                size.dim_value = 1
            elif size.dim_param:
                size.dim_param = size.dim_param.replace(f" + {_FRESH}", " + 1")
