"""Diagnostics of the part `loaders`; joined in `bundler.catalogue`."""

from __future__ import annotations

from ._diagnostic import Diagnostic

LOADERS: dict[str, Diagnostic] = {}
