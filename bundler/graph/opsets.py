"""Operator sets and IR versions: which a model declares, which its nodes really use, which we take.

Exporters declare domains that no node uses (nine of them in one file), and a runtime may refuse a version of
one; so a declaration counts only when some node needs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .faults import Faults, quote
from .operators import newest_opset
from .visit import nodes

ALIAS = "ai.onnx"
"""Another way to write the standard domain, whose name is ""."""


def opset_table(imports: Iterable[Any]) -> dict[str, int]:
    """Domain -> version, the standard domain as ""."""
    return {("" if entry.domain == ALIAS else entry.domain): entry.version for entry in imports}


def used_domains(body: Any) -> set[str]:
    return {node.domain for node in nodes(body)}


def _used_anywhere(model: Any) -> set[str]:
    return {domain for body in (model.graph, *model.functions) for domain in used_domains(body)}


def check_header(model: Any, newest_ir: int, faults: Faults) -> None:
    """Notes a missing or unknown IR version, missing opset imports, and versions that nobody has defined."""
    if not model.ir_version:
        faults.add("MB213", "the model does not say which IR version it has")
    elif not 0 < model.ir_version <= newest_ir:
        faults.add("MB213", f"the model says IR version {model.ir_version}; {newest_ir} is the newest there is")
    if not model.opset_import:
        faults.add("MB215", "the model imports no operator set")
    _check_imports(model.opset_import, _used_anywhere(model), faults)
    for function in model.functions:
        _check_imports(function.opset_import, used_domains(function), faults)


def _check_imports(imports: Any, used: set[str], faults: Faults) -> None:
    seen: dict[str, int] = {}
    for entry in imports:
        if not isinstance(entry.domain, str):
            faults.add("MB221", f"the domain {quote(entry.domain)} of an operator set is not UTF-8 text")
            continue
        domain = "" if entry.domain == ALIAS else entry.domain
        if seen.setdefault(domain, entry.version) != entry.version:
            faults.add("MB216", f"operator set {quote(domain or ALIAS)} is imported in two versions")
        if domain in used:
            _check_version(domain, entry.version, faults)


def _check_version(domain: str, version: int, faults: Faults) -> None:
    newest = newest_opset(domain)
    if not 0 < version < 1 << 31:
        faults.add("MB216", f"operator set {quote(domain or ALIAS)} has the version {version}")
    elif newest and version > newest:
        faults.add(
            "MB216", f"operator set {quote(domain or ALIAS)} has version {version}; {newest} is the newest there is"
        )


def unalias(model: Any) -> None:
    """Writes the standard domain as "" in every node."""
    for body in (model.graph, *model.functions):
        for node in nodes(body):
            if node.domain == ALIAS:
                node.domain = ""


def tidy_imports(model: Any) -> None:
    """Drops imports that no node uses, of the model and of each function; the standard domain stays."""
    _rewrite(model, _used_anywhere(model))
    for function in model.functions:
        _rewrite(function, used_domains(function))


def _rewrite(holder: Any, used: set[str]) -> None:
    table = opset_table(holder.opset_import)
    kept = sorted((domain, version) for domain, version in table.items() if domain in used or not domain)
    holder.ClearField("opset_import")
    for domain, version in kept:
        holder.opset_import.add(domain=domain, version=version)
