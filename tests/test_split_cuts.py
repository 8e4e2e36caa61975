"""The search for cuts: pure, over made-up graphs, against all possible cuts where there are few."""

from __future__ import annotations

import math
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.split import cuts
from bundler.split.cuts import Uncuttable
from bundler.split.nodes import Node, Nodes


@st.composite
def graphs(draw: st.DrawFn, most: int = 12) -> tuple[Nodes, dict[str, float], dict[object, int]]:
    """A graph whose nodes take values of earlier ones, sizes of most values, and of weights, which they share."""
    count = draw(st.integers(2, most))
    weights: dict[object, int] = {f"w{n}": draw(st.integers(1, 50)) for n in range(draw(st.integers(1, 6)))}
    nodes = []
    for index in range(count):
        earlier = st.sampled_from([f"v{n}" for n in range(index)]) if index else st.nothing()
        takes = draw(st.frozensets(earlier, max_size=3)) if index else frozenset[str]()
        held = draw(st.frozensets(st.sampled_from(sorted(map(str, weights))), max_size=2))
        nodes.append(Node(index, takes, (f"v{index}",), held))
    sizes = {f"v{n}": float(draw(st.integers(1, 4000))) for n in range(count) if draw(st.integers(0, 9))}
    return Nodes(tuple(nodes), (f"v{count - 1}",), ()), sizes, weights


def toll(graph: Nodes, sizes: dict[str, float], position: int) -> float:
    """What crosses a cut, from its definition."""
    made = {name for node in graph.nodes[:position] for name in node.makes}
    over = made & {name for node in graph.nodes[position:] for name in node.takes}
    return sum(sizes.get(name, math.inf) + cuts.PORT for name in over)


def held(graph: Nodes, weights: dict[object, int], start: int, end: int) -> int:
    return sum(weights[one] for one in {w for node in graph.nodes[start:end] for w in node.weights})


@given(graphs())
def test_what_crosses_each_cut(drawn: tuple[Nodes, dict[str, float], dict[object, int]]) -> None:
    graph, sizes, _ = drawn
    found = cuts.crossing(graph, sizes)
    assert found == [toll(graph, sizes, position) for position in range(len(graph.nodes) + 1)]


@given(graphs(), st.integers(20, 200))
def test_stages_within_a_bound_cross_as_little_as_any(
    drawn: tuple[Nodes, dict[str, float], dict[object, int]], bound: int
) -> None:
    graph, sizes, weights = drawn
    costs = cuts.crossing(graph, sizes)
    count = len(graph.nodes)

    def fits(start: int, end: int) -> bool:
        alone = sum(bool(node.weights) for node in graph.nodes[start:end]) <= 1
        return alone or held(graph, weights, start, end) <= bound

    ways = [
        sum(costs[at] for at in chosen)
        for number in range(count)
        for chosen in combinations(range(1, count), number)
        if all(fits(a, b) for a, b in zip((0, *chosen), (*chosen, count), strict=True))
    ]
    best = min(ways, default=math.inf)
    loads = [node.weights for node in graph.nodes]
    if best == math.inf:
        with pytest.raises(Uncuttable):
            cuts.within(costs, loads, weights, bound)
        return
    stages = cuts.within(costs, loads, weights, bound)
    ends = [0, *(at for at in range(1, count) if stages[at] != stages[at - 1]), count]
    assert stages == sorted(stages)
    assert all(fits(a, b) for a, b in pairwise(ends))
    assert sum(costs[at] for at in ends[1:-1]) == pytest.approx(best)


@given(graphs(), st.integers(2, 4))
def test_as_many_stages_as_asked_for(drawn: tuple[Nodes, dict[str, float], dict[object, int]], wanted: int) -> None:
    graph, sizes, weights = drawn
    costs = cuts.crossing(graph, sizes)
    try:
        stages = cuts.into(costs, [node.weights for node in graph.nodes], weights, wanted)
    except Uncuttable:
        return
    assert stages == sorted(stages)
    assert set(stages) == set(range(wanted))
    assert all(costs[at] < math.inf for at in range(1, len(stages)) if stages[at] != stages[at - 1])


def test_equal_layers_are_shared_out_equally() -> None:
    nodes = [
        Node(n, frozenset([f"v{n - 1}"]) if n else frozenset(), (f"v{n}",), frozenset([f"w{n}"])) for n in range(12)
    ]
    graph = Nodes(tuple(nodes), ("v11",), ())
    costs = cuts.crossing(graph, {f"v{n}": 1000.0 for n in range(12)})
    found = cuts.into(costs, [node.weights for node in nodes], {f"w{n}": 10 for n in range(12)}, 4)
    assert found == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


@given(graphs(), st.data())
def test_by_names_each_stage_needs_earlier_ones_only(
    drawn: tuple[Nodes, dict[str, float], dict[object, int]], data: st.DataObject
) -> None:
    graph, _, _ = drawn
    names = data.draw(st.lists(st.sampled_from([n.makes[0] for n in graph.nodes]), min_size=1, max_size=3, unique=True))
    try:
        found = cuts.by_names(graph, names)
    except Uncuttable:
        return
    of = {node.makes[0]: stage for node, stage in zip(graph.nodes, found, strict=True)}
    assert all(of[taken] <= of[node.makes[0]] for node in graph.nodes for taken in node.takes)
    assert [of[name] for name in names] == list(range(len(names)))
