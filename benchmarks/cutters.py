"""Three ways to cut the same weights into files named by content: ours, greedy sharding, fixed blocks.

Each returns, for a build (the weights of its entries), what a page of all entries downloads: name of a file -> bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bundler.chunks.cut import Tensor
from bundler.chunks.layout import plan
from bundler.config.schema import ChunkSpec

from .shapes import Models, Weight, digest

Files = dict[str, int]
Cutter = Callable[[Models], Files]
Stretch = tuple[str, int, int]
"""Bytes [start, end) of a content. A content that grew has the same first bytes."""

MIB = 1 << 20


def ours(spec: ChunkSpec) -> Cutter:
    def cutter(models: Models) -> Files:
        content = {_key(weight): weight.content for weights in models for weight in weights}
        variants = {
            (f"entry{number}", "v"): [Tensor(_key(weight), weight.nbytes) for weight in weights]
            for number, weights in enumerate(models)
        }
        return {
            digest([(content[piece.key], piece.start, piece.nbytes) for piece in chunk.slices]): chunk.nbytes
            for chunk in plan(variants, spec).chunks
        }

    return cutter


def greedy(max_size: int) -> Cutter:
    """Fill a shard with the next tensors until one does not fit: the way of onnx-ir and safetensors."""

    def cutter(models: Models) -> Files:
        shards = (shard for weights in models for shard in _shards(weights, max_size))
        return {digest([_whole(weight) for weight in shard]): sum(w.nbytes for w in shard) for shard in shards}

    return cutter


def fixed(block: int) -> Cutter:
    """All weights of an entry one after the other, cut every `block` bytes."""

    def cutter(models: Models) -> Files:
        blocks = (stretches for weights in models for stretches in _blocks(weights, block))
        return {digest(stretches): sum(end - start for _, start, end in stretches) for stretches in blocks}

    return cutter


def _key(weight: Weight) -> str:
    """What a digest of the bytes would be: another one when the tensor has grown."""
    return digest(weight.content, weight.nbytes)


def _whole(weight: Weight) -> Stretch:
    return (weight.content, 0, weight.nbytes)


def _shards(weights: tuple[Weight, ...], max_size: int) -> Iterator[list[Weight]]:
    shard: list[Weight] = []
    for weight in weights:
        if shard and sum(held.nbytes for held in shard) + weight.nbytes > max_size:
            yield shard
            shard = []
        shard.append(weight)
    yield shard


def _blocks(weights: tuple[Weight, ...], block: int) -> Iterator[list[Stretch]]:
    held: list[Stretch] = []
    room = block
    for weight in weights:
        start = 0
        while start < weight.nbytes:
            end = min(weight.nbytes, start + room)
            held.append((weight.content, start, end))
            room -= end - start
            start = end
            if not room:
                yield held
                held, room = [], block
    if held:
        yield held
