"""Which tokens end a text: what the files beside an exported checkpoint say."""

from __future__ import annotations

import json
import os

from .schema import EntrySpec

_FILES = ("generation_config.json", "config.json")
_MOST = 1 << 20


def ending_files(entry: EntrySpec) -> tuple[str, ...]:
    """Absolute paths of those files that there are in the checkpoint, or beside the model.

    For a model in a folder `onnx/`, in the one above that too.
    """
    folder = entry.export.folder if entry.export else os.path.dirname(entry.source_path)
    if not folder:
        return ()
    folders = [folder, *([os.path.dirname(folder)] if os.path.basename(folder) == "onnx" else [])]
    return tuple(path for each in folders for name in _FILES if os.path.isfile(path := os.path.join(each, name)))


def end_tokens(entry: EntrySpec) -> tuple[int, ...]:
    """`eos_token_id` of the first file that has one; none where no file says it."""
    for path in ending_files(entry):
        try:
            with open(path, "rb") as file:
                found = json.loads(file.read(_MOST)).get("eos_token_id")
        except (OSError, ValueError, AttributeError, RecursionError):
            continue
        tokens = found if isinstance(found, list) else [found]
        if tokens and all(type(token) is int and 0 <= token < 2**31 for token in tokens):
            return tuple(tokens)
    return ()
