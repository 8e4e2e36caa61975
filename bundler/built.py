"""What a build has made so far: the data that its stages hand on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .chunks.label import VariantId
from .chunks.placement import Placement
from .config.schema import EntrySpec
from .emit.manifest import FileRef, Stage
from .graph.model import Model
from .loaders.record import StepRecord


@dataclass(frozen=True, slots=True)
class BuiltVariant:
    name: str
    model: Model
    records: tuple[StepRecord, ...]
    stages: tuple[Model, ...] = ()
    """What it is shipped as, if it is split."""


@dataclass(frozen=True, slots=True)
class BuiltEntry:
    """`files`: real paths of all files of the source that were read, the model first."""

    spec: EntrySpec
    source: Model
    files: tuple[str, ...]
    notes: tuple[str, ...]
    variants: tuple[BuiltVariant, ...]
    candidates: tuple[Mapping[str, Any], ...] = ()
    """What was found of each, where this is one of several. JSON values."""
    export: Mapping[str, Any] | None = None
    """Facts about the export of the source, where it is a checkpoint. JSON values."""

    def keyed(self) -> Iterator[tuple[VariantId, BuiltVariant]]:
        return (((self.spec.name, one.name), one) for one in self.variants)


@dataclass(frozen=True, slots=True)
class Shipment:
    """Entries whose files are staged: where the weights of each variant went, its graph file, and its stages."""

    entries: tuple[BuiltEntry, ...]
    placements: Mapping[VariantId, Placement]
    graphs: Mapping[VariantId, FileRef]
    stages: Mapping[VariantId, tuple[Stage, ...]]
    """Of split variants only."""

    def sent(self, key: VariantId) -> dict[str, int]:
        """Name in assets/ -> bytes of the graph files that a page downloads."""
        refs = [stage.graph for stage in self.stages.get(key, ())] or [self.graphs[key]]
        return {ref.file: ref.nbytes for ref in refs}

    def chunks(self, key: VariantId) -> dict[str, int]:
        """Name in assets/ -> bytes; a chunk that serves two places of a variant counts once."""
        return {chunk.file: chunk.nbytes for data in self.placements[key].data for chunk in data.chunks}

    def wire_bytes(self, key: VariantId) -> int:
        """Bytes that a first visit downloads for one variant."""
        return sum(self.sent(key).values()) + sum(self.chunks(key).values())


@dataclass(frozen=True, slots=True)
class Emitted:
    """One file of the new generation, below the output folder."""

    file: str
    nbytes: int
    written: bool
