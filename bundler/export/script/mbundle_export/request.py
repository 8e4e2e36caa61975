"""What crosses between mbundle and the script."""

from __future__ import annotations

import json
import os
from typing import Any, TypedDict


class Request(TypedDict):
    folder: str
    """Of the checkpoint."""
    out: str
    """Empty folder for the result."""
    task: str
    exporter: str
    """"auto", "optimum", "dynamo" or "genai"."""
    precision: str
    """Of genai: "fp32", "fp16" or "int4"."""


class Lesson(Request):
    """A distillation: `folder` is the teacher's."""

    student: dict[str, int]
    """Numbers of the config that are other than the teacher's."""
    module: str
    function: str
    """In place of these: a file, and the name of its function that makes a torch module."""
    data: list[str]
    """Files: texts (.txt), or feeds (.npz)."""
    golden: str
    """An .npz of feeds; "": a part of the data is held out."""
    state: str
    """Folder of what training needs to go on after it was broken off."""
    epochs: int
    batch_size: int
    learning_rate: float
    max_length: int
    patience: int
    seed: int


class Refused(Exception):
    """`kind` tells the caller which of its messages fits."""

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(what)
        self.kind = kind


class Pipe:
    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self._stream = os.fdopen(descriptor, "w", encoding="utf-8")

    def say(self, **facts: Any) -> None:
        self._stream.write(json.dumps(facts) + "\n")
        self._stream.flush()
