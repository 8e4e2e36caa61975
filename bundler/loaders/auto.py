"""auto: searches the precision of each weight for the smallest model that keeps a stated accuracy.

The result is what the steps of its recipe give, one after the other; `mbundle build --write` puts them into the config
in place of `auto(...)`, so that later builds need no search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ..config.options import Range
from ..graph.model import Model
from .base import Context, Skip


@dataclass(frozen=True, slots=True)
class Auto:
    """Like an image optimiser that tries qualities until a person would see the difference."""

    name: ClassVar[str] = "auto"
    version: ClassVar[str] = "1"
    tools: ClassVar[tuple[str, ...]] = ("numpy", "onnx", "onnxruntime")
    max_error: ClassVar[float] = float("inf")
    min_cosine: ClassVar[float] = -1.0
    warn_cosine: ClassVar[float] = -1.0
    wants_samples: ClassVar[bool] = True
    finds_recipe: ClassVar[bool] = True

    accuracy: float = 0.95
    """Least value of the entry's golden metric, or of the cosine with the source's outputs where it has none."""
    minutes: Annotated[float, Range(0, 1440)] = 10.0
    """No further trial is begun after this; a search that was cut says so, and may end elsewhere on another machine."""

    def reads(self) -> tuple[str, ...]:
        return ()

    def apply(self, model: Model, context: Context) -> Model:
        """Raises Skip when there is nothing to compare on, or nothing smaller keeps the accuracy."""
        from .search.hunt import Hunt
        from .search.table import lines

        if context.samples is None or context.samples.note:
            raise Skip(f"it cannot be measured: {context.samples.note if context.samples else 'no samples'}")
        hunt = Hunt(model, context, max(self.accuracy, context.at_least), self.minutes * 60)
        found = hunt.run()
        context.detail("tried", [trial.as_json() for trial in hunt.trials])
        context.detail("table", lines(hunt.trials, hunt.accuracy))
        if hunt.cut:
            context.log(f"the search was cut after {self.minutes:g} minutes")
        if found is None:
            raise Skip(f"nothing smaller keeps {hunt.accuracy:g}")
        context.detail("recipe", found.as_json())
        return found.apply(model, context)
