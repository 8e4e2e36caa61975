"""Runs chains of loaders on small models, with real libraries in real children."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto

from bundler import process
from bundler.config.schema import EntrySpec, LoaderSpec, VariantSpec
from bundler.graph.model import Model
from bundler.graph.read import ReadPolicy
from bundler.loaders.chain import ChainResult, run_chain
from bundler.loaders.record import StepRecord
from bundler.loaders.workshop import Workshop

SIMPLIFY = LoaderSpec("simplify", (("skip", ()),))


def quantize(**options: Any) -> LoaderSpec:
    defaults: dict[str, Any] = {"weight_type": "auto", "per_channel": False, "ops": (), "reduce_range": False}
    return LoaderSpec("quantize_dynamic", tuple(sorted((defaults | options).items())))


class Bench:
    """Runs chains on models in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.told: list[str] = []
        self.shop = Workshop(
            str(folder),
            str(folder / "model.config.py"),
            "production",
            str(self.scratch),
            told=lambda label, line: self.told.append(line),
        )

    def read(self, proto: ModelProto) -> Model:
        path = self.folder / "source.onnx"
        onnx.save(proto, path)
        policy = ReadPolicy(str(self.folder), str(self.scratch))
        model: Model = process.run("bundler.graph.read:read_model", str(path), policy).model
        return model

    def run(self, proto: ModelProto, *steps: LoaderSpec, **entry: Any) -> ChainResult:
        return self.run_model(self.read(proto), *steps, **entry)

    def run_model(self, model: Model, *steps: LoaderSpec, **entry: Any) -> ChainResult:
        variant = VariantSpec("q8", steps)
        spec = EntrySpec("icons", "source.onnx", str(self.folder / "source.onnx"), (variant,), **entry)
        return run_chain(spec, variant, model, self.shop)

    def one(self, proto: ModelProto, step: LoaderSpec, **entry: Any) -> tuple[StepRecord, Model]:
        result = self.run(proto, step, **entry)
        (record,) = result.records
        return record, result.model


def ops(model: Model) -> dict[str, int]:
    return dict(model.ops)
