"""How much is cut: by a share of the FLOPs or of the units, and as far as the golden set allows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...config.suggest import listing
from ...errors import printable
from ...graph.model import Model
from ...process.memory import is_out_of_memory
from ..base import Context, Skip
from ..quantize_weights import chosen
from ..search.hull import Move
from ..search.trials import Trials
from ..verify.baseline import Baseline
from .families import KINDS, Cut, Kind
from .surgery import Surgery

if TYPE_CHECKING:
    from ..prune import Prune


@dataclass(frozen=True)
class _Candidate:
    surgery: Surgery
    cut: Cut

    def apply(self, model: Model, context: Context) -> Model:
        return self.surgery.without(self.cut, context.scratch)


def structured(options: Prune, model: Model, context: Context) -> Model:
    """The model with fewer heads, neurons and channels. Raises Skip when it has none, or none can go."""
    if context.samples is None or context.samples.note:
        raise Skip(f"it cannot be measured: {context.samples.note if context.samples else 'no samples'}")
    try:
        return _structured(options, model, context, context.samples)
    except Exception as error:
        if is_out_of_memory(error) or not type(error).__module__.startswith(("onnxruntime", "numpy.linalg")):
            raise
        raise Skip(printable(f"it cannot be looked into: {str(error).strip().partition(chr(10))[0]}", 200)) from error


def _structured(options: Prune, model: Model, context: Context, samples: Baseline) -> Model:
    surgery, trials = _opened(options, model, context, samples)
    line, most = _line(options, surgery)
    if options.accuracy is not None:
        most = _search(options, line[:most], surgery, trials, context)
    cut = surgery.cut_of(line[:most])
    _tell(surgery, cut, context, samples)
    return surgery.without(cut, context.scratch)


def _opened(options: Prune, model: Model, context: Context, samples: Baseline) -> tuple[Surgery, Trials]:
    names = chosen(options.tensors, model, context.entry, options.name) if options.tensors else None
    kinds = [kind for kind in KINDS if getattr(options, kind)] or KINDS
    surgery = Surgery(
        model,
        context.scratch,
        context.calibration if context.calibration is not None and context.calibration.given else samples,
        lambda family: family.kind in kinds and (names is None or any(one.weight in names for one in family.readers)),
    )
    if surgery.families:
        surgery.measure()
    if not surgery.families:
        raise Skip(_nothing(kinds, surgery))
    trials = Trials(model, context, samples, options.min_cosine)
    fixed = surgery.probe(lambda cut: trials.error(_Candidate(surgery, cut))[1])
    if len(fixed) == len(surgery.families):
        raise Skip(printable(f"nothing of it can be cut: {fixed[0]}", 200))
    return surgery, trials


def _nothing(kinds: Sequence[Kind], surgery: Surgery) -> str:
    lacking = f"it has no {listing(kinds)} that can be cut whole"
    ops = ", ".join(printable(op, 40) for op in surgery.unruled()[:3])
    return f"{lacking} ({ops}: not known what depends on what)" if ops else lacking


def _line(options: Prune, surgery: Surgery) -> tuple[list[Move], int]:
    """Moves in their order, and how many of them do what is asked for."""
    shares = {kind: getattr(options, kind) for kind in KINDS if getattr(options, kind)}
    if not shares:
        line = surgery.moves(KINDS)
        if options.structured is None:
            return line, len(line)
        left = (1 - options.structured) * surgery.flops
        share = 1 - surgery.flops_after(surgery.cut_of(line)) / surgery.flops
        lacking = f"only {share:.0%} of its FLOPs can be cut"
        return line, _least(len(line), lambda count: surgery.flops_after(surgery.cut_of(line[:count])) <= left, lacking)
    line = []
    for kind, share in shares.items():
        own = surgery.moves([kind], by_units=True)
        wanted = share * sum(family.units for family in surgery.families if family.kind == kind)
        if not own:
            raise Skip(f"it has no {kind} that can be cut whole")
        line += _first(own, wanted, surgery, kind)
    return line, len(line)


def _first(line: list[Move], wanted: float, surgery: Surgery, kind: Kind) -> list[Move]:
    """The moves that take so many units."""
    lacking = f"only {_units(surgery, line)} {kind} can be cut"
    return line[: _least(len(line), lambda count: _units(surgery, line[:count]) >= wanted, lacking)]


def _units(surgery: Surgery, line: list[Move]) -> int:
    return sum(len(list(units)) for units in surgery.cut_of(line).values())


def _least(count: int, enough: Callable[[int], bool], lacking: str) -> int:
    """The fewest moves that are enough. Raises Skip with `lacking` when all of them are not."""
    if not enough(count):
        raise Skip(lacking)
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _search(options: Prune, line: list[Move], surgery: Surgery, trials: Trials, context: Context) -> int:
    """How many moves keep the accuracy, by bisection. Raises Skip when not even one does, or none was found in time."""
    least, end = max(options.accuracy or 0, context.at_least), time.monotonic() + options.minutes * 60
    tried: list[tuple[float, float]] = []
    good, bad, middle = 0, len(line) + 1, len(line)
    while bad - good > 1 and time.monotonic() < end:
        cut = surgery.cut_of(line[:middle])
        metric = trials.of_recipe(_Candidate(surgery, cut))[1]
        tried.append((1 - surgery.flops_after(cut) / surgery.flops, metric))
        good, bad = (middle, bad) if metric >= least else (good, middle)
        middle = (good + bad) // 2
    context.detail("tried", [{"saved": round(saved, 4), "metric": metric} for saved, metric in tried])
    rows = [
        f"{saved:6.1%} fewer FLOPs {m:8.4f} {'kept' if m >= least else 'too far off'}" for saved, m in sorted(tried)
    ]
    context.detail("table", rows)
    late = bad - good > 1
    if not good:
        cut_short = f" (the search was cut after {options.minutes:g} minutes)" * late
        raise Skip(f"nothing of it can go that keeps {least:g}{cut_short}")
    if late:
        context.log(f"the search was cut after {options.minutes:g} minutes")
    return good


def _tell(surgery: Surgery, cut: Cut, context: Context, samples: Baseline) -> None:
    before, after = surgery.flops, surgery.flops_after(cut)
    units = {kind: [0, 0] for kind in KINDS}
    rows = []
    for index, family in enumerate(surgery.families):
        left = family.units - len(list(cut.get(index, ())))
        units[family.kind][0] += family.units
        units[family.kind][1] += left
        rows.append({"weight": family.name, "kind": family.kind, "before": family.units, "after": left})
    parts = [f"{was - now} of {was} {kind}" for kind, (was, now) in units.items() if now < was]
    context.log(f"{1 - after / before:.0%} fewer FLOPs ({_amount(before)} to {_amount(after)}): {', '.join(parts)} cut")
    if not samples.given:
        context.log("chosen on generated inputs: golden inputs would tell more")
    context.detail("flops", {"before": before, "after": after, "sample": surgery.sample})
    context.detail("units", {kind: pair for kind, pair in units.items() if pair[0]})
    context.detail("families", rows)


def _amount(count: int) -> str:
    size, unit = next((pair for pair in ((1e9, "G"), (1e6, "M")) if count >= pair[0]), (1e3, "k"))
    return f"{count / size:.1f} {unit}"
