"""Results of loader steps, kept and found again.

    steps/ab/cdef….json   a sealed record: key and its parts, the result's graph digest, the blobs, the step's record
    blobs/…               the result without its weights (`model_blob`), and those weights that the source lacks

A library hands back the whole model although it changed three tensors; weights whose digest the source has are stored
as that digest, so an entry costs what its step changed, and a model whose source moved is still a hit.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..graph.model import Model, Region
from . import model_blob
from .blob import Blob, BlobWriter
from .keys import Key, graph_digest
from .memo import Memo
from .store import Store

KIND = "step"
_BLOCK = 1 << 20
_ALIGN = 64
"""Bytes. Kernels read mapped weights in place, with aligned loads."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A record that was found. `digest` is the graph digest of the result, so a chain can walk on without loading."""

    key: Key
    digest: str
    model: Blob
    weights: Blob | None
    record: Mapping[str, Any]
    """What the chain said of the step when it ran: sizes, seconds, agreement. JSON values."""


class Steps:
    """See the module's header."""

    def __init__(self, store: Store, memo: Memo) -> None:
        self.store = store
        self.memo = memo

    def find(self, key: Key) -> Saved | None:
        """What is stored under `key`, its blobs not looked at yet; None is a miss. Counts as a use for `gc`."""
        path = record_path(key.hex)
        with contextlib.suppress(OSError):
            os.utime(os.path.join(self.store.folder, path))  # before reading it: see gc._remove
        value = self.store.get_record(path, KIND)
        if value is None:
            return None
        try:
            saved = parse(value)
        except (KeyError, TypeError, ValueError):
            saved = None
        if saved is None or saved.key.hex != key.hex:
            self.store.discard(os.path.join(self.store.folder, path), "it belongs to another key")
            return None
        return saved

    def load(self, key: Key, source: Model) -> tuple[Model, Mapping[str, Any]] | None:
        """The result of the step and its record, every byte verified; None is a miss.

        source: the entry's model before the first step; weights that no step touched are found there.
        """
        saved = self.find(key)
        return None if saved is None else self.open(saved, source)

    def open(self, saved: Saved, source: Model) -> tuple[Model, Mapping[str, Any]] | None:
        """`load` for a record that `find` gave."""
        data = self.store.get_bytes(saved.model)
        path = self.store.get(saved.weights) if saved.weights else None
        if data is None or (saved.weights is not None and path is None):
            return None
        try:
            model, digests = model_blob.decode(data, path, self._regions(source))
        except (KeyError, TypeError, ValueError):
            self.store.discard(self.store.blob_path(saved.model.digest), "it is no model")
            return None
        for weight, digest in zip(model.weights, digests, strict=True):
            self.memo.learn(weight.region, digest)
        return model, saved.record

    def save(self, key: Key, model: Model, record: Mapping[str, Any], source: Model) -> Model:
        """Stores the result. Returns the model to go on with: the same, but its weights lie in the source and in
        the store, where they outlive the step's scratch folder. Without a working cache that is `model` itself.
        """
        if not self.memo.unchanged(weight.region.path for weight in source.weights):
            return model  # edited while the step ran: nobody knows which bytes the loader saw
        digests = self.memo.sha256_all([weight.region for weight in model.weights])
        regions = self._regions(source)
        kept, places = self._pack(model, digests, regions)
        if kept is None and any(places[digest] != model_blob.IN_SOURCE for digest in digests):
            return model
        blob = self.store.put_bytes(model_blob.encode(model, digests, [places[digest] for digest in digests]))
        if blob is None:
            return model
        saved = Saved(key, graph_digest(model.skeleton, digests), blob, kept, record)
        self.store.put_record(record_path(key.hex), KIND, as_json(saved))
        path = self.store.blob_path(kept.digest) if kept else ""
        return self._relocated(model, digests, places, regions, path)

    def _regions(self, source: Model) -> dict[str, Region]:
        regions = [weight.region for weight in source.weights]
        return dict(zip(self.memo.sha256_all(regions), regions, strict=True))

    def _pack(
        self, model: Model, digests: Sequence[str], regions: Mapping[str, Region]
    ) -> tuple[Blob | None, dict[str, int]]:
        """Writes the weights that the source lacks into one blob, each content once. The places: digest -> offset."""
        places: dict[str, int] = dict.fromkeys(regions, model_blob.IN_SOURCE)
        fresh = {
            digest: weight.region for weight, digest in zip(model.weights, digests, strict=True) if digest not in places
        }
        if not fresh:
            return None, places
        with self.store.writer() as writer:
            for digest, region in fresh.items():
                writer.write(bytes(-writer.size % _ALIGN))
                places[digest] = writer.size
                _copy(region, writer)
        return writer.blob, places

    def _relocated(
        self,
        model: Model,
        digests: Sequence[str],
        places: Mapping[str, int],
        regions: Mapping[str, Region],
        path: str,
    ) -> Model:
        weights = []
        for weight, digest in zip(model.weights, digests, strict=True):
            region = regions.get(digest) or Region(path, places[digest], weight.region.length)
            weights.append(replace(weight, region=region))
            self.memo.learn(region, digest)
        return replace(model, weights=tuple(weights))


def record_path(key: str) -> str:
    """Relative to the store."""
    return f"steps/{key[:2]}/{key[2:]}.json"


def parse(value: Any) -> Saved:
    """KeyError, TypeError or ValueError when it is no record."""
    return Saved(
        Key(value["key"], dict(value["parts"])),
        value["digest"],
        Blob(*value["model"]),
        Blob(*value["weights"]) if value["weights"] else None,
        dict(value["record"]),
    )


def as_json(saved: Saved) -> dict[str, Any]:
    return {
        "key": saved.key.hex,
        "parts": dict(saved.key.parts),
        "digest": saved.digest,
        "model": [saved.model.digest, saved.model.size],
        "weights": [saved.weights.digest, saved.weights.size] if saved.weights else None,
        "record": dict(saved.record),
    }


def _copy(region: Region, writer: BlobWriter) -> None:
    buffer = memoryview(bytearray(min(_BLOCK, max(region.length, 1))))
    left = region.length
    with open(region.path, "rb", buffering=0) as file:
        file.seek(region.offset)
        while left:
            count = file.readinto(buffer[: min(left, _BLOCK)])
            if not count:
                raise OSError(f"{region.path} ends {left} bytes early")
            writer.write(buffer[:count])
            left -= count
