"""How large keys and values become, channel by channel: what the scales of a cache in few bits are made from.

What lies beyond a scale is clipped, and that costs more than a coarser step: where the entry's samples are few, the
model reads made-up texts as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ..graph.generation import Generation
from ..graph.model import Model
from ..graph.session import open_session
from .base import Skip
from .verify.baseline import Baseline
from .verify.feeds import Array, Feeds, first_line

ENOUGH = 2048
"""Tokens, of all samples together."""
_TEXTS, _LENGTH = 4, 512
Peaks = Mapping[str, Array]
"""Name of a past -> largest magnitude of each channel, float32 [1, heads, 1, head]."""


def peaks(model: Model, generation: Generation, samples: Baseline | None) -> tuple[Peaks, bool]:
    """And whether made-up texts are among what was read. Raises Skip when there is nothing to read."""
    given = samples if samples is not None and samples.given and not samples.note else None
    read = list(_of_samples(generation, given)) if given is not None else []
    enough = sum(tokens for _, tokens in read) >= ENOUGH
    found = [one for one, _ in read] + ([] if enough else list(_of_texts(model, generation, bool(read))))
    return {past: np.max([one[past] for one in found], axis=0) for past, _ in generation.cache}, not enough


def _of_samples(generation: Generation, samples: Baseline) -> Iterator[tuple[Peaks, int]]:
    """The source's caches after each sample, as recorded, and how many tokens they hold."""
    places = {name: index for index, name in enumerate(samples.outputs)}
    if not places.keys() >= {present for _, present in generation.cache}:
        return
    with np.load(samples.path, allow_pickle=False) as arrays:
        for number in range(samples.samples):
            caches = {past: arrays[f"{number}/out/{places[present]}"] for past, present in generation.cache}
            tokens = next(iter(caches.values())).shape[2]
            yield {past: _peak(array) for past, array in caches.items()}, tokens


def _of_texts(model: Model, generation: Generation, optional: bool) -> Iterator[Peaks]:
    """The caches of the model itself after texts of made-up tokens."""
    try:
        session = open_session(model, level="basic", threads=2)
        names = [present for _, present in generation.cache]
        for seed in range(_TEXTS):
            made = session.run(names, _text(model, generation, seed))
            yield {past: _peak(array) for (past, _), array in zip(generation.cache, made, strict=True)}
    except Exception as error:
        if not optional:
            raise Skip(f"its scales cannot be calibrated: {first_line(error)}") from error


def _text(model: Model, generation: Generation, seed: int) -> Feeds:
    """The first step of a text: int64 [1, tokens] in, and no past."""
    random = np.random.Generator(np.random.PCG64(seed))
    ids = random.integers(0, max(generation.words, 2), (1, _LENGTH))
    known = {"input_ids": ids, "attention_mask": np.ones_like(ids), "position_ids": np.arange(_LENGTH)[None]}
    pasts = {past for past, _ in generation.cache}
    feeds: Feeds = {}
    for port in model.signature.inputs:
        if port.name in pasts:
            _, heads, _, head = port.shape or ()
            feeds[port.name] = np.zeros((1, int(str(heads)), 0, int(str(head))), port.dtype)
        elif port.name in known:
            feeds[port.name] = known[port.name].astype(port.dtype)
        else:
            raise ValueError(f'nothing is known of its input "{port.name}"')
    return feeds


def _peak(array: Array) -> Array:
    peak: Array = np.abs(array.astype(np.float32)).max(axis=(0, 2), keepdims=True, initial=0)
    return peak
