"""What exports and trainings work with, and whom they tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..cache.memo import Memo
from ..cache.store import Store
from .toolchain import Alive

Told = Callable[[str], None]


def _nobody(question: Mapping[str, Any]) -> float:
    raise NotImplementedError("who trains with a golden set says how it is judged")


@dataclass(frozen=True, slots=True)
class Desk:
    """`scratch`: gives a new folder on the cache's filesystem."""

    store: Store
    memo: Memo
    scratch: Callable[[str], str]
    alive: Alive = lambda: None
    told: Told = lambda text: None
    use_cache: bool = True
    only_known: bool = False
    """Export nothing: what is not in the cache is InputError MB357."""
    met: Callable[[tuple[str, ...]], None] = lambda paths: None
    """Gets the paths of what is read, before it is."""
    line: Told = lambda text: None
    """Gets what is to stay on the screen."""
    judge: Callable[[Mapping[str, Any]], float] = _nobody
    """The golden metric of a student's outputs: see `script/mbundle_export/examiner.py`."""
