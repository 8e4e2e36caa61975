"""Diagnostics of the part `emit`; joined in `bundler.catalogue`."""

from __future__ import annotations

from ._diagnostic import Diagnostic

EMIT: dict[str, Diagnostic] = {}
