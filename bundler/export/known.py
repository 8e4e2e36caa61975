"""For commands that look at a source model: where that is, if a build has made it of a checkpoint."""

from __future__ import annotations

from ..cache.location import cache_folder
from ..cache.memo import Memo
from ..cache.store import Store
from ..config.schema import EntrySpec
from .desk import Desk
from .ensure import ensure


def model_path(entry: EntrySpec, root: str) -> str:
    """Absolute path of the entry's .onnx file. Exports nothing: InputError MB357 where a build has yet to do that."""
    if entry.export is None:
        return entry.source_path
    with Store(cache_folder(root)) as store:
        desk = Desk(store, Memo(store), store.scratch, only_known=True)
        return ensure(entry, desk).entry.source_path
