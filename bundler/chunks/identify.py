"""Which weights hold the same bytes, with as few bytes read as possible.

Equal bytes have equal size and equal samples; so a weight whose size and samples nobody shares is unique, and need not
be digested before it is written. Digests are computed beforehand only for probable twins and for small tensors (cuts
depend on those). A tensor above `max_size` is identified by the digests of its parts, which are also the
digests of its chunks: no byte of it is ever hashed twice.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ..config.schema import ChunkSpec
from ..errors import InputError
from ..graph.model import Region
from .cut import Slice, Tensor, is_small, parts
from .memo import Memo
from .sources import Sources, changed

SAMPLE = 4096
"""Bytes compared at the head, in the middle and at the tail. Weights that differ at all nearly always differ there."""

K = TypeVar("K", bound=Hashable)


class Digests:
    """Digests of regions: known from this build or an earlier one, or computed. Safe for threads."""

    def __init__(self, sources: Sources, memo: Memo) -> None:
        self._sources = sources
        self._memo = memo

    def known(self, region: Region) -> str | None:
        return self._memo.lookup(region)

    def of(self, region: Region) -> str:
        return self.known(region) or self.learn(region, self._sources.digest(region))

    def learn(self, region: Region, digest: str) -> str:
        """Takes note of a digest that came from reading the region.

        InputError MB411 if it is not the known one: plan and names were made for other bytes.
        """
        if (self.known(region) or digest) != digest:
            raise InputError(changed(region.path))
        self._memo.learn(region, digest)
        return digest


def identify(
    regions: Iterable[Region], spec: ChunkSpec, sources: Sources, digests: Digests, threads: int
) -> dict[Region, Tensor]:
    """Each distinct region as a Tensor whose key is equal exactly where the bytes are."""
    distinct = list(dict.fromkeys(regions))
    wanted = [region for region in distinct if is_small(region.length, spec)]
    wanted += _probable_twins([region for region in distinct if not is_small(region.length, spec)], sources)
    with ThreadPoolExecutor(threads) as pool:
        keys = dict(zip(wanted, pool.map(lambda region: _key(region, spec, digests), wanted), strict=True))
    return {region: Tensor(keys.get(region) or _address(region), region.length) for region in distinct}


def region_of(piece: Slice, whole: Region) -> Region:
    return Region(whole.path, whole.offset + piece.start, piece.nbytes)


def _probable_twins(regions: list[Region], sources: Sources) -> list[Region]:
    same_size = _shared(regions, lambda region: region.length)
    return _shared(same_size, lambda region: (region.length, _sample(region, sources)))


def _shared(regions: Iterable[Region], mark: Callable[[Region], K]) -> list[Region]:
    """Those whose mark another one has too."""
    marked: defaultdict[K, list[Region]] = defaultdict(list)
    for region in regions:
        marked[mark(region)].append(region)
    return [region for group in marked.values() if len(group) > 1 for region in group]


def _sample(region: Region, sources: Sources) -> bytes:
    size = min(SAMPLE, region.length)
    starts = (0, (region.length - size) // 2, region.length - size)
    views = (sources.blocks(Region(region.path, region.offset + start, size)) for start in starts)
    return b"".join(bytes(block) for blocks in views for block in blocks)


def _key(region: Region, spec: ChunkSpec, digests: Digests) -> str:
    own = [digests.of(region_of(piece, region)) for piece in parts(Tensor("", region.length), spec)]
    return own[0] if len(own) == 1 else hashlib.sha256("".join(own).encode()).hexdigest()


def _address(region: Region) -> str:
    """A key that no digest equals, for bytes that no other region holds."""
    return f"{region.path}:{region.offset}:{region.length}"
