"""What a search tried, for people: a row a trial, smallest first, and a picture of bytes against the metric."""

from __future__ import annotations

from collections.abc import Sequence

from .goal import Goal, Trial, pareto

_LABEL = 29
_WIDTH, _HEIGHT = 44, 8


def lines(trials: Sequence[Trial], goal: Goal, best: Trial | None) -> list[str]:
    """At most 62 columns: a build puts the step's name before each. `>`: the one that was taken; `*`: no smaller one is
    as accurate."""
    rows = sorted(trials, key=lambda trial: (trial.nbytes, trial.metric))
    front = pareto(rows)
    timed = any(trial.ms is not None for trial in rows)
    table = [
        _row(trial, goal, ">" if trial is best else "*" if index in front else " ", timed)
        for index, trial in enumerate(rows)
    ]
    return [*table, *_picture(rows, front, best)]


def _row(trial: Trial, goal: Goal, mark: str, timed: bool) -> str:
    verdict = "kept" if goal.reached(trial) else _reason(trial, goal)
    ms = f" {trial.ms:6.4g} ms ±{trial.spread:3.0%}" if timed and trial.ms is not None else " " * 15 * timed
    width = _LABEL - 15 * timed
    label = trial.label if len(trial.label) <= width else f"…{trial.label[1 - width :]}"
    return f"{mark} {_size(trial.nbytes):>9} {trial.metric:7.4f}{ms} {label:<{width}} {verdict}"


def _size(nbytes: int) -> str:
    """Trials are often near to each other: two decimals more than elsewhere."""
    return f"{nbytes / 1e6:.2f} MB" if nbytes >= 1e6 else f"{nbytes / 1e3:.2f} kB"


def _reason(trial: Trial, goal: Goal) -> str:
    return "too far off" if not goal.accurate(trial) else "too big" if not goal.small(trial) else "too slow"


def _picture(rows: Sequence[Trial], front: set[int], best: Trial | None) -> list[str]:
    """Bytes from left to right, the metric from bottom to top."""
    dots = [(index, trial) for index, trial in enumerate(rows) if trial.metric > float("-inf")]
    if len(dots) < 3:
        return []
    metrics, sizes = [trial.metric for _, trial in dots], [trial.nbytes for _, trial in dots]
    low, high, least, most = min(metrics), max(metrics), min(sizes), max(sizes)
    grid = [[" "] * _WIDTH for _ in range(_HEIGHT)]
    for index, trial in sorted(dots, key=lambda dot: (dot[0] in front, dot[1] is best)):
        x = round((trial.nbytes - least) / max(most - least, 1) * (_WIDTH - 1))
        y = round((trial.metric - low) / max(high - low, 1e-12) * (_HEIGHT - 1))
        grid[_HEIGHT - 1 - y][x] = ">" if trial is best else "*" if index in front else "."
    marks = [f"{high:.4f}", *[""] * (_HEIGHT - 2), f"{low:.4f}"]
    left, right = _size(least), _size(most)
    axis = f"{'':>8} └{'─' * _WIDTH}"
    feet = f"{'':>10}{left}{right:>{_WIDTH - len(left)}}"
    return [*(f"{mark:>8} │{''.join(row).rstrip()}" for mark, row in zip(marks, grid, strict=True)), axis, feet]
