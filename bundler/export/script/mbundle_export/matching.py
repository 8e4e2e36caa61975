"""How far the student's outputs are from the teacher's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .pupil import kept_layers
from .request import Refused

HEAT = 2.0
"""Temperature of logits: what the teacher holds for second best is half of what it knows."""
INNER = 0.3
"""Weight of the hidden states between, which lead there and are no end in themselves."""


def outputs_of(model: Any, feeds: Mapping[str, Any], names: Sequence[str] = ()) -> dict[str, Any]:
    """Name -> tensor, "hidden" -> list of hidden states where the model tells them. A single tensor gets the first of
    `names`."""
    found = model(**feeds, **({"output_hidden_states": True} if hasattr(model, "config") else {}))
    if hasattr(found, "detach"):
        return {names[0] if names else "output": found, "hidden": []}
    if isinstance(found, tuple | list):
        found = dict(zip(names, found, strict=False))
    tensors = {name: one for name, one in found.items() if hasattr(one, "detach") and one.is_floating_point()}
    tensors.pop("loss", None)
    if "last_hidden_state" in tensors:
        tensors.pop("pooler_output", None)  # made of that
    return tensors | {"hidden": list(found.get("hidden_states") or ())}


def refuse_others(student: Mapping[str, Any], teacher: Mapping[str, Any]) -> None:
    """Refused "student" where one of the teacher's outputs is not there, or has another shape."""
    for name in teacher.keys() - {"hidden"}:
        if name not in student:
            has = ", ".join(one for one in student if one != "hidden") or "none"
            raise Refused("student", f"it has no output {name} as the teacher has; it has {has}")
        mine, theirs = tuple(student[name].shape), tuple(teacher[name].shape)
        if mine != theirs:
            raise Refused("student", f"its {name} has the shape {mine} where the teacher's has {theirs}")


def loss(student: Mapping[str, Any], teacher: Mapping[str, Any], feeds: Mapping[str, Any]) -> Any:
    """A scalar; zero where all is equal."""
    mask = feeds.get("attention_mask")
    total = sum(_output(name, student[name], teacher[name], mask) for name in teacher if name != "hidden")
    pairs = _pairs(student["hidden"], teacher["hidden"])
    if pairs:
        total = total + INNER * sum(_distance(*pair, mask) for pair in pairs) / len(pairs)
    return total


def _pairs(mine: Sequence[Any], theirs: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Hidden states of the layers but the last, which is the output, where they are of one width."""
    few, many = len(mine) - 1, len(theirs) - 1
    if not 0 < few <= many:
        return []
    places = [(index + 1, layer + 1) for index, layer in enumerate(kept_layers(many, few)[:-1])]
    return [(mine[a], theirs[b]) for a, b in places if mine[a].shape == theirs[b].shape]


def _output(name: str, mine: Any, theirs: Any, mask: Any) -> Any:
    from torch.nn import functional

    total = _distance(mine, theirs, mask)
    if name.endswith("logits") and theirs.shape[-1] > 1:
        logs = [functional.log_softmax(one / HEAT, -1) for one in (mine, theirs)]
        apart = functional.kl_div(*logs, log_target=True, reduction="none").sum(-1)
        total = total + HEAT**2 * _mean(apart, mask)
    elif name == "last_hidden_state" and mine.dim() == 3:
        total = total + _meaning(mine, theirs, mask)
    return total


def _distance(mine: Any, theirs: Any, mask: Any) -> Any:
    """Mean squared difference, relative to what the teacher's numbers have of variance."""
    square = (mine - theirs).pow(2)
    square = square.mean(-1) if square.dim() > 2 else square
    scale = theirs.var(unbiased=False).clamp_min(1e-6)
    return _mean(square, mask) / scale


def _mean(values: Any, mask: Any) -> Any:
    """Over what is no padding."""
    if mask is None or values.dim() < 2 or values.shape[:2] != mask.shape:
        return values.mean()
    weights = mask.to(values.dtype).reshape(*mask.shape, *[1] * (values.dim() - 2)).expand_as(values)
    return (values * weights).sum() / weights.sum().clamp_min(1)


def _meaning(mine: Any, theirs: Any, mask: Any) -> Any:
    """Of the mean vectors of texts or images: their direction, and how near they are to one another."""
    from torch.nn import functional

    a, b = (functional.normalize(pooled(one, mask), dim=-1) for one in (mine, theirs))
    turned = 1 - (a * b).sum(-1).mean()
    return turned + (a @ a.T - b @ b.T).pow(2).mean() * len(a) ** 0.5


def pooled(states: Any, mask: Any) -> Any:
    if mask is None or mask.shape != states.shape[:2]:
        return states.mean(1)
    weights = mask.to(states.dtype)[..., None]
    return (states * weights).sum(1) / weights.sum(1).clamp_min(1)


class Agreement:
    """The cosine similarity of each output over all batches that were seen; the worst of them counts."""

    def __init__(self) -> None:
        self._sums: dict[str, list[float]] = {}

    def add(self, teacher: Mapping[str, Any], student: Mapping[str, Any], feeds: Mapping[str, Any]) -> None:
        mask = feeds.get("attention_mask")
        for name, theirs in teacher.items():
            mine = student[name]
            if mask is not None and theirs.dim() == 3 and theirs.shape[:2] == mask.shape:
                mine, theirs = mine[mask.bool()], theirs[mask.bool()]
            a, b = mine.double().flatten(), theirs.double().flatten()
            sums = self._sums.setdefault(name, [0.0, 0.0, 0.0])
            for index, pair in enumerate(((a, b), (a, a), (b, b))):
                sums[index] += float(pair[0] @ pair[1])

    def value(self) -> float:
        return min(ab / (aa * bb) ** 0.5 if aa and bb else 0.0 for ab, aa, bb in self._sums.values())
