"""Diagnostics of the part `graph`; joined in `bundler.catalogue`."""

from __future__ import annotations

from ._diagnostic import Diagnostic

GRAPH: dict[str, Diagnostic] = {}
