"""Which of some candidates nothing beats. Pure."""

from __future__ import annotations

from collections.abc import Sequence

Row = Sequence[float | None]


def front(rows: Sequence[Row]) -> list[int]:
    """Indices of the rows that no other row dominates; in each column less is better. Rows with None are left out.

    A row dominates another when it is at least as good everywhere and better somewhere; of equal rows all stay.
    """
    whole = [(index, [v for v in row if v is not None]) for index, row in enumerate(rows) if None not in row]
    return [index for index, row in whole if not any(_dominates(other, row) for _, other in whole)]


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and list(one) != list(other)
