"""What makes a step's result worse than what it was given. Pure functions over data; messages say it in one line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..catalogue import problem
from ..errors import MbundleError, StepError, printable
from ..graph.generation import is_cache
from ..graph.model import Model, Port
from .verify.agreement import Agreement, Tolerance, objection

SLACK = 1024
"""Bytes that a graph with fewer nodes may grow by: names and shapes that a library wrote down."""
NOISE = 1e-5
"""Of a probability: what reordering float32 arithmetic makes of it."""
FUNCTION_COSINE = 0.9
"""Nobody states a tolerance for a plain function: it may do what it wants, short of nonsense; this much is remarked."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """`code` for on_regression="error"; `reason`: half a sentence for the rollback's note."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """Tolerance of the chain so far. `max_error`: the entry's own, absolute; it replaces the loaders' defaults.
    `golden`: the least value of its golden metric that the entry asks for."""

    max_error: float | None = None
    golden: float = float("-inf")
    tolerance: Tolerance = field(default_factory=lambda: Tolerance(0.0, 1.0))
    warn_cosine: float = 1.0

    def after(self, loader: Any) -> Allowed:
        """With one more step; None is a plain function."""
        own, warn = Tolerance(), FUNCTION_COSINE
        if loader is not None:
            own = Tolerance(loader.max_error, getattr(loader, "min_cosine", -1.0))
            warn = getattr(loader, "warn_cosine", FUNCTION_COSINE)
        loosest = own.loosest(self.tolerance)
        tolerance = Tolerance(loosest.relative, loosest.cosine, self.max_error, self.golden)
        return Allowed(self.max_error, self.golden, tolerance, min(self.warn_cosine, warn))

    def as_json(self) -> list[Any]:
        t = self.tolerance
        return [str(t.relative), t.cosine, t.absolute, str(t.golden), self.warn_cosine]


def of_form(
    before: Model, after: Model, *, may_grow: bool = False, may_drop: bool = False, may_recode: bool = False
) -> Trouble | None:
    """What can be seen without running: size and signature. `may_drop`: outputs and inputs may go, not all outputs.
    `may_recode`: a KV cache may be of another type."""
    if grows(before, after) and not may_grow:
        return Trouble("MB320", growth(before, after))
    for kind in ("inputs", "outputs"):
        old, new = getattr(before.signature, kind), getattr(after.signature, kind)
        if may_drop and new:
            old = tuple(port for port in old if port.name in {port.name for port in new})
        if may_recode:
            new = tuple(_as_before(port, old) for port in new)
        difference = _ports(old, new, kind[:-1])
        if difference:
            return Trouble("MB322", difference)
    return None


def _as_before(port: Port, before: tuple[Port, ...]) -> Port:
    return next((old for old in before if old.name == port.name), port) if is_cache(port.name) else port


def grows(before: Model, after: Model) -> bool:
    return after.nbytes > before.nbytes + (SLACK if after.nodes < before.nodes else 0)


def growth(before: Model, after: Model) -> str:
    """Says it when `after` is bigger, else ""."""
    if not grows(before, after):
        return ""
    old, new = amount(before.nbytes), amount(after.nbytes)
    return (
        f"it makes the model bigger: {f'{old} to {new}' if old != new else f'by {after.nbytes - before.nbytes} bytes'}"
    )


def of_loading(error: MbundleError) -> Trouble:
    return Trouble("MB321", f"its result does not load: {error.problems[0].what}")


def of_reading(what: str) -> Trouble:
    return Trouble("MB321", f"its result cannot be used: {what}")


def of_function(agreement: Agreement | None, allowed: Allowed) -> Trouble | None:
    if agreement is None:
        return None
    reason = objection(agreement, allowed.tolerance)
    return Trouble("MB323" if agreement.broken else "MB324", reason) if reason else None


def remark(agreement: Agreement | None, allowed: Allowed, why_not: str) -> str:
    """What a step that stays has to say about its agreement, or ""."""
    if agreement is None:
        return printable(f"not compared: {why_not}", 200)
    if agreement.cosine < allowed.warn_cosine:
        return f'output "{agreement.output}" has a cosine of {agreement.cosine:.3f} with the source'
    if agreement.faint and agreement.relative > NOISE:
        return f'output "{agreement.faint}" is all but zero on all inputs: golden ones where it is not would tell more'
    return ""


def refuse(trouble: Trouble, entry: str, step: str) -> StepError:
    return StepError(problem(trouble.code, f"{step}: {trouble.reason}", entry=entry, step=step))


def _ports(before: tuple[Port, ...], after: tuple[Port, ...], kind: str) -> str:
    old, new = {port.name: port for port in before}, {port.name: port for port in after}
    if list(old) != list(new):
        gone, come = sorted(set(old) - set(new)), sorted(set(new) - set(old))
        changed = [f"without {_quoted(gone)}"] * bool(gone) + [f"with {_quoted(come)}"] * bool(come)
        return f"it changes the {kind}s: {', '.join(changed) or 'in another order'}"
    for name, port in old.items():
        if port.dtype != new[name].dtype:
            return f"it changes {kind} {_quoted([name])} from {port.dtype} to {new[name].dtype}"
        if not _fits(port, new[name], kind):
            return f"it changes the shape of {kind} {_quoted([name])} from {port.shape} to {new[name].shape}"
    return ""


def _fits(old: Port, new: Port, kind: str) -> bool:
    """An output's free dimension may become known; an input that took any size must still take it."""
    if old.shape is None or new.shape is None:
        return True
    if len(old.shape) != len(new.shape):
        return False
    narrowed = (a != b for a, b in zip(old.shape, new.shape, strict=True) if isinstance(b, int))
    known = (a != b for a, b in zip(old.shape, new.shape, strict=True) if isinstance(a, int) and isinstance(b, int))
    return not any(narrowed if kind == "input" else known)


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{printable(name, 40)}"' for name in names[:3])


def amount(nbytes: int) -> str:
    """Bytes as people read them."""
    return f"{nbytes / 1e6:.1f} MB" if nbytes >= 1e5 else f"{nbytes / 1e3:.1f} kB"
