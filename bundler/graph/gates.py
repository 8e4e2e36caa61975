"""The two gates behind our own walk: onnx's checker, then a session in the runtime that pages use.

Three gates because each sees what the others do not: of 94 odd models the checker takes 44 and onnxruntime runs
27, and neither set contains the other. Runs in a child process: libraries crash on models.
"""

from __future__ import annotations

import os
import re
import tempfile
from typing import Any

from ..catalogue import problem
from ..errors import MbundleError, printable
from .faults import quote
from .model import Model
from .operators import is_external
from .session import open_session
from .visit import nodes
from .write import graph_file

_STAND_IN = "weights"


class GateError(MbundleError):
    """A model that a gate refuses; whether it came from a file or from a loader, the caller knows."""


def check(model: Model, external_ops: tuple[str, ...] = ()) -> None:
    """Raises GateError. A model with operators that the app brings itself cannot be opened here; only checked."""
    check_with_onnx(model)
    names = [name.rpartition("::")[::2] for name, _ in model.ops]
    if not any(is_external(domain, op_type, external_ops) for domain, op_type in names):
        check_with_runtime(model)


def check_with_onnx(model: Model) -> None:
    """onnx's checker, by path, on the graph alone.

    All weights refer to one empty file beside it. The checker looks at names, types, attributes and operators, and
    that external files exist and are plain; sizes of external data it never compares (our reader has done that).
    """
    import onnx

    with tempfile.TemporaryDirectory(prefix="mbundle-check-") as folder:
        path = os.path.join(folder, "model.onnx")
        with open(os.path.join(folder, _STAND_IN), "wb"):
            pass
        with open(path, "wb") as file:
            file.write(_for_checker(model))
        try:
            onnx.checker.check_model(path)
        except Exception as error:  # ValidationError, and RuntimeError from the bindings
            raise GateError(_checker_problem(str(error))) from error


def _for_checker(model: Model) -> bytes:
    """The graph, with an empty shape where a port has none: the checker asks for one, though ONNX's own text says
    that a shape left out means an unknown rank, and every runtime takes it so."""
    import onnx

    proto = onnx.load_model_from_string(graph_file(model, [(_STAND_IN, 0)] * len(model.weights)))
    for value in (*proto.graph.input, *proto.graph.output):
        if value.type.WhichOneof("value") == "tensor_type" and not value.type.tensor_type.HasField("shape"):
            value.type.tensor_type.shape.SetInParent()
    for body in (proto.graph, *proto.functions):
        _move_runtime_operators(body, proto if body is proto.graph else body)
    return bytes(proto.SerializeToString())


_ELSEWHERE = "com.microsoft"


def _move_runtime_operators(body: Any, importer: Any) -> None:
    """onnxruntime has operators of its own in ONNX's domain (SimplifiedLayerNormalization, which its fusions and the
    builder of onnxruntime-genai write). Our walk knows them, and the checker passes over a domain that it has not."""
    import onnx.defs

    own = [node for node in nodes(body) if not node.domain and not onnx.defs.has(node.op_type)]
    for node in own:
        node.domain = _ELSEWHERE
    if own and not any(known.domain == _ELSEWHERE for known in importer.opset_import):
        importer.opset_import.add(domain=_ELSEWHERE, version=1)


def check_with_runtime(model: Model) -> None:
    """Opens a session, unoptimised and unpacked, on the weights where they are."""
    try:
        open_session(model)
    except MbundleError:
        raise
    except Exception as error:  # onnxruntime's exceptions have no common base of their own
        raise GateError(_runtime_problem(str(error))) from error


_CHECKER_CODES = (
    (r"topologically sorted|cyclic", "MB225"),
    (r"No Op registered|No Schema registered|is deprecated", "MB218"),
    (r"No opset import|opset_import", "MB215"),
    (r"single static assignment|already been used|used multiple times", "MB224"),
    (r"out of bounds|sparse", "MB234"),
)
_RUNTIME_CODES = (
    (r"Attribute \S+ must", "MB261"),
    (r"NOT_IMPLEMENTED|Could not find an implementation|not currently registered or supported", "MB262"),
    (r"is not a registered function/op|No Op registered", "MB218"),
    (r"ShapeInference|TypeInference|Type Error|mismatch|Incompatible|inferred shape|merge", "MB263"),
)


def _checker_problem(text: str) -> Any:
    where = re.search(r"Context: .*?Name: (.*?) OpType: (\w+)", text, re.DOTALL)
    node = f"node {quote(where[1])} ({printable(where[2])}): " if where else ""
    return problem(_code(text, _CHECKER_CODES, "MB260"), f"onnx's checker: {node}{_plain(text)}")


def _runtime_problem(text: str) -> Any:
    return problem(_code(text, _RUNTIME_CODES, "MB261"), f"onnxruntime: {_plain(text)}")


def _code(text: str, table: tuple[tuple[str, str], ...], default: str) -> str:
    return next((code for pattern, code in table if re.search(pattern, text)), default)


_NOISE = (
    r"\[ONNXRuntimeError\] : \d+ : \w+ : ",
    r"Load model from .*? failed:\s*",
    r"Exception during (loading|initialization): ",
    r"Exception caught: ",
    r"/\S+\.(cc|h|cpp):\d+\s+",
    r"\b[\w:]+::[\w:~]+\([^)]*\)( const)?\s*(\[[^\]]*\])?",
    r"==> Context: .*",
)


def _plain(text: str) -> str:
    """A library's message in one line, without its source files and function names, bounded."""
    for pattern in _NOISE:
        text = re.sub(pattern, "", text)
    return printable(" ".join(text.split()), 400).strip(" .:;") or "no reason given"
