"""Slow networks by name.

Figures of Chrome's DevTools (`slow-4g`, its former "Fast 3G") and of WebPageTest (the others: 3GSlow, 3G, 4G, LTE,
Cable, FIOS). The download rate and, once a request, the latency are felt; requests are too small for the upload rate to
matter.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Network:
    """`down`: bits per second; `latency`: seconds before the first byte of an answer."""

    down: int
    latency: float

    def __str__(self) -> str:
        return f"{self.down / 1e6:g} Mbit/s, {self.latency * 1e3:g} ms"


NETWORKS = {
    "slow-3g": Network(400_000, 0.4),
    "3g": Network(1_600_000, 0.3),
    "slow-4g": Network(1_440_000, 0.5625),
    "4g": Network(9_000_000, 0.17),
    "lte": Network(12_000_000, 0.07),
    "cable": Network(5_000_000, 0.028),
    "fios": Network(20_000_000, 0.004),
}
