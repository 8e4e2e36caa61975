"""Models that must be refused, each with the code that must say so: `BAD[name] = (builder, code)`.

A builder writes what it needs into the folder that it is given (the project's root) and returns the path of the
model. Nothing here may hang a reader that opens only what it should.
"""

from . import external_data, gates, nested, protobuf, strangers, structure, tensors, versions  # noqa: F401  each fills it
from .table import BAD

__all__ = ["BAD"]
