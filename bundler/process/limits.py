"""What a child may use.

Memory is limited by RLIMIT_DATA, not RLIMIT_AS: the address space also counts read-only file mappings, stack
reservations and PROT_NONE arenas, so any limit that lets a model of several GiB be mapped would let a tensor of several
GiB be allocated. RLIMIT_DATA counts private writable pages only, which is what an Expand bomb is made of. ONNX Runtime
maps external weights private and *writable* (it never writes to them), hence `mapped`: their bytes come on top.
Linux enforces it since 4.7; on macOS the wall clock is the only limit that holds.
"""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass

GIB = 1 << 30


def _physical_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes and seconds."""

    memory: int = 4 * GIB
    """Private memory of the child, its preloaded libraries included (about 0.2 GiB)."""
    mapped: int = 0
    """Bytes of weight files that a library may map on top of `memory`."""
    wall: float = 600.0
    cpu: float | None = None
    """Over all threads. None: what all cores can spend within `wall`."""

    @classmethod
    def for_model(cls, nbytes: int) -> Limits:
        """Room for the hungriest stock tool measured (3 copies of the weights), within 90 % of the machine's memory."""
        memory = min(4 * GIB + 4 * nbytes, max(_physical_memory() * 9 // 10, GIB))
        return cls(memory=memory, mapped=2 * nbytes, wall=600.0 + nbytes / (10 << 20))

    @property
    def cpu_seconds(self) -> int:
        return max(1, round(self.cpu if self.cpu is not None else self.wall * (os.cpu_count() or 1)))

    def apply(self) -> None:
        """Put the calling process under these limits. Only soft ones for memory: `release` lifts it for the reply."""
        _set(resource.RLIMIT_CORE, 0, 0)
        _set(resource.RLIMIT_CPU, self.cpu_seconds, self.cpu_seconds + 5)
        _set(resource.RLIMIT_DATA, self.memory + self.mapped, None)

    @staticmethod
    def release() -> None:
        _set(resource.RLIMIT_DATA, None, None)


def _set(kind: int, soft: int | None, hard: int | None) -> None:
    """None: as high as the process may. A limit that is already stricter stays."""
    ceiling = resource.getrlimit(kind)[1]
    top = _lower(hard, ceiling)
    resource.setrlimit(kind, (_lower(soft, top), top))


def _lower(wanted: int | None, ceiling: int) -> int:
    if wanted is None:
        return ceiling
    return wanted if ceiling == resource.RLIM_INFINITY else min(wanted, ceiling)
