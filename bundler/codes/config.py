"""Diagnostics of the part `config`; joined in `bundler.catalogue`."""

from __future__ import annotations

from ._diagnostic import Diagnostic

CONFIG: dict[str, Diagnostic] = {}
