"""Made-up inputs for decoders: a past that the model itself has made, of tokens that are made up.

Numbers by chance would be no past that any text leaves: keys and values have a size of their own, and a cache in few
bits is made for that size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ...graph.generation import Generation, generation_of, present_of
from ...graph.model import Port, Signature
from .feeds import Array, Feeds

Sizes = Mapping[str, int]


class Decoding:
    """Of one model; of one that is no decoder it changes nothing."""

    def __init__(self, signature: Signature) -> None:
        found = generation_of(signature, signature)
        self._ports = {port.name: port for port in signature.inputs}
        self._found: Generation | None = found if found is not None and found.start is None else None

    def agreeing(self, sizes: Sizes) -> Sizes:
        """A mask that has a length of its own is as long as past and new together."""
        past, new, whole = self._symbols()
        own = whole not in (past, new) and {past, new, whole} <= sizes.keys()
        return {**sizes, whole: sizes[past] + sizes[new]} if own else sizes

    def lived(
        self, sample: Feeds, sizes: Sizes, make: Callable[[Sizes], Feeds], run: Callable[[Feeds], Mapping[str, Array]]
    ) -> Feeds:
        """`sample` with the past that `run` makes of other tokens; as it is where that cannot be had."""
        past, new, _ = self._symbols()
        if self._found is None or not {past, new} <= sizes.keys() or past == new or not sizes[past]:
            return sample
        try:
            made = run(make(self.agreeing({**sizes, past: 0, new: sizes[past]})))
        except Exception:  # not every decoder begins with nothing
            return sample
        caches = {one: made[present_of(one)] for one, _ in self._found.cache if present_of(one) in made}
        same = all(caches[one].shape == sample[one].shape for one in caches)
        return sample | caches if same else sample

    def _symbols(self) -> tuple[str, str, str]:
        """Names of the lengths of past, new tokens, and mask; "" where there is none."""
        if self._found is None:
            return "", "", ""
        return (
            _name(self._ports.get(self._found.cache[0][0]), 2),
            _name(self._ports.get("input_ids"), 1),
            _name(self._ports.get("attention_mask"), 1),
        )


def _name(port: Port | None, axis: int) -> str:
    dims: Sequence[int | str | None] = (port.shape if port is not None else None) or ()
    dim = dims[axis] if len(dims) > axis else ""
    return dim if isinstance(dim, str) and "+" not in dim else ""
