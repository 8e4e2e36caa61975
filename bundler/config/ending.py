"""Which tokens end a text: what the files beside an exported checkpoint say."""

from __future__ import annotations

import json
import os

_FILES = ("generation_config.json", "config.json")
_MOST = 1 << 20


def ending_files(source: str) -> tuple[str, ...]:
    """Absolute paths of those files that there are beside the model at `source`, in the folder above `onnx/` too."""
    folder = os.path.dirname(source)
    folders = [folder, *([os.path.dirname(folder)] if os.path.basename(folder) == "onnx" else [])]
    return tuple(path for each in folders for name in _FILES if os.path.isfile(path := os.path.join(each, name)))


def end_tokens(source: str) -> tuple[int, ...]:
    """`eos_token_id` of the first file that has one; none where no file says it."""
    for path in ending_files(source):
        try:
            with open(path, "rb") as file:
                found = json.loads(file.read(_MOST)).get("eos_token_id")
        except (OSError, ValueError, AttributeError, RecursionError):
            continue
        tokens = found if isinstance(found, list) else [found]
        if tokens and all(type(token) is int and 0 <= token < 2**31 for token in tokens):
            return tuple(tokens)
    return ()
