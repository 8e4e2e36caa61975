"""The words of model.config.py.

To an editor or type checker the classes look like dataclasses: a misspelt option is underlined. At run time they
only record what they were given and where; `validate.py` judges all of it at once, so that a user sees every
mistake in one run instead of the first one as a TypeError.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import (
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    NoReturn,
    ParamSpec,
    Protocol,
    TypeAlias,
    dataclass_transform,
    overload,
)

from .site import Site

Mode: TypeAlias = Literal["development", "production"]
PathText: TypeAlias = str | os.PathLike[str]
P = ParamSpec("P")


class ConfigEnv(NamedTuple):
    """What a function config is called with."""

    command: str
    """The verb on the command line: "build", "watch", "serve", ..."""
    mode: Mode
    root: str
    """Absolute folder of the config file."""


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Declaration:
    """Base of what a user writes. `given` holds the options as they came, `extra` positional ones too many."""

    options: ClassVar[tuple[str, ...]] = ()
    required: ClassVar[tuple[str, ...]] = ()
    positional: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, *, kw_only: bool = True) -> None:
        cls.options = tuple(cls.__annotations__)
        cls.required = tuple(name for name in cls.options if not hasattr(cls, name))
        cls.positional = () if kw_only else cls.options

    def __init__(self, *args: Any, **given: Any) -> None:
        placed = dict(zip(self.positional, args, strict=False))
        self.__dict__.update(
            placed | given,
            _given=placed | given,
            _extra=args[len(self.positional) :],
            _twice=tuple(name for name in placed if name in given),
            _site=Site.of_caller(),
        )

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} cannot be changed once it is made: pass {name}= when you make it")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.__dict__['_given'])})"


class AppliesToModel(Protocol):
    """A loader of your own, as an object: see `bundler.loaders.base.Loader`."""

    def apply(self, model: Any, context: Any, /) -> Any: ...


class LoaderCall:
    """What `simplify(...)` and the other loaders return inside a config: the call, written down and not yet judged."""

    __slots__ = ("args", "given", "of", "site")

    def __init__(self, of: LoaderConstructor, args: tuple[Any, ...], given: dict[str, Any]) -> None:
        self.of = of
        self.args = args
        self.given = given
        self.site = Site.of_caller()

    def __repr__(self) -> str:
        return f"{self.of.name}({', '.join(self.given)})"


class LoaderConstructor:
    """A loader before it is called, as a config imports it; an object, so that `use=[simplify]` is told apart."""

    __slots__ = ("kind", "loader", "name", "suggestion")

    def __init__(
        self, name: str, loader: type | None, kind: Literal["builtin", "plugin"] = "builtin", suggestion: str = ""
    ) -> None:
        self.name = name
        self.loader = loader
        """None: no loader has that name; `suggestion` then says what to do."""
        self.kind: Literal["builtin", "plugin"] = kind
        self.suggestion = suggestion

    def __call__(self, *args: Any, **given: Any) -> LoaderCall:
        return LoaderCall(self, args, given)

    def __repr__(self) -> str:
        return f"<loader {self.name}>"


def constructor(loader: Callable[P, object]) -> Callable[P, LoaderCall]:
    """What a config calls to use the loader class `loader`; to editors it has the class's own signature."""
    return LoaderConstructor(loader.name, loader)  # type: ignore[attr-defined,arg-type]


Step: TypeAlias = LoaderCall | AppliesToModel | Callable[[Any], Any] | Callable[[Any, Any], Any]


Arrays: TypeAlias = Mapping[str, Sequence[Any]]
"""Name of an input or output -> its numpy array for each sample."""
Metric: TypeAlias = Callable[[Arrays, Arrays], float] | Callable[[Arrays, Arrays, Arrays], float]


Samples: TypeAlias = Callable[[], Any]
"""Returns or yields samples: mappings of input name -> array."""


class Golden(Declaration, kw_only=False):
    """Real inputs, on which every step's result and every emitted variant is compared with the source."""

    path: PathText | Samples
    """An .npz file, relative to the config: input name -> array, or a stack of arrays with one dimension more.
    Samples of different shapes are told apart by their number: "0/<input>", "1/<input>", ... Or a folder of .npz and
    .npy files, or a function that makes samples of your images or texts; `mbundle golden record` keeps those. Arrays
    of other names, such as "labels", go to the metric."""
    metric: Literal["cosine", "top1", "top5", "iou", "tokens", "labels"] | Metric = "cosine"
    """"cosine": similarity with the source's outputs, of the output that fares worst; "top1", "top5", "tokens", "iou":
    how often, or how far, they agree; "labels": how often it is right (docs/golden.md). Or a function of your own,
    `f(outputs, reference)` or `f(outputs, reference, feeds)` -> float, higher is better: each maps a name to the
    arrays of all samples, of the step's result, of the source, and of what both were fed."""
    at_least: float | None = None
    """A step whose result agrees less is rolled back, or fails the build (`on_regression`)."""
    metrics: Mapping[str | Metric, float | None] | None = None
    """In place of `metric` and `at_least`, several: {top10_overlap: 0.95, hit_rate: 0.37, "top1": None}. The first
    judges the steps of a build; `mbundle golden check` judges, and tells, all of them. None: no bar."""
    calibration: PathText | None = None
    """An .npz of other inputs, in the form of the golden set's: what `quantize_weights(calibrate=True)` rounds with in
    view, so that the golden set, which judges, shows how that carries over. None: the golden set itself."""


class Budget(Declaration):
    """What an entry's first variant may cost; `mbundle check` fails where it is over, `build` warns of the size."""

    size: str | int | None = None
    """Graph and weights over the network on a first visit: "25 MB" or a number of bytes."""
    first_load: str | int | None = None
    """All that a first visit downloads for the entry, loader and assets included."""
    load: str | None = None
    """Time until the model can run, and on which network: "2 s @ 4g", or "800 ms" on the network as it is."""
    first_inference: str | None = None
    latency: str | None = None
    """Median of the inferences after the first: "50 ms"."""
    latency_p95: str | None = None
    memory: str | int | None = None
    accuracy: float | Mapping[str | Metric, float] | None = None
    """At least: the golden set's metric, as `mbundle golden check` measured it. Of several: {"hit_rate": 0.37}."""
    growth: str | None = None
    """Against the committed baseline, for every variant: "2%"."""
    device: Literal["wasm", "wasm-threads", "webgpu"] = "wasm"
    """Where the times and the memory are measured."""
    warn: Sequence[str] = ()
    """Names of limits that warn instead of failing: ["latency"]."""


class distill(Declaration, kw_only=False):
    """A source: a smaller model that is trained to do what a checkpoint does (docs/distill.md)."""

    teacher: PathText
    """A folder with a config.json and .safetensors files, or "hf:<owner>/<name>"."""
    student: int | Mapping[str, int] | str
    """How many of the teacher's layers; or numbers of its config.json, {"num_hidden_layers": 3, "intermediate_size":
    768}; or "student.py:make", a function that takes the teacher and returns a torch module."""
    data: PathText
    """What to learn from: a text file, one text a line; an .npz of feeds, as `Golden` takes them; or a folder of
    either."""
    epochs: int
    """At most so many rounds through the data."""
    batch_size: int = 32
    learning_rate: float = 3e-4
    max_length: int = 128
    """Tokens of a text; the rest of it is cut off."""
    patience: int = 2
    """Epochs without gain, on the golden set or on data that is held out, after which training stops."""
    seed: int = 0


class Entry(Declaration):
    """A named model that the app asks for."""

    source: PathText | distill = ""
    """Needed unless there are `candidates`: an .onnx file, a folder holding one, "package:<distribution>/<path>" or
    "npm:<package>/<path>"; a checkpoint to export: a folder with a config.json and .safetensors files, or
    "hf:<owner>/<name>"; or `distill(...)`."""
    task: str = "auto"
    """What a checkpoint is exported for: "feature-extraction", "text-classification", ...; "auto": its own."""
    part: str = ""
    """Which of several models that a checkpoint exports to: "encoder_model"."""
    exporter: Literal["auto", "optimum", "dynamo", "genai"] = "auto"
    """"optimum", or torch's own "dynamo"; "auto": the first, and the second for what that does not know. "genai":
    onnxruntime-genai's builder, for language models."""
    precision: Literal["fp32", "fp16", "int4"] = "fp32"
    """What exporter="genai" writes."""
    export_python: PathText | None = None
    """The Python that has torch and optimum. None: that of the config, else MBUNDLE_EXPORT_PYTHON, else our own."""
    candidates: Mapping[str, PathText | distill] | None = None
    """In place of `source`: name -> source of several models, the first being the one that all are compared with. The
    smallest that passes the golden set and the budget ships."""
    use: Sequence[Step] = ()
    """Loaders that every variant goes through, in execution order."""
    variants: Mapping[str, Sequence[Step]] | None = None
    """Like srcset: name -> further loaders, smallest usable first."""
    golden: Golden | None = None
    budget: Budget | None = None
    assets: Sequence[PathText] = ()
    """Files that are shipped beside the model, such as a tokenizer."""
    load: Literal["lazy", "idle", "eager"] = "lazy"
    on_regression: Literal["rollback", "error"] = "rollback"
    """What happens to a step that breaks the tolerance."""
    max_error: float | None = None
    """Largest difference to the source's outputs that a step may cause; None leaves it to each loader."""
    external_ops: Sequence[str] = ()
    """"domain::Op" or "domain::*" that the app itself brings to onnxruntime-web."""
    allow_external: Sequence[PathText] = ()
    """Folders, besides the project and the model's own, that weights may lie in."""


class Output(Declaration):
    """Where the build goes."""

    dir: PathText = "dist"
    base: str = "./"
    """URL that the files are served from; "./" is relative to the generated loader."""
    max_ir_version: int = 10
    max_opset: int = 22
    keep: int = 2
    """Builds whose files stay in the folder, the newest included."""
    ort: Literal["app", "self"] = "app"
    """Whose onnxruntime-web the page uses: the app's own, or a copy that is put beside the models."""
    compress: Sequence[Literal["br", "zstd"]] = ()
    """Put compressed twins (<file>.br, <file>.zst) beside the files that shrink, for hosts that serve them."""
    layout: Literal["mbundle", "transformers.js"] = "mbundle"
    """"transformers.js": also the folder of each entry that @huggingface/transformers loads."""


class Chunks(Declaration):
    """How weights are cut for the network."""

    min_size: str | int | None = None
    max_size: str | int | None = None


class Config(Declaration):
    """What define_config returns."""

    entries: Mapping[str, Entry]
    output: Output | None = None
    chunks: Chunks | None = None
    export_python: PathText | None = None
    """The Python that exports the checkpoints of all entries."""


ConfigFunction: TypeAlias = Callable[[ConfigEnv], Config]


@overload
def define_config(config: ConfigFunction, /) -> ConfigFunction: ...
@overload
def define_config(
    *,
    entries: Mapping[str, Entry],
    output: Output | None = None,
    chunks: Chunks | None = None,
    export_python: PathText | None = None,
) -> Config: ...
def define_config(*args: Any, **given: Any) -> Any:
    """The value for `config` in model.config.py: its parts, or a function that returns them for a ConfigEnv."""
    if len(args) == 1 and not given and callable(args[0]):
        return args[0]
    return Config(*args, **given)
