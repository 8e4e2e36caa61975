"""From a built model to its line in the manifest."""

from __future__ import annotations

import hashlib
import os

from ..catalogue import problem
from ..chunks import names
from ..chunks.identify import Digests
from ..chunks.memo import BuildMemo, Memo
from ..chunks.placement import Placement
from ..chunks.sources import Sources
from ..errors import InputError
from ..graph.generation import Generation
from ..graph.model import Model, Region
from .manifest import PROVIDERS, AssetFile, FileRef, Measured, Provider, Requires, Stage, Variant
from .transaction import Transaction


def put_graph(transaction: Transaction, entry: str, variant: str, data: bytes) -> FileRef:
    """Adds the graph file of a variant to the output."""
    name = names.graph(entry, variant, hashlib.sha256(data).hexdigest())
    mark = transaction.put(f"{names.ASSETS}/{name}", data)
    return FileRef(name, mark.nbytes, mark.sha256)


def put_asset(transaction: Transaction, path: str, memo: Memo | None = None) -> AssetFile:
    """Copies a file that an entry ships beside its model. `memo` spares reading one that is in the output already.
    InputError MB411, MB412."""
    sources = Sources()
    try:
        size = os.stat(path).st_size
    except OSError as error:
        raise InputError(problem("MB412", f"Reading it failed: {error.strerror}.", file=path)) from error
    region = Region(path, 0, size)
    digests = Digests(sources, memo or BuildMemo())
    sha256 = digests.of(region)
    name = names.asset(path, sha256)
    if not transaction.have(f"{names.ASSETS}/{name}", sha256, size):
        staged = transaction.stage()
        try:
            sha = hashlib.sha256()
            for block in sources.blocks(region):
                sha.update(block)
                staged.write(block)
            digests.learn(region, sha.hexdigest())
            sources.verify()
            staged.finish(f"{names.ASSETS}/{name}", sha256)
        except BaseException:
            staged.discard()
            raise
    return AssetFile(os.path.basename(path), FileRef(name, size, sha256))


def variant(
    name: str,
    model: Model,
    graph: FileRef,
    placement: Placement,
    max_error: float | None = None,
    cosine: float | None = None,
    stages: tuple[Stage, ...] = (),
    generation: Generation | None = None,
) -> Variant:
    """`graph`: the emitted graph file; `placement`: where its weights went."""
    graphs = [stage.graph for stage in stages] or [graph]
    distinct = {chunk.file: chunk.nbytes for file in placement.data for chunk in file.chunks}
    measured = Measured(sum(one.nbytes for one in graphs) + sum(distinct.values()), max_error, cosine)
    ports = (model.signature.inputs, model.signature.outputs)
    requires = _requires(model, sum(one.nbytes for one in graphs), placement)
    where = providers(generation)
    return Variant(name, graph, placement.data, *ports, requires, measured, where, stages=stages, generation=generation)


def providers(generation: Generation | None) -> tuple[Provider, ...]:
    """onnxruntime-web 1.30 takes a GroupQueryAttention with an int8 or packed cache to the GPU, and fails there."""
    inside = generation is not None and generation.in_place and generation.dtype in ("int8", "uint8")
    return ("wasm",) if inside else PROVIDERS


def _requires(model: Model, graphs: int, placement: Placement) -> Requires:
    ports = (*model.signature.inputs, *model.signature.outputs)
    dtypes = tuple(sorted({weight.dtype for weight in model.weights} | {port.dtype for port in ports}))
    return Requires(
        ops=tuple(sorted(op for op, _ in model.ops)),
        dtypes=dtypes,
        shader_f16="float16" in dtypes,
        ir_version=model.ir_version,
        opset=dict(model.opsets).get("", 0),
        memory=graphs + sum(file.nbytes for file in placement.data),
    )
