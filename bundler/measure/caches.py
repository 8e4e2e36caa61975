"""One sample for variants whose KV cache is of another type: bench times them, and what a cache holds takes no time."""

from __future__ import annotations

import math

from ..emit.manifest import Variant
from .tensor import WIDTHS, Feeds, Tensor


def for_variant(feeds: Feeds, first: Variant, wanted: Variant | None) -> Feeds:
    """`feeds` were made for `first`. None: for the source, whose cache is of floats."""
    if first.generation is None:
        return feeds
    past = {name for name, _ in first.generation.cache}
    ports = {} if wanted is None else {port.name: port for port in wanted.inputs}
    changed = {}
    for name in past & feeds.keys():
        dims, dtype = feeds[name].dims, "float32"
        last: int | str | None = first.generation.head
        if name in ports:
            dtype, last = ports[name].dtype, (ports[name].shape or (None,))[-1]
        if isinstance(last, int) and dtype in WIDTHS and (dtype, last) != (feeds[name].dtype, dims[-1]):
            dims = (*dims[:-1], last)
            changed[name] = Tensor(dtype, dims, bytes(math.prod(dims) * WIDTHS[dtype]))
    return feeds | changed
