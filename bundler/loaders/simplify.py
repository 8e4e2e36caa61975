"""simplify: folds constants and removes what the graph does not need, with onnxsim."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import printable
from ..graph.model import Model
from .base import Context, Skip
from .regression import grows

_SKIPPED = ("fuse_matmul_add_bias_into_gemm_batched",)
"""Makes Shape, Slice, Concat, Reshape, Gemm, Reshape of MatMul and Add: 187 nodes become 318 in a 6-layer BERT."""


@dataclass(frozen=True, slots=True)
class Simplify:
    """Like tree shaking: the same outputs from fewer nodes."""

    name: ClassVar[str] = "simplify"
    version: ClassVar[str] = "1"
    tools: ClassVar[tuple[str, ...]] = ("onnxsim", "onnx")
    max_error: ClassVar[float] = 1e-4
    min_cosine: ClassVar[float] = 0.9999
    warn_cosine: ClassVar[float] = 0.9999

    skip: tuple[str, ...] = ()
    """onnxsim's optimizer passes to leave out, by name."""

    def reads(self) -> tuple[str, ...]:
        return ()

    def apply(self, model: Model, context: Context) -> Model:
        """onnxsim from file to file. Folding can copy a weight in another form (transposed, dequantized) and keep both;
        then the step is done again without folding."""
        from .tied import keep_tied

        kept = keep_tied(model, context.scratch)
        result = self._simplified(kept, context, "folded")
        if grows(model, result):
            context.log("constants are left unfolded: folding them makes the model bigger")
            result = self._simplified(kept, context, "unfolded", skip_constant_folding=True)
        return result if result.nodes < model.nodes or result.nbytes < model.nbytes else model

    def _simplified(self, model: Model, context: Context, name: str, **options: Any) -> Model:
        import onnxsim

        from ..graph.read import read_result
        from ..graph.write import private_copy
        from ..process.memory import is_out_of_memory
        from .skeleton import without_additions

        folder = os.path.join(context.scratch, name)
        os.mkdir(folder)
        output = os.path.join(folder, "simplified.onnx")
        source = private_copy(model, folder)
        try:
            # certify: otherwise the outcome would depend on whether z3 happens to be installed.
            onnxsim.simplify(
                source, output_path=output, skipped_optimizers=[*_SKIPPED, *self.skip], certify=False, **options
            )
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise Skip(f"onnxsim refuses it: {printable(str(error).strip().partition(chr(10))[0])}") from error
        result = read_result(output, folder, max_opset=context.target_opset, max_ir=context.target_ir)
        return without_additions(result, model)
