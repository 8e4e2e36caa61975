"""What a benchmark measures, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Device = Literal["wasm", "wasm-threads", "webgpu", "native"]
DEVICES: tuple[Device, ...] = ("wasm", "wasm-threads", "webgpu")
"""In a browser. "wasm": one thread; "wasm-threads": one for each core."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What figures depend on. `network`: a key of `serve.networks.NETWORKS`; `cpu`: times slower."""

    network: str | None = None
    cpu: float = 1.0
    rounds: int = 5
    warmup: int = 3
    runs: int = 20
    """Inferences that are timed in a visit."""

    def key(self) -> dict[str, Any]:
        """Figures of equal keys may be joined."""
        return {"network": self.network, "cpuThrottle": self.cpu}

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing to measure. `variant` None: the source, from one URL."""

    entry: str
    variant: str | None
    device: Device

    @property
    def label(self) -> str:
        return f"{self.entry}/{self.variant or 'source'} on {self.device}"


def rounds(subjects: Sequence[Subject], count: int) -> Iterator[tuple[int, Subject]]:
    """All subjects `count` times, in turn; each round begins with another one, so that drift of the machine and the
    place after a heavy neighbour hit all alike."""
    for turn in range(count):
        start = turn % max(1, len(subjects))
        for subject in (*subjects[start:], *subjects[:start]):
            yield turn, subject
