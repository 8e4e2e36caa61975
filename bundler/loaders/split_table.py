"""A table as two: the rows that are looked up often with 8 bits, the others with few."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph.dtypes import NUMBERS
from ..graph.edit import Edit
from ..graph.model import Weight
from .calibrated import pieces
from .kernels.blocks import Blocks
from .kernels.tiles import Array
from .nodes import make_node
from .packing import Packer

_MICROSOFT = "com.microsoft"


class SplitTable:
    """`rows`: those with 8 bits, sorted. `whole`: whether all rows could be packed."""

    def __init__(self, edit: Edit, packer: Packer, weight: Weight, rows: Array, kind: Blocks) -> None:
        self._edit, self._weight, self._kind, self._count = edit, weight, kind, len(rows)
        often, seldom = pieces(rows, weight.shape[0])
        self._order = np.argsort(np.concatenate([often, seldom]), kind="stable")
        """Row of the table -> its place: in the first of the two, or behind all of that in the second."""
        self._often = packer.rows(packer.selected(weight, often, "often"), 1, dtype="float32")
        rest = packer.selected(weight, seldom, "seldom")
        self._seldom = packer.compensated(rest, kind, None, transposed=True, dtype="float16")
        self.whole = self._often is not None and self._seldom is not None
        if self.whole:
            packer.done.add(weight.name)

    def nodes(self, node: Any) -> list[Any]:
        """What stands for a Gather from the table along its first axis."""
        often, seldom = self._often, self._seldom
        assert often is not None
        assert seldom is not None
        edit, stem = self._edit, node.output[0]
        edit.need(_MICROSOFT, 1)
        name = {part: edit.fresh(f"{stem}_{part}") for part in _PARTS}
        first, last, zero, axis = (
            edit.put(f"{stem}_{what}", np.array(value, np.int64))
            for what, value in (("count", self._count), ("end", self._count - 1), ("zero", 0), ("axis", [-1]))
        )
        shape = (seldom.n, seldom.k * self._kind.bits // 8)
        table = edit.refer(f"{self._weight.name}_table", "uint8", shape, seldom.region)
        inputs = [table, name["behind"], seldom.scales] + [seldom.zeros] * bool(seldom.zeros)
        numbers = {"bits": self._kind.bits, "block_size": self._kind.size, "gather_axis": 0, "quantize_axis": 1}
        return [
            make_node("Gather", [self._places(), node.input[1]], name["small"], node.name),
            make_node("Cast", [name["small"]], name["place"], to=NUMBERS["int64"]),
            make_node("Less", [name["place"], first], name["is_often"]),
            make_node("Unsqueeze", [name["is_often"], axis], name["mask"]),
            make_node("Min", [name["place"], last], name["before"]),
            make_node("Gather", [often.values, name["before"]], name["integers"]),
            make_node("Cast", [name["integers"]], name["floats"], to=NUMBERS["float32"]),
            make_node("Gather", [often.scales, name["before"]], name["scales"]),
            make_node("Mul", [name["floats"], name["scales"]], name["often"]),
            make_node("Sub", [name["place"], first], name["rest"]),
            make_node("Max", [name["rest"], zero], name["behind"]),
            make_node("GatherBlockQuantized", inputs, name["half"], "", _MICROSOFT, **numbers),
            make_node("Cast", [name["half"]], name["seldom"], to=NUMBERS["float32"]),
            make_node("Where", [name["mask"], name["often"], name["seldom"]], node.output[0]),
        ]

    def _places(self) -> str:
        small = len(self._order) <= np.iinfo(np.int16).max
        return self._edit.put(f"{self._weight.name}_places", self._order.astype(np.int16 if small else np.int32))


_PARTS = (
    "small", "place", "is_often", "mask", "before", "integers", "floats", "scales", "often", "rest", "behind", "half",
    "seldom",
)  # fmt: skip
