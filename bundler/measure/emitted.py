"""The files of an emitted variant in native onnxruntime: one session, or one for each stage of a split one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ..emit.manifest import Variant
from ..loaders.verify.feeds import Array
from .assemble import GRAPH, stage


class Emitted:
    """`folder`: where `assemble` has put the files. Raises what onnxruntime raises."""

    def __init__(self, folder: str, variant: Variant, options: Any) -> None:
        import onnxruntime

        whole = (os.path.join(folder, GRAPH), variant.inputs, variant.outputs)
        parts = [(stage(folder, n), one.inputs, one.outputs) for n, one in enumerate(variant.stages)] or [whole]
        self._parts = [
            (
                onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]),
                [port.name for port in inputs],
                [port.name for port in outputs],
            )
            for path, inputs, outputs in parts
        ]

    def run(self, names: Sequence[str], feeds: dict[str, Array]) -> list[Array]:
        """The outputs called `names`, of all stages one after the other."""
        values = dict(feeds)
        for session, inputs, outputs in self._parts:
            given = {name: values[name] for name in inputs}
            values |= dict(zip(outputs, session.run(outputs, given), strict=True))
        return [values[name] for name in names]
