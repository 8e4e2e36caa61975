"""Diagnostics of the part `cache`; joined in `bundler.catalogue`."""

from __future__ import annotations

from ._diagnostic import Diagnostic

CACHE: dict[str, Diagnostic] = {}
