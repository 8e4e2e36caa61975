"""mbundle: the bundler for ONNX models.

What a `model.config.py` imports. The names load on first use, so `import bundler` itself costs nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config.declare import Budget, Chunks, ConfigEnv, Entry, Golden, Output, define_config, distill

__version__ = "0.1.0"

__all__ = ["Budget", "Chunks", "ConfigEnv", "Entry", "Golden", "Output", "define_config", "distill"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'bundler' has no attribute {name!r}")
    from .config import declare

    return getattr(declare, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
