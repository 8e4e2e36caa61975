"""What a config says, after validation: frozen, JSON-able, free of user code.

`declare.py` holds the classes that a user calls; `validate.py` turns those into these. Paths are absolute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal


@dataclass(frozen=True, slots=True)
class LoaderSpec:
    """One step, as data. The step itself is made again inside the process that runs it (`loaders.registry`)."""

    name: str
    """Registered name ("simplify") or, for a plain function, its qualified name."""
    options: tuple[tuple[str, Any], ...]
    """Every option with its value (defaults filled in), sorted; JSON values only."""
    kind: Literal["builtin", "plugin", "function"] = "builtin"
    where: str = ""
    """For functions, and for loaders with a function among their options: "icons/use/1" or "icons/variants/q8/0", for
    the child that evaluates the config again.

    Slashes, because names may hold dots."""
    digest: str = ""
    """For functions, also in options, and for plugins: sha256 of all code that decides what they do. Part of the cache
    key."""
    place: tuple[str, int, int, int, int] | None = None
    """Of a loader that finds a recipe: where its call is written (`config.settle.Place`)."""
    folders: tuple[str, ...] = ()
    """Absolute folders among the options: which files there are in them is part of the config."""


@dataclass(frozen=True, slots=True)
class VariantSpec:
    name: str
    steps: tuple[LoaderSpec, ...]
    """The entry's shared `use` chain followed by the variant's own steps."""
    split: LoaderSpec | None = None
    """Options of `split(...)`, which comes after all steps."""


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """What the golden set's outputs are compared by, besides the metric that judges the steps of a build."""

    metric: str = "cosine"
    """A name (`loaders.verify.metrics`), or the qualified name of the user's function."""
    at_least: float | None = None
    where: str = ""
    """For functions: "icons/golden/metrics/1", for the child that evaluates the config again."""
    digest: str = ""
    """For functions: sha256 of all code that decides what it gives."""


@dataclass(frozen=True, slots=True)
class GoldenSpec:
    path: str
    """Absolute path of the .npz that steps are verified on; "": nothing is recorded yet, so inputs are generated."""
    metric: str = "cosine"
    """A name (`loaders.verify.metrics`), or the qualified name of the user's function."""
    at_least: float | None = None
    where: str = ""
    """For functions: "icons/golden", for the child that evaluates the config again."""
    digest: str = ""
    """For functions: sha256 of all code that decides what it gives."""
    inputs: tuple[str, ...] = ()
    """What `mbundle golden record` reads, if that is not `path`: absolute paths; for a function see `inputs_where`."""
    inputs_where: str = ""
    also: tuple[MetricSpec, ...] = ()
    """Further metrics; `mbundle golden check` computes and judges them, too."""
    calibration: str = ""
    """Absolute path of an .npz; "": what is calibrated is so on `path`."""
    folders: tuple[str, ...] = ()
    """As of a LoaderSpec."""

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """All, the one that judges the build first."""
        return (MetricSpec(self.metric, self.at_least, self.where, self.digest), *self.also)


@dataclass(frozen=True, slots=True)
class BudgetSpec:
    """Limits of an entry's first variant; None: no limit. Sizes in bytes, times in ms."""

    NAMES: ClassVar[tuple[str, ...]] = (
        "size",
        "first_load",
        "load",
        "first_inference",
        "latency",
        "latency_p95",
        "memory",
        "accuracy",
        "growth",
    )
    size: int | None = None
    """Graph and weights as they are sent, compressed where the output has them compressed."""
    first_load: int | None = None
    """All that the first visit downloads for the entry."""
    load: tuple[float, str] | None = None
    """Until the model can run, and on which network; "": as fast as it is."""
    first_inference: float | None = None
    latency: float | None = None
    latency_p95: float | None = None
    memory: int | None = None
    accuracy: float | None = None
    """At least, of the golden set's first metric."""
    scores: tuple[tuple[str, float], ...] = ()
    """At least, of its further metrics."""
    growth: float | None = None
    """Of the size of any variant, against the base: 0.02 is 2 %."""
    device: Literal["wasm", "wasm-threads", "webgpu"] = "wasm"
    warn: tuple[str, ...] = ()
    """Names of limits that only warn."""


@dataclass(frozen=True, slots=True)
class DistillSpec:
    """A student that has to be trained before it can be exported."""

    teacher: str
    """Absolute folder of the checkpoint; "": one of the Hub that is not on this machine yet."""
    student: tuple[tuple[str, int], ...]
    """Numbers of the teacher's config that are others in the student's, sorted."""
    module: str
    """Absolute path of the file whose `function` makes the student; "": it is a smaller teacher."""
    function: str
    data: tuple[str, ...]
    """Absolute paths: texts (.txt) or feeds (.npz)."""
    data_folder: str
    """Absolute path of the folder that they lie in, if that was named."""
    epochs: int
    batch_size: int
    learning_rate: float
    max_length: int
    patience: int
    seed: int
    golden: GoldenSpec | None = None
    """Where training stops early by it."""


@dataclass(frozen=True, slots=True)
class ExportSpec:
    """A checkpoint that has to be exported before it can be read as a model."""

    folder: str
    """Absolute; "": one of the Hub that is not on this machine yet, or a student that is not trained yet."""
    files: tuple[str, ...]
    """Absolute paths of all that an export reads, and before it the training of a student."""
    python: str
    """Absolute path of the Python that has torch."""
    task: str = "auto"
    exporter: Literal["auto", "optimum", "dynamo", "genai"] = "auto"
    precision: Literal["fp32", "fp16", "int4"] = "fp32"
    """Of genai."""
    part: str = ""
    """Which of the models that the export makes; "": the only one."""
    hub: tuple[str, str] = ("", "")
    """Repository and revision, of an `hf:` source."""
    distill: DistillSpec | None = None
    """Of a student; all else is then about its teacher."""

    @property
    def folders(self) -> tuple[str, ...]:
        """In which files of the user's may come to be that would change the result."""
        named = (self.distill.teacher, self.distill.data_folder) if self.distill else (self.folder,)
        return tuple(filter(None, named))


@dataclass(frozen=True, slots=True)
class EntrySpec:
    name: str
    source: str
    """As the user wrote it."""
    source_path: str
    """Absolute path of the .onnx file that it resolves to; "" while a checkpoint is not exported."""
    variants: tuple[VariantSpec, ...]
    load: Literal["lazy", "idle", "eager"] = "lazy"
    on_regression: Literal["rollback", "error"] = "rollback"
    max_error: float | None = None
    """Largest absolute difference to the source's outputs that a step may cause; None: each loader's own default."""
    golden: GoldenSpec | None = None
    budget: BudgetSpec | None = None
    assets: tuple[str, ...] = ()
    """Absolute paths of files shipped beside the model."""
    external_ops: tuple[str, ...] = ()
    """"domain::Op" or "domain::*" names that the app itself brings to onnxruntime-web."""
    allow_external: tuple[str, ...] = ()
    """Absolute folders, besides the project root and the model's own folder, that external data may live in."""
    export: ExportSpec | None = None
    """Where the source is a checkpoint."""
    candidates: tuple[EntrySpec, ...] = ()
    """One of these ships: the entry itself with each source, called "<entry>:<candidate>". The first is the source that
    the entry names."""

    def inputs(self) -> tuple[str, ...]:
        """Absolute paths of the files that the entry names as its sources: its weights may lie in more."""
        more = tuple(path for one in self.candidates for path in one.inputs())
        return (self.export.files if self.export else (self.source_path,)) + more


@dataclass(frozen=True, slots=True)
class OutputSpec:
    dir: str
    base: str = "./"
    max_ir_version: int = 10
    max_opset: int = 22
    keep: int = 2
    """Generations whose files stay in the folder, the newest included."""
    ort: Literal["app", "self"] = "app"
    compress: tuple[Literal["br", "zstd"], ...] = ()
    layout: Literal["mbundle", "transformers.js"] = "mbundle"


@dataclass(frozen=True, slots=True)
class ChunkSpec:
    """Bytes. `min_size` <= `max_size`; a tensor larger than `max_size` is cut into parts of that size.

    The defaults are what `benchmarks/update.py` settled on; docs/chunks.md has the figures.
    """

    min_size: int = 64 << 10
    max_size: int = 8 << 20


@dataclass(frozen=True, slots=True)
class BuildConfig:
    root: str
    """Absolute folder of the config file; everything relative is relative to it."""
    config_file: str
    mode: Literal["development", "production"]
    entries: tuple[EntrySpec, ...]
    """Sorted by name: the order in the config does not change the output."""
    output: OutputSpec
    chunks: ChunkSpec
    config_inputs: tuple[str, ...]
    """Absolute paths of the config and of every module below the root that it imported."""
    verdicts: str = ""
    """Absolute path of what golden checks have found (`emit.verdicts`), where there is such a file."""
