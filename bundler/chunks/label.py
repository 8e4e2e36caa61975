"""Who needs a tensor: the set of variants that hold it. Equal label, same chunks.

A page that loads one variant then fetches no byte that only another one needs, and what two of them share is stored
and fetched once. (Bundlers for JavaScript label modules with the entries that reach them in the same way.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .cut import Tensor

VariantId = tuple[str, str]
"""(entry, variant)."""

Label = tuple[VariantId, ...]
"""Sorted."""


def labels(variants: Mapping[VariantId, Sequence[Tensor]]) -> dict[str, Label]:
    """Key of each tensor -> the variants that hold it."""
    holders: dict[str, set[VariantId]] = {}
    for variant, tensors in variants.items():
        for tensor in tensors:
            holders.setdefault(tensor.key, set()).add(variant)
    return {key: tuple(sorted(who)) for key, who in holders.items()}


def groups(variants: Mapping[VariantId, Sequence[Tensor]]) -> dict[Label, list[Tensor]]:
    """The distinct tensors of each label, in the order in which the label's first variant declares them.

    One order for all holders, or they would not share the chunk; the first by name, so that neither the order of
    entries in the config nor the number of threads decides.
    """
    found: dict[Label, list[Tensor]] = {}
    label_of = labels(variants)
    for variant in sorted(variants):
        for tensor in dict.fromkeys(variants[variant]):
            label = label_of[tensor.key]
            if label[0] == variant:
                found.setdefault(label, []).append(tensor)
    return found
