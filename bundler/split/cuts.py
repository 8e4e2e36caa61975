"""Where to cut: pure functions from nodes and sizes to a stage for each node.

A cut before node p of the order divides it in two; what is made before and taken after must be handed on. Stages are
runs of the order, so a stage needs earlier ones only. Dynamic programming finds the cheapest cuts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from statistics import median

from .nodes import Node, Nodes

PORT = 256
"""Bytes that each crossing value is counted as in addition: a boundary of few names is the simpler one."""


class Uncuttable(Exception):
    """Half a sentence: why there is no such cut."""


def by_names(graph: Nodes, names: Sequence[str]) -> list[int]:
    """A stage for each node: all that `names[0]` needs, what `names[1]` needs beyond that, ..., the rest.

    Uncuttable."""
    maker = {made: node for node in graph.nodes for made in node.makes}
    stage: dict[int, int] = {}
    for name in names:
        before = len(stage)
        number = max(stage.values(), default=-1) + 1
        for node in _ancestors(name, maker, stage):
            stage[node.index] = number
        if len(stage) == before:
            raise Uncuttable(f'"{name}" is made before the cuts that are named before it')
    rest = max(stage.values(), default=-1) + 1
    found = [stage.get(node.index, rest) for node in graph.nodes]
    if max(found) == 0:
        raise Uncuttable("all of the model comes before that cut")
    return found


def by_inputs(graph: Nodes, names: Collection[str]) -> list[int]:
    """A stage for each node: 1 for all that depends on one of these inputs, 0 for the rest. Uncuttable."""
    moved: set[str] = set()
    found: list[int] = []
    for node in graph.nodes:
        found.append(int(not moved.isdisjoint(node.takes) or not node.feeds.isdisjoint(names)))
        if found[-1]:
            moved.update(node.makes)
    if len(set(found)) < 2:
        raise Uncuttable("nothing of it is done before the decoder's first token")
    return found


def _ancestors(name: str, maker: Mapping[str, Node], known: Mapping[int, int]) -> list[Node]:
    found: dict[int, Node] = {}
    waiting = [maker[name]]
    while waiting:
        node = waiting.pop()
        if node.index not in known and node.index not in found:
            found[node.index] = node
            waiting += [maker[taken] for taken in node.takes]
    return list(found.values())


def crossing(graph: Nodes, sizes: Mapping[str, float]) -> list[float]:
    """For each p from 0 to n the bytes that cross a cut before node p; infinite where a value has no size: such a value
    cannot leave a stage. `sizes`: bytes by value."""
    last: dict[str, int] = {}
    for position, node in enumerate(graph.nodes):
        last.update(dict.fromkeys(node.takes, position))
    finite = [0.0] * (len(graph.nodes) + 2)
    barred = [0.0] * (len(graph.nodes) + 2)
    for position, node in enumerate(graph.nodes):
        for name in node.makes:
            end = last.get(name, position)
            size = sizes.get(name)
            step, amount = (barred, 1.0) if size is None else (finite, size + PORT)
            step[position + 1] += amount
            step[end + 1] -= amount
    return _running(finite, barred, len(graph.nodes))


def _running(finite: list[float], barred: list[float], count: int) -> list[float]:
    found, size, bars = [], 0.0, 0.0
    for position in range(count + 1):
        size += finite[position]
        bars += barred[position]
        found.append(math.inf if bars else size)
    found[0] = found[count] = 0.0
    return found


Loads = Sequence[frozenset[Hashable]]
"""For each node the things that it holds; one that several nodes of a stage hold counts once."""


def into(costs: Sequence[float], loads: Loads, sizes: Mapping[Hashable, int], stages: int) -> list[int]:
    """A stage for each node: exactly `stages` of them, of about equal size where little crosses. Uncuttable.

    A cut costs its crossing bytes over those of a usual cut; a stage, the square of its size over an equal share, times
    _EVEN: handing on a few kilobytes more is less of a loss than a stage that hardly holds anything.
    """
    places = _places(costs, loads, _MOST_EVEN)
    usual = max(1.0, median([cost for cost in costs[1:-1] if cost < math.inf] or [1.0]))
    share = max(1.0, sum(sizes[one] for one in {one for load in loads for one in load}) / stages)
    amounts = _amounts(places, loads, sizes, math.inf)

    def price(start: int, end: int) -> float:
        return _EVEN * (amounts[start][end] / share) ** 2 + costs[places[end]] / usual

    best: _Best = {0: (0.0, [])}
    for _ in range(stages):
        best = _further(best, price, len(places))
    if len(places) - 1 not in best:
        raise Uncuttable(f"it has no {stages - 1} places where only tensors of numbers cross")
    return _stages([places[index] for index in best[len(places) - 1][1]])


def within(costs: Sequence[float], loads: Loads, sizes: Mapping[Hashable, int], bound: int) -> list[int]:
    """A stage for each node: none holds more than `bound` bytes, but for the sake of one operator that does so alone,
    and the least bytes cross in all. Uncuttable."""
    places = _places(costs, loads, _MOST)
    amounts = _amounts(places, loads, sizes, bound)
    best: _Best = {0: (0.0, [])}
    for start in range(len(places) - 1):
        if start in best:
            _reach(best, start, amounts[start], costs, places)
    if len(places) - 1 not in best:
        raise Uncuttable("between such cuts values would cross that are no tensors of numbers")
    return _stages([places[index] for index in best[len(places) - 1][1]])


_EVEN = 4.0
_MOST_EVEN, _MOST = 300, 3000
"""Places that are looked at: the search is quadratic."""
_Best = dict[int, tuple[float, list[int]]]
"""Index of a place where a stage ends -> what the way there costs, and the ends of the stages on it."""


def _further(best: _Best, price: Callable[[int, int], float], count: int) -> _Best:
    """One stage more than `best`. Of equal ways the one with the earlier cuts."""
    found: _Best = {}
    for start, (cost, ends) in best.items():
        for end in range(start + 1, count):
            whole = cost + price(start, end)
            if whole < math.inf and (end not in found or whole < found[end][0]):
                found[end] = (whole, [*ends, end])
    return found


def _reach(best: _Best, start: int, amounts: Mapping[int, int], costs: Sequence[float], places: Sequence[int]) -> None:
    cost, ends = best[start]
    for end in amounts:
        whole = (cost + costs[places[end]], [*ends, end])
        if whole[0] < math.inf and (end not in best or (whole[0], len(whole[1])) < (best[end][0], len(best[end][1]))):
            best[end] = whole


def _places(costs: Sequence[float], loads: Loads, most: int) -> list[int]:
    """Positions worth a cut, both ends included: of those between the same two nodes with weights the cheapest."""
    ranks = [0]
    for load in loads:
        ranks.append(ranks[-1] + bool(load))
    cheapest: dict[int, int] = {}
    for position in range(1, len(costs) - 1):
        bucket = ranks[position] * most // max(most, ranks[-1])
        if bucket not in cheapest or costs[position] < costs[cheapest[bucket]]:
            cheapest[bucket] = position
    return [0, *sorted(at for at in cheapest.values() if costs[at] < math.inf), len(costs) - 1]


def _amounts(places: Sequence[int], loads: Loads, sizes: Mapping[Hashable, int], bound: float) -> list[dict[int, int]]:
    """For each place the amounts between it and each later place, as far as they are within `bound` or there is nothing
    to cut between."""
    index = {place: number for number, place in enumerate(places)}
    found: list[dict[int, int]] = []
    for start in places:
        row: dict[int, int] = {}
        seen: set[Hashable] = set()
        amount, holders = 0, 0
        for position in range(start, len(loads)):
            fresh = loads[position] - seen
            amount += sum(sizes[one] for one in fresh)
            seen |= fresh
            holders += bool(loads[position])
            if amount > bound and holders > 1:
                break
            if position + 1 in index:
                row[index[position + 1]] = amount
        found.append(row)
    return found


def _stages(ends: Sequence[int]) -> list[int]:
    starts = [0, *ends[:-1]]
    return [stage for stage, (start, end) in enumerate(zip(starts, ends, strict=True)) for _ in range(end - start)]
