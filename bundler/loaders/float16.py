"""float16: half the bytes, and what a GPU with shader-f16 computes fastest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..errors import printable
from ..graph.model import Model
from .base import Context, Skip


@dataclass(frozen=True, slots=True)
class Float16:
    """Like a smaller colour space: half the bytes, hardly a difference to see. Inputs and outputs keep their types."""

    name: ClassVar[str] = "float16"
    version: ClassVar[str] = "1"
    tools: ClassVar[tuple[str, ...]] = ("numpy", "onnx")
    max_error: ClassVar[float] = 0.1
    min_cosine: ClassVar[float] = 0.99
    warn_cosine: ClassVar[float] = 0.999

    keep: tuple[str, ...] = ()
    """Op types or names of nodes that go on computing in float32, beside those that must."""

    def reads(self) -> tuple[str, ...]:
        return ()

    def apply(self, model: Model, context: Context) -> Model:
        """Rewrites types and puts Casts where they belong; the weights are computed from file to file."""
        from ..graph.edit import Edit
        from .halves import Halves
        from .kernels.output import Output
        from .kernels.tiles import Workers

        edit = Edit(model, context.scratch)
        if edit.proto.functions:
            raise Skip("it has functions of its own: simplify() opens them")
        with Workers() as workers:
            halves = Halves(edit, Output(context.scratch), workers, frozenset(self.keep))
            changed = halves.convert()
        for name in sorted(halves.beyond):
            context.log(f'weight "{printable(name, 60)}" stays float32: it holds values beyond 65504')
        if not changed:
            raise Skip("it has no float32 weights")
        return edit.close()
