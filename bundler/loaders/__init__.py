"""The loaders that a config calls. A new one is a file with a frozen dataclass, and its two lines here.

These modules are imported by every config: nothing heavy at their top level. A name that is not built in is looked
up among the installed entry points `mbundle.loaders`, only then.
"""

from typing import TYPE_CHECKING

from ..config.declare import constructor
from .auto import Auto
from .dce import Dce
from .dedupe import Dedupe
from .float16 import Float16
from .fuse import Fuse
from .kv_cache import KvCache
from .prune import Prune
from .quantize_dynamic import QuantizeDynamic
from .quantize_static import QuantizeStatic
from .quantize_weights import QuantizeWeights
from .simplify import Simplify
from .split import Split

auto = constructor(Auto)
dce = constructor(Dce)
dedupe = constructor(Dedupe)
fuse = constructor(Fuse)
float16 = constructor(Float16)
kv_cache = constructor(KvCache)
prune = constructor(Prune)
quantize_dynamic = constructor(QuantizeDynamic)
quantize_static = constructor(QuantizeStatic)
quantize_weights = constructor(QuantizeWeights)
simplify = constructor(Simplify)
split = constructor(Split)

__all__ = [
    "auto",
    "dce",
    "dedupe",
    "float16",
    "fuse",
    "kv_cache",
    "prune",
    "quantize_dynamic",
    "quantize_static",
    "quantize_weights",
    "simplify",
    "split",
]

if not TYPE_CHECKING:  # to a type checker this would make every misspelt loader an Any

    def __getattr__(name: str) -> object:
        from importlib.util import find_spec

        if name.startswith("_") or find_spec(f"{__name__}.{name}"):  # a module of ours: the import goes on to it
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from .registry import installed

        return installed(name)
