"""How bytes get fewer on the wire: the two encoders, and by samples what they make of something long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

Encoding = Literal["br", "zstd"]
LIBRARIES: Mapping[Encoding, str] = {"br": "brotli", "zstd": "zstandard"}
FOR_WEIGHTS: Mapping[Encoding, int] = {"br": 5, "zstd": 3}
"""On weights the slow levels save nothing more and take twenty times as long."""
SAMPLES, SAMPLE = 4, 64 << 10
_WINDOW = 23
"""Browsers refuse zstd with windows above 8 MiB."""


def left_of(read: Callable[[int, int], bytes], nbytes: int, encode: Callable[[bytes], int]) -> float:
    """The share of `nbytes` that `encode` leaves, 1.0 for all of it: by samples from all over it.

    `read(offset, length)` gives bytes; `encode` says how many they become.
    """
    step = max(nbytes - SAMPLE, 0) // (SAMPLES - 1)
    starts = sorted({index * step for index in range(SAMPLES)})
    before = after = 0
    for start in starts:
        sample = read(start, min(SAMPLE, nbytes - start))
        before += len(sample)
        after += encode(sample)
    return after / before if before else 1.0


def encoded(encoding: Encoding, quality: int, nbytes: int, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """`blocks`, `nbytes` in all, piece by piece as the wire gets them."""
    encoder = _brotli(quality) if encoding == "br" else _zstd(quality, nbytes)
    step = encoder.process if encoding == "br" else encoder.compress
    for block in blocks:
        yield step(block)
    yield encoder.finish() if encoding == "br" else encoder.flush()


def _brotli(quality: int) -> Any:
    import brotli

    return brotli.Compressor(quality=quality, lgwin=_WINDOW)


def _zstd(quality: int, nbytes: int) -> Any:
    import zstandard

    chosen = zstandard.ZstdCompressionParameters.from_level(quality, source_size=nbytes)
    window = min(_WINDOW, chosen.window_log)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        quality, source_size=nbytes, window_log=window, threads=0
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compressobj()
