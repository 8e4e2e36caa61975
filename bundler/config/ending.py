"""Which tokens begin and end a text, and which are none: what the files beside an exported checkpoint say."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

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
    return _first(entry, "eos_token_id")


def start_tokens(entry: EntrySpec) -> tuple[int, ...]:
    """What the decoder of an encoder-decoder begins with; none where no file says it."""
    start = _first(entry, "decoder_start_token_id") or _first(entry, "bos_token_id")
    return (*start, *_first(entry, "forced_bos_token_id")) if start else ()


def suppressed_tokens(entry: EntrySpec) -> tuple[int, ...]:
    """Tokens that are never written: `suppress_tokens`, and words of one token in `bad_words_ids`."""
    words: list[Any] = next((found for found in _values(entry, "bad_words_ids") if isinstance(found, list)), [])
    single = [word[0] for word in words if isinstance(word, list) and len(word) == 1 and _is_token(word[0])]
    return tuple(sorted({*_first(entry, "suppress_tokens"), *single}))


def _first(entry: EntrySpec, key: str) -> tuple[int, ...]:
    for found in _values(entry, key):
        tokens = found if isinstance(found, list) else [found]
        if tokens and all(_is_token(token) for token in tokens):
            return tuple(tokens)
    return ()


def _is_token(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _values(entry: EntrySpec, key: str) -> Iterator[Any]:
    for path in ending_files(entry):
        try:
            with open(path, "rb") as file:
                yield json.loads(file.read(_MOST)).get(key)
        except (OSError, ValueError, AttributeError, RecursionError):
            continue
