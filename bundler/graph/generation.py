"""Models that write one token after the other: recognised by the names that exporters give to their KV cache.

Of optimum and onnxruntime-genai: `past_key_values.N.key` [batch, heads, past tokens, head] goes in, `present.N.key`
comes out. Where the tokens go in as `decoder_input_ids`, the other inputs are those of an encoder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .dtypes import DTYPES
from .model import Port, Signature

_PAST = re.compile(r"past_key_values\.(\d+)\.(key|value)")
_PRESENT = re.compile(r"present\.(\d+)\.(key|value)")
ENCODED = "decoder_input_ids"
"""Input of an encoder-decoder for the tokens written so far."""
_SESSION = re.compile(r"kv_cache_in_([48])_bits")
"""Name of a cache's last dimension where a session on WebGPU decides on it."""
_BITS = {kind.name: kind.bits for kind in DTYPES.values()}


@dataclass(frozen=True, slots=True)
class Generation:
    """`heads`: of keys and values, not of queries; `dtype`: of the cache; `cache`: (past input, present output) each.
    `bytes_per_token`: what one more token adds to the cache. `words`, `end`: size of the vocabulary (0: not known), and
    the tokens that end a text. `start`: what the decoder of an encoder-decoder begins with, empty: not known, None: the
    model is none. `suppressed`: tokens that are never written. `in_place`: past and present may be one buffer, as long
    as the longest text. `webgpu_bits`: what a session on WebGPU shall keep of each value, 4 or 8; 0: all of it."""

    layers: int
    heads: int
    head: int
    dtype: str
    bytes_per_token: int
    cache: tuple[tuple[str, str], ...]
    words: int = 0
    end: tuple[int, ...] = field(default=())
    start: tuple[int, ...] | None = None
    suppressed: tuple[int, ...] = ()
    in_place: bool = False
    webgpu_bits: int = 0


@dataclass(frozen=True, slots=True)
class Texts:
    """What is said about the tokens of texts beside a model: as in `Generation`, None of `start` apart."""

    end: tuple[int, ...] = ()
    start: tuple[int, ...] = ()
    suppressed: tuple[int, ...] = ()


_UNSAID = Texts()


def present_of(past: str) -> str:
    """Name of the output that continues the input `past`; "" for an input that is no cache."""
    found = _PAST.fullmatch(past)
    return f"present.{found[1]}.{found[2]}" if found else ""


def is_cache(name: str) -> bool:
    """Whether an input or output of this name is one of a KV cache."""
    return bool(_PAST.fullmatch(name) or _PRESENT.fullmatch(name))


def width_in(bits: int) -> str:
    """What the last dimension of a cache is called that a session on WebGPU may keep in `bits` bits a value."""
    return f"kv_cache_in_{bits}_bits"


def has_encoder(signature: Signature) -> bool:
    """Whether a model with such a cache is an encoder and its decoder."""
    return ENCODED in {port.name for port in signature.inputs} and generation_of(signature, signature) is not None


def generation_of(signature: Signature, source: Signature, texts: Texts = _UNSAID) -> Generation | None:
    """None: no decoder with past, or one of another shape. `source`: before the cache was given another form."""
    outputs = {port.name: port for port in signature.outputs}
    inputs = {port.name for port in signature.inputs}
    past = [port for port in signature.inputs if present_of(port.name)]
    if not past or not all(_grows(port, outputs.get(present_of(port.name))) for port in past):
        return None
    if not inputs.intersection(("input_ids", ENCODED)) or "logits" not in outputs:
        return None
    before = {port.name: port for port in source.inputs}
    bits = _session_bits(past[0])
    widths = [_size(before.get(port.name, port) if bits else port, 3) for port in past]
    last = (outputs["logits"].shape or (0,))[-1]
    return Generation(
        len(past) // 2,
        _size(past[0], 1),
        _size(before.get(past[0].name, past[0]), 3),
        past[0].dtype,
        sum(_size(port, 1) * width * _BITS[port.dtype] // 8 for port, width in zip(past, widths, strict=True)),
        tuple((port.name, present_of(port.name)) for port in past),
        last if isinstance(last, int) else 0,
        texts.end,
        texts.start if ENCODED in inputs else None,
        texts.suppressed,
        {(port.name, present_of(port.name)) for port in past} == set(signature.in_place),
        bits,
    )


def _session_bits(port: Port) -> int:
    found = _SESSION.fullmatch(str(port.shape[3])) if port.shape else None
    return int(found[1]) if found else 0


def _size(port: Port, axis: int) -> int:
    size = port.shape[axis] if port.shape else 0
    return size if isinstance(size, int) else 0


def _grows(past: Port, present: Port | None) -> bool:
    """Whether they are [batch, heads, tokens, head] of one type, with tokens free."""
    if present is None or past.shape is None or len(past.shape) != 4 or past.dtype not in _BITS:
        return False
    wide = _size(past, 3) > 0 or _session_bits(past) > 0
    fixed = _size(past, 1) > 0 and wide and not isinstance(past.shape[2], int)
    return fixed and present.dtype == past.dtype
