"""What is learnt from: rows of texts or of arrays, cut into batches in an order that a seed decides."""

from __future__ import annotations

import json
import random
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from .request import Lesson, Refused

RANKS = {"pixel_values": 4, "input_features": 3, "input_values": 2, "inputs_embeds": 3}
"""Dimensions of what models are fed with, the batch among them; tokens and masks have two. One more: a stack."""
TOKENS = ("input_ids", "attention_mask", "token_type_ids", "position_ids", "decoder_input_ids")
_WINDOW = 50
"""Batches that are sorted by length together: padding is computed for nothing, and order is to stay random."""


class Rows(Protocol):
    def __len__(self) -> int: ...

    def lengths(self) -> Sequence[Any]:
        """Of each row something that sorts: equal for rows that can be one batch without padding."""

    def feeds(self, rows: Sequence[int]) -> dict[str, Any]:
        """One batch, as torch tensors."""


def read(request: Lesson, model: Any) -> Rows:
    """Refused "data"."""
    if all(path.lower().endswith(".txt") for path in request["data"]):
        return Texts(request)
    return Arrays([one for path in request["data"] for one in samples(path, taken_by(model))])


def taken_by(model: Any) -> list[str]:
    """Names of what the model's forward takes."""
    import inspect

    return list(inspect.signature(model.forward).parameters)


class Texts:
    """Lines, by the checkpoint's own tokenizer."""

    def __init__(self, request: Lesson) -> None:
        from transformers import AutoTokenizer

        lines = [line for path in request["data"] for line in _lines(path)]
        if not lines:
            raise Refused("data", f"{request['data'][0]} holds no text")
        try:
            tokenizer = AutoTokenizer.from_pretrained(request["folder"], local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError, KeyError, ImportError) as error:
            said = str(error).split("\n")[0]
            raise Refused("data", f"texts need the tokenizer of the checkpoint, and it has none: {said}") from error
        length = min(request["max_length"], tokenizer.model_max_length or request["max_length"])
        coded = tokenizer(lines, truncation=True, max_length=length, padding=False)
        self._codes = coded["input_ids"]
        self._types = coded.get("token_type_ids")
        self._pad = tokenizer.pad_token_id or 0
        if not all(self._codes):
            raise Refused("data", "the tokenizer of the checkpoint makes nothing of one of the texts")

    def __len__(self) -> int:
        return len(self._codes)

    def lengths(self) -> Sequence[Any]:
        return [len(code) for code in self._codes]

    def feeds(self, rows: Sequence[int]) -> dict[str, Any]:
        codes = [self._codes[row] for row in rows]
        found = {"input_ids": _padded(codes, self._pad), "attention_mask": _padded([[1] * len(c) for c in codes], 0)}
        if self._types is not None:
            found["token_type_ids"] = _padded([self._types[row] for row in rows], 0)
        return found


def _lines(path: str) -> Iterator[str]:
    try:
        with open(path, encoding="utf-8") as file:
            yield from (line.strip() for line in file if line.strip())
    except UnicodeDecodeError as error:
        raise Refused("data", f"{path} is no text in UTF-8") from error


def _padded(codes: Sequence[Sequence[int]], fill: int) -> Any:
    import torch

    width = max(map(len, codes))
    return torch.tensor([[*code, *[fill] * (width - len(code))] for code in codes], dtype=torch.int64)


class Arrays:
    """Samples, each a batch of rows; rows of one shape can meet in a batch."""

    def __init__(self, found: list[dict[str, Any]]) -> None:
        self._samples = found
        self._rows = [(index, row) for index, one in enumerate(found) for row in range(_height(one))]
        if not self._rows:
            raise Refused("data", "it has no rows")

    def __len__(self) -> int:
        return len(self._rows)

    def lengths(self) -> Sequence[Any]:
        shapes = [sorted((name, array.shape[1:]) for name, array in one.items()) for one in self._samples]
        return [shapes[index] for index, _ in self._rows]

    def feeds(self, rows: Sequence[int]) -> dict[str, Any]:
        import numpy as np
        import torch

        picked = [self._rows[row] for row in rows]
        names = self._samples[picked[0][0]]
        return {
            name: torch.from_numpy(np.stack([self._samples[index][name][row] for index, row in picked]))
            for name in names
        }


def _height(sample: dict[str, Any]) -> int:
    heights = {len(array) for array in sample.values()}
    if len(heights) != 1:
        raise Refused("data", f"its arrays {', '.join(sample)} have different numbers of rows")
    return heights.pop()


def samples(path: str, takes: Sequence[str], *, more: bool = False) -> Iterator[dict[str, Any]]:
    """The samples of an .npz, each name -> array of what the model takes: one, a stack, numbered ones, or what
    `mbundle golden record` keeps. `more`: other arrays too, such as labels. Refused "data"."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            found = list(_parted({name: file[name] for name in file.files}, takes))
    except (OSError, ValueError, KeyError, AttributeError, zipfile.BadZipFile) as error:
        raise Refused("data", f"{path} is no .npz of arrays: {str(error).splitlines()[0]}") from error
    for one in found:
        fed = {name: _widened(array) for name, array in one.items() if more or name in takes}
        if not set(fed) & set(takes):
            raise Refused("data", f"{path} has {', '.join(one)}, and the model takes {', '.join(takes[:6])}")
        yield fed


def _widened(array: Any) -> Any:
    return array.astype({"i": "int64", "u": "int64", "f": "float32"}.get(array.dtype.kind, array.dtype))


def _parted(arrays: dict[str, Any], takes: Sequence[str]) -> Iterator[dict[str, Any]]:
    if "meta" in arrays:  # as `mbundle golden record` writes it
        inputs = json.loads(arrays["meta"].tobytes())["inputs"]
        arrays = {key.replace("/in/", "/"): value for key, value in arrays.items() if "/in/" in key}
        arrays = {f"{key.split('/')[0]}/{inputs[int(key.split('/')[1])]}": value for key, value in arrays.items()}
    numbers = sorted({int(key.split("/")[0]) for key in arrays if "/" in key and key.split("/")[0].isdecimal()})
    if numbers:
        for number in numbers:
            prefix = f"{number}/"
            yield {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
        return
    ranks = {name: RANKS.get(name, 2 if name in TOKENS else 0) for name in arrays if name in takes}
    stacked = {name for name, rank in ranks.items() if rank and arrays[name].ndim > rank}
    if not stacked:
        yield arrays
        return
    for row in range(min(len(arrays[name]) for name in stacked)):
        yield {name: array if name in ranks and name not in stacked else array[row] for name, array in arrays.items()}


def batches(rows: Sequence[int], lengths: Sequence[Any], size: int, order: str) -> list[list[int]]:
    """All of `rows` in batches of rows of like length. `order`: decides it wholly."""
    chance = random.Random(order)
    shuffled = list(rows)
    chance.shuffle(shuffled)
    mixed = isinstance(lengths[shuffled[0]], int)
    window = size * _WINDOW if mixed else len(shuffled)
    found: list[list[int]] = []
    for start in range(0, len(shuffled), window):
        some = sorted(shuffled[start : start + window], key=lambda row: lengths[row])
        for row in some:
            alike = found and (mixed or lengths[found[-1][-1]] == lengths[row])
            if found and alike and len(found[-1]) < size:
                found[-1].append(row)
            else:
                found.append([row])
    chance.shuffle(found)
    return found


def parted(rows: Rows, request: Lesson) -> tuple[list[int], list[int]]:
    """(to learn from, held out): a twentieth, at most a thousand rows, by the seed."""
    order = list(range(len(rows)))
    random.Random(f"held out {request['seed']}").shuffle(order)
    count = min(1000, -(-len(order) // 20))
    if len(order) - count < 1:
        raise Refused("data", f"{len(order)} row is too little to learn from")
    return sorted(order[count:]), sorted(order[:count])
