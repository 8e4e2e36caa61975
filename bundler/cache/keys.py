"""Cache keys. A key is the sha256 of all that a step's result depends on, and keeps those parts readable.

Never in a key: paths, times, the job count, the output folder, log levels. Pure functions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

MODEL = "model"
LOADER = "loader"
VERSION = "loader version"
CODE = "code"
OPTION = "option "
TOOL = "tool "
FILE = "file "
CONTEXT = "context "
SOURCE = CONTEXT + "source"
"""Digest of the entry's model before its first step, which each result is compared with."""


@dataclass(frozen=True, slots=True)
class Key:
    """`parts` maps the name of each part to its value as text; `hex` is the digest of them all."""

    hex: str
    parts: Mapping[str, str]


def step_key(
    *,
    model: str,
    loader: str,
    version: str,
    options: Iterable[tuple[str, Any]] = (),
    code: str = "",
    tools: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    context: Mapping[str, Any] | None = None,
) -> Key:
    """The key of one loader step.

    model: `graph_digest` of what goes in. options: every option, defaults included, JSON values. code: digest of
    a function's source. tools: distribution -> version. files: name -> sha256 of each extra file that it reads.
    context: what else the step sees that may change its result (mode, target opset, `source`).
    """
    parts = {MODEL: model, LOADER: loader, VERSION: version}
    if code:
        parts[CODE] = code
    parts |= {OPTION + name: _text(value) for name, value in options}
    parts |= {TOOL + name: found for name, found in (tools or {}).items()}
    parts |= {FILE + name: sha for name, sha in (files or {}).items()}
    parts |= {CONTEXT + name: _text(value) for name, value in (context or {}).items()}
    return Key(digest_parts(parts), parts)


def digest_parts(parts: Mapping[str, str]) -> str:
    """Injective: two different mappings never give the same bytes to hash (JSON quotes what it must)."""
    return hashlib.sha256(b"mbundle step 1\n" + orjson.dumps(dict(parts), option=orjson.OPT_SORT_KEYS)).hexdigest()


def graph_digest(skeleton: bytes, tensors: Iterable[str]) -> str:
    """Digest of a Model: its skeleton (free of paths by contract) and the sha256 of each weight, in order."""
    sha = hashlib.sha256(b"mbundle graph 1\n")
    sha.update(hashlib.sha256(skeleton).digest())
    for tensor in tensors:
        sha.update(bytes.fromhex(tensor))
    return sha.hexdigest()


def _text(value: Any) -> str:
    """Canonical JSON, so that 1, 1.0, true and "1" are told apart and the order of a dict does not matter."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
