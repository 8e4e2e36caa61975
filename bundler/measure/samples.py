"""Inputs to measure on: the golden ones if there are any, else generated ones. The functions run in a child."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass

from .tensor import WIDTHS, Feeds, Tensor


@dataclass(frozen=True, slots=True)
class Sample:
    """`origin`: "golden" or "generated"; `note`: why there is none, half a sentence, and `feeds` is then empty."""

    feeds: Feeds
    origin: str
    note: str = ""


def sample(path: str, root: str, golden: str) -> Sample:
    """The first sample for the model at `path`. `golden`: an .npz with its inputs, or ""."""
    import numpy as np

    from ..graph.read import ReadPolicy, read_model
    from ..loaders.verify.samples import record

    with tempfile.TemporaryDirectory() as scratch:
        policy = ReadPolicy(root, scratch, external_ops=("*",), max_opset=26, max_ir=13)
        model = read_model(path, policy).model
        baseline = record(model, os.path.join(scratch, "samples.npz"), golden)
        if not baseline.samples:
            return Sample({}, "", baseline.note)
        with np.load(baseline.path, allow_pickle=False) as arrays:
            inputs = {port.name for port in model.signature.inputs}
            feeds = {name: arrays[f"0/in/{i}"] for i, name in enumerate(baseline.inputs) if name in inputs}
    odd = next((name for name, array in feeds.items() if array.dtype.name not in WIDTHS), None)
    if odd is not None:
        return Sample({}, "", f"its input {odd} is of a type that a page has no array for")
    made = {name: Tensor(a.dtype.name, a.shape, np.ascontiguousarray(a).tobytes()) for name, a in feeds.items()}
    return Sample(made, "golden" if golden and not _random(golden) else "generated")


def _random(golden: str) -> bool:
    """Whether `mbundle golden record` had no inputs of the user's."""
    from ..errors import InputError
    from ..loaders.verify.recorded import meta_of

    try:
        return bool(meta_of(golden)["inputsFrom"] == "generated")
    except (InputError, KeyError):
        return False


def single_file(path: str, root: str, allow: tuple[str, ...], folder: str) -> str:
    """The model at `path` as one .onnx file in `folder`, as somebody would put it on a server."""
    from ..graph.read import ReadPolicy, read_model
    from ..graph.write import private_copy

    policy = ReadPolicy(root, folder, allow=allow, external_ops=("*",), max_opset=26, max_ir=13)
    read = read_model(path, policy)
    return path if len(read.files) == 1 else private_copy(read.model, folder)
