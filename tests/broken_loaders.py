"""Loaders that break the contract, each in one way, for what the conformance suite says about them."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from bundler.graph.model import Model
from bundler.loaders.base import Context, Skip


@dataclass(frozen=True)
class Good:
    """It takes the names of the nodes away, which every rule allows."""

    name: ClassVar[str] = "good"
    version: ClassVar[str] = "1"
    tools: ClassVar[tuple[str, ...]] = ("onnx-ir",)
    max_error: ClassVar[float] = 1e-6
    min_cosine: ClassVar[float] = 0.999
    warn_cosine: ClassVar[float] = 0.999

    def reads(self) -> tuple[str, ...]:
        return ()

    def apply(self, model: Model, context: Context) -> Model:
        edited = model.to_ir()
        for node in edited.graph.all_nodes():
            node.name = ""
        self.edit(edited)
        return model.with_ir(edited, context.scratch)

    def edit(self, edited: Any) -> None:
        """What a broken one does to the graph beside that."""


def weights(edited: Any) -> list[Any]:
    return [value for value in edited.graph.initializers.values() if value.const_value.nbytes >= 1024]


def set_to(value: Any, array: Any) -> None:
    import onnx_ir

    value.const_value = onnx_ir.tensor(array, name=value.name)


@dataclass
class Thawed:
    def apply(self, model: Model, context: Context) -> Model:
        return model


@dataclass(frozen=True)
class Bare:
    def apply(self, model: Model, context: Context) -> Model:
        return model


@dataclass(frozen=True)
class Misnamed(Good):
    name: ClassVar[str] = "Good-Loader"


@dataclass(frozen=True)
class Toolless(Good):
    tools: ClassVar[tuple[str, ...]] = ("no-such-tool",)


@dataclass(frozen=True)
class OddOption(Good):
    levels: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, init=False)
class HiddenOption(Good):
    def __init__(self, strength: int = 1) -> None:
        object.__setattr__(self, "strength", strength)


@dataclass(frozen=True)
class Unpicklable(Good):
    act: Callable[[], None] = field(default=lambda: None)


@dataclass(frozen=True)
class Nothing(Good):
    def apply(self, model: Model, context: Context) -> Model:
        return None  # type: ignore[return-value]


@dataclass(frozen=True)
class Raising(Good):
    def edit(self, edited: Any) -> None:
        raise KeyError("w9")


@dataclass(frozen=True)
class Dying(Good):
    def edit(self, edited: Any) -> None:
        os.abort()


@dataclass(frozen=True)
class Hanging(Good):
    def edit(self, edited: Any) -> None:
        time.sleep(600)


@dataclass(frozen=True)
class Wordless(Good):
    def apply(self, model: Model, context: Context) -> Model:
        raise Skip("")


@dataclass(frozen=True)
class Idle(Good):
    def apply(self, model: Model, context: Context) -> Model:
        raise Skip("it is Sunday")


@dataclass(frozen=True)
class Random(Good):
    def edit(self, edited: Any) -> None:
        (value, *_) = weights(edited)
        set_to(value, value.const_value.numpy() * (1 + random.random() * 1e-9) + random.random() * 1e-9)


@dataclass(frozen=True)
class HashOrdered(Good):
    def edit(self, edited: Any) -> None:
        first = next(iter({f"name {number}" for number in range(50)}))
        edited.graph.node(0).name = first[:6]


@dataclass(frozen=True)
class Remembering(Good):
    seen: ClassVar[list[int]] = []

    def edit(self, edited: Any) -> None:
        self.seen.append(1)
        edited.graph.node(0).name = f"n{len(self.seen)}"


@dataclass(frozen=True)
class Growing(Good):
    def edit(self, edited: Any) -> None:
        edited.graph.node(0).name = "a long name " * 100


@dataclass(frozen=True)
class Renaming(Good):
    def edit(self, edited: Any) -> None:
        edited.graph.outputs[0].name = "z"


@dataclass(frozen=True)
class Zeroing(Good):
    def edit(self, edited: Any) -> None:
        for value in weights(edited):
            set_to(value, value.const_value.numpy() * 0)


@dataclass(frozen=True)
class NotANumber(Good):
    def edit(self, edited: Any) -> None:
        for value in weights(edited):
            set_to(value, value.const_value.numpy() + float("nan"))


@dataclass(frozen=True)
class Inventing(Good):
    def edit(self, edited: Any) -> None:
        edited.graph.node(0).op_type = "MatMull"


@dataclass(frozen=True)
class InPlace(Good):
    def edit(self, edited: Any) -> None:
        """Into the file that the weights are read from."""

    def apply(self, model: Model, context: Context) -> Model:
        region = model.weights[0].region
        with open(region.path, "r+b") as file:
            file.seek(region.offset)
            file.write(b"\0\0\0\0")
        return super().apply(model, context)


@dataclass(frozen=True)
class Elsewhere(Good):
    def apply(self, model: Model, context: Context) -> Model:
        first = model.weights[0]
        path = os.path.join(os.path.dirname(os.path.dirname(context.scratch)), "elsewhere.bin")
        with open(first.region.path, "rb") as file:
            file.seek(first.region.offset)
            data = file.read(first.region.length)
        with open(path, "wb") as file:
            file.write(data)
        moved = replace(first, region=replace(first.region, path=path, offset=0))
        return replace(model, weights=(moved, *model.weights[1:]))


@dataclass(frozen=True)
class Depending(Good):
    """What it does depends on `level`, which is a field that no key holds."""

    level: int = field(default=1, init=False)

    def edit(self, edited: Any) -> None:
        edited.graph.node(0).name = f"n{self.level}"


def depending(level: int) -> Depending:
    made = Depending()
    object.__setattr__(made, "level", level)
    return made


async def later(model: Model) -> Model:
    return model


def wrong(model: Model, context: Context) -> Model:
    return Zeroing().apply(model, context)


def right(model: Model, context: Context) -> Model:
    return Good().apply(model, context)
