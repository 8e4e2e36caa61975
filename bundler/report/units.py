"""Numbers as people read them. kB is 1000 bytes, as in Vite's table and in browsers' network panels."""

from __future__ import annotations


def size(nbytes: int) -> str:
    """1234567 -> "1.23 MB"."""
    if nbytes < 1000:
        return f"{nbytes} B"
    value, unit = float(nbytes), "B"
    for unit in ("kB", "MB", "GB", "TB"):  # noqa: B007  the unit reached is what is printed
        value /= 1000
        if value < 999.995:
            break
    return f"{value:.2f} {unit}"


def duration(seconds: float) -> str:
    """0.0123 -> "12 ms"; 3.456 -> "3.5 s"; 75 -> "1 min 15 s"."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def change(before: int, after: int) -> str:
    """Relative change in size: "-74 %"; empty when it rounds to nothing."""
    if not before or before == after:
        return ""
    percent = round(100 * (after - before) / before)
    return f"{percent:+d} %" if percent else ""


def plural(count: int, noun: str, many: str = "") -> str:
    return f"{count} {noun if count == 1 else many or noun + 's'}"
