"""How native libraries say that an allocation failed: each in words of its own."""

from __future__ import annotations

import errno

_WORDS = ("bad_alloc", "failed to allocate memory", "cannot allocate memory", "out of memory", "unable to allocate")


def says_out_of_memory(text: str) -> bool:
    lowered = text.lower()
    return any(words in lowered for words in _WORDS)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error`, raised by Python or a native library, means that the memory limit was reached."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return says_out_of_memory(str(error))
