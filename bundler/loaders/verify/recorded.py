"""A golden set as `mbundle golden record` keeps it: samples and what the source made of them, in one .npz.

"<sample>/in/<i>" and "<sample>/out/<i>" by position, and "meta", JSON as bytes: which names the positions have, and
what model they come from. Names of tensors are not ours to put into archives. docs/golden.md documents it.
"""

from __future__ import annotations

import json
import zipfile
from typing import Any

import numpy as np

from ...catalogue import problem
from ...errors import InputError, printable
from .archive import Writer
from .baseline import Baseline

META = "meta"
VERSION = 1


def write_meta(path: str, baseline: Baseline, inputs_from: str, source: dict[str, str]) -> None:
    """Adds to the file of `baseline`, at `path`, what `read` needs. `source`: file name -> sha256 of the model."""
    meta = {
        "version": VERSION,
        "inputs": list(baseline.inputs),
        "outputs": list(baseline.outputs),
        "samples": baseline.samples,
        "probabilities": sorted(baseline.probabilities),
        "inputsFrom": inputs_from,
        "source": source,
    }
    text = json.dumps(meta, sort_keys=True).encode()
    with Writer(path, "a") as writer:
        writer.put(META, np.frombuffer(text, np.uint8))


def meta_of(path: str) -> dict[str, Any]:
    """What `write_meta` wrote. Raises InputError MB523."""
    try:
        with np.load(path, allow_pickle=False) as file:
            meta = json.loads(file[META].tobytes())
        if meta["version"] != VERSION:
            raise ValueError(f"its version is {meta['version']}")
        return dict(meta)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        what = f"It is no golden set: {printable(str(error))}."
        raise InputError(problem("MB523", what, file=path)) from error


def read(path: str) -> Baseline:
    """The golden set at `path`. Raises InputError MB523."""
    meta = meta_of(path)
    try:
        inputs, outputs = (tuple(map(str, meta[key])) for key in ("inputs", "outputs"))
        return Baseline(path, inputs, outputs, int(meta["samples"]), frozenset(map(str, meta["probabilities"])))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(problem("MB523", "It is no golden set: its description is damaged.", file=path)) from error
