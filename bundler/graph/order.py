"""Orders the nodes of one graph so that each comes after those whose results it uses.

onnxruntime runs an unordered file; onnx's checker and onnxsim refuse it. So we sort, keeping the given order
wherever it does not matter, and name the nodes of a cycle when there is one.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)


def is_sorted(needs: Sequence[Iterable[Name]], makers: Mapping[Name, int]) -> bool:
    """`needs[i]`: names that node i uses; `makers[name]`: the node that makes it."""
    return all(makers.get(name, -1) < index for index, names in enumerate(needs) for name in names)


def sorted_order(needs: Sequence[Iterable[Name]], makers: Mapping[Name, int]) -> tuple[list[int], list[int]]:
    """A stable topological order of the nodes, and a cycle (in order of use) when there is one; else an empty list."""
    before = [{makers[name] for name in names if name in makers} for names in needs]
    after: list[list[int]] = [[] for _ in needs]
    for index, sources in enumerate(before):
        for source in sources:
            after[source].append(index)
    waiting = [len(sources) for sources in before]
    ready = [index for index, count in enumerate(waiting) if not count]
    order: list[int] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for user in after[index]:
            waiting[user] -= 1
            if not waiting[user]:
                heapq.heappush(ready, user)
    return order, _cycle(before, set(range(len(before))) - set(order))


def _cycle(before: list[set[int]], stuck: set[int]) -> list[int]:
    """Some cycle among the nodes that no order reaches: each of those has a source that is stuck as well."""
    if not stuck:
        return []
    path: list[int] = []
    position: dict[int, int] = {}
    node = min(stuck)
    while node not in position:
        position[node] = len(path)
        path.append(node)
        node = min(before[node] & stuck)
    return path[position[node] :][::-1]
