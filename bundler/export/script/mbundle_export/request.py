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
    """"auto", "optimum" or "dynamo"."""


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
