"""Weights out of their source files into chunks: each chunk read, hashed and written once, or not touched at all.

Two threads share the chunks out; hashing, reading and writing all release the GIL. A chunk whose digest is
known without reading (from the memo) and whose file is already there costs a look at the file's stat. One that looks
like a file that is there is read once to be sure: of a model whose last layer changed, one chunk is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from ..config.schema import ChunkSpec
from ..graph.model import Model, Region
from . import names
from .cut import ALIGNMENT, Tensor, aligned
from .identify import Digests, identify, region_of
from .label import VariantId
from .layout import Plan, PlannedChunk, PlannedFile, plan
from .memo import Memo
from .placement import ChunkRef, DataFile, Placement
from .sources import Sources

INLINE_TOTAL = 32 << 10
"""Bytes. A variant with less weight than that ships as one file: a second request would cost more than it saves."""


HEAD = 4096
"""Bytes by which a chunk that is in the output already is known, with its size."""


class Staged(Protocol):
    """A file in the making."""

    def write(self, block: bytes | memoryview) -> None: ...

    def finish(self, name: str, sha256: str) -> None:
        """Gives it its name. When the output holds that name with that digest already, the file is dropped."""
        ...

    def discard(self) -> None: ...


class Target(Protocol):
    """Where chunks go; `emit.transaction.Transaction` is one. Called from several threads."""

    def have(self, name: str, sha256: str, nbytes: int) -> bool:
        """Whether the output holds that file, whole; it then belongs to this build too."""
        ...

    def resembles(self, nbytes: int, head: Callable[[], bytes]) -> bool:
        """Whether the output holds a weight file of that size that begins so."""
        ...

    def stage(self) -> Staged: ...


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of all variants with their identities, ready to be planned."""

    regions: dict[str, Region]
    """Key -> one region that holds the bytes."""
    tensors: dict[VariantId, tuple[Tensor, ...]]


def write_chunks(
    models: Mapping[VariantId, Model], spec: ChunkSpec, target: Target, memo: Memo, threads: int = 2
) -> dict[VariantId, Placement]:
    """Writes the chunks of all models and says where each weight is.

    Raises InputError (MB411, MB412) when a source file is unreadable or changes meanwhile, OutputError when a chunk
    cannot be written. The chunks are only staged: nothing is visible before the transaction commits.
    """
    sources = Sources()
    digests = Digests(sources, memo)
    weights = _identified(models, spec, sources, digests, threads)
    planned = plan(weights.tensors, spec)
    writer = _Writer(weights.regions, sources, digests, target, memo)
    refs = writer.write_all(planned, threads)
    sources.verify()
    return {variant: _placement(variant, model, weights, planned, refs) for variant, model in models.items()}


def plan_chunks(models: Mapping[VariantId, Model], spec: ChunkSpec, memo: Memo, threads: int = 2) -> Plan:
    """The chunks that `write_chunks` would make, nothing written. Reads small tensors and samples of large ones."""
    sources = Sources()
    return plan(_identified(models, spec, sources, Digests(sources, memo), threads).tensors, spec)


def _identified(
    models: Mapping[VariantId, Model], spec: ChunkSpec, sources: Sources, digests: Digests, threads: int
) -> Weights:
    chunked = {variant: _regions(model) for variant, model in models.items() if not _inline(model)}
    regions = (region for variant in sorted(chunked) for region in chunked[variant])
    identity = identify(regions, spec, sources, digests, threads)
    tensors = {variant: tuple(identity[region] for region in chunked[variant]) for variant in chunked}
    # Reversed: of several regions with the same bytes the first one is read.
    return Weights({tensor.key: region for region, tensor in reversed(identity.items())}, tensors)


def _regions(model: Model) -> tuple[Region, ...]:
    return tuple(weight.region for weight in model.weights)


def _inline(model: Model) -> bool:
    return sum(weight.region.length for weight in model.weights) < INLINE_TOTAL


@dataclass(frozen=True, slots=True)
class _Writer:
    regions: Mapping[str, Region]
    sources: Sources
    digests: Digests
    target: Target
    memo: Memo

    def write_all(self, planned: Plan, threads: int) -> list[str]:
        """sha256 of each planned chunk."""
        with ThreadPoolExecutor(threads) as pool:
            try:
                return list(pool.map(self._chunk, planned.chunks))
            except BaseException:  # Ctrl-C as well: the chunks that have not begun are not begun
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _chunk(self, chunk: PlannedChunk) -> str:
        regions = [region_of(piece, self.regions[piece.key]) for piece in chunk.slices]
        sha256 = self._foretold(regions)
        if sha256 is None and self.target.resembles(chunk.nbytes, lambda: self._head(regions[0])):
            sha256 = self._poured(regions, lambda block: None)
            self._remember(regions, sha256, chunk.nbytes)
        if sha256 is None or not self.target.have(_path(sha256), sha256, chunk.nbytes):
            sha256 = self._copy(regions)
            self._remember(regions, sha256, chunk.nbytes)
        return sha256

    def _foretold(self, regions: list[Region]) -> str | None:
        """The chunk's digest, if it follows from what is known."""
        digests = [self.digests.known(region) for region in regions]
        recipe = [digest for digest in digests if digest is not None]
        if len(recipe) < len(digests):
            return None
        if _bare(regions):
            return recipe[0]
        sha256, _ = self.memo.chunk(recipe) or (None, 0)
        return sha256

    def _copy(self, regions: list[Region]) -> str:
        staged = self.target.stage()
        try:
            sha256 = self._poured(regions, staged.write)
            staged.finish(_path(sha256), sha256)
        except BaseException:
            staged.discard()
            raise
        return sha256

    def _poured(self, regions: list[Region], write: Callable[[bytes | memoryview], None]) -> str:
        """The bytes of a chunk into `write`; their sha256."""
        sha = hashlib.sha256()
        for region in regions:
            for block in self.sources.blocks(region):
                sha.update(block)
                write(block)
            if len(regions) == 1:
                self.digests.learn(region, sha.hexdigest())
            padding = bytes(aligned(region.length) - region.length)
            sha.update(padding)
            write(padding)
        return sha.hexdigest()

    def _head(self, region: Region) -> bytes:
        head = Region(region.path, region.offset, min(HEAD, region.length))
        return b"".join(bytes(block) for block in self.sources.blocks(head))

    def _remember(self, regions: list[Region], sha256: str, nbytes: int) -> None:
        if not _bare(regions):
            recipe = [self.digests.of(region) for region in regions]
            self.memo.learn_chunk(recipe, sha256, nbytes, {region.path for region in regions})


def _bare(regions: list[Region]) -> bool:
    """Whether the chunk is one tensor (or part) and nothing else, so that their digests are one."""
    return len(regions) == 1 and regions[0].length % ALIGNMENT == 0


def _path(sha256: str) -> str:
    return f"{names.ASSETS}/{names.chunk(sha256)}"


def _placement(variant: VariantId, model: Model, weights: Weights, planned: Plan, refs: list[str]) -> Placement:
    if variant not in weights.tensors:
        return Placement((), (None,) * len(model.weights))
    places = planned.places(variant)
    data = tuple(_data_file(file, planned, refs) for file in planned.files[variant])
    return Placement(data, tuple(places[tensor.key] for tensor in weights.tensors[variant]))


def _data_file(file: PlannedFile, planned: Plan, refs: list[str]) -> DataFile:
    chunks = tuple(
        ChunkRef(names.chunk(refs[index]), offset, planned.chunks[index].nbytes, refs[index])
        for index, offset in file.chunks
    )
    return DataFile(file.path, file.nbytes, chunks, tuple((offset, nbytes) for _, offset, nbytes in file.places))
