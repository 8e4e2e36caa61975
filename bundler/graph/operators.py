"""What operators there are: onnx's own schemas, onnxruntime's additions, and what the app says it brings itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from .faults import quote

HARDWARE_DOMAINS = ("com.microsoft.nchwc", "com.ms.internal.nhwc")
"""Operators that onnxruntime's highest optimisation level writes for the CPU at hand; no browser has them."""


class OperatorFault(NamedTuple):
    code: str
    what: str
    fix: str | None = None


def operator_name(domain: str, op_type: str) -> str:
    """ "Op" of the standard domain, "domain::Op" of another."""
    return f"{domain}::{op_type}" if domain else op_type


def is_external(domain: str, op_type: str, external_ops: tuple[str, ...]) -> bool:
    """Whether the config says that the app brings this operator: by name, "domain::*", or "*" (all but hardware)."""
    names = [operator_name(domain, op_type), f"{domain}::*"]
    return any(name in external_ops for name in (names if domain in HARDWARE_DOMAINS else [*names, "*"]))


@dataclass
class Operators:
    """What a node may be, where `opsets` are imported (domain "" for the standard one)."""

    opsets: dict[str, int]
    external_ops: tuple[str, ...]
    _seen: dict[tuple[str, str], OperatorFault | None] = field(default_factory=dict)

    def fault(self, domain: str, op_type: str) -> OperatorFault | None:
        """Why a runtime would not know this operator, or None when it does."""
        key = domain, op_type
        if key not in self._seen:
            self._seen[key] = self._judge(domain, op_type)
        return self._seen[key]

    def _judge(self, domain: str, op_type: str) -> OperatorFault | None:
        if is_external(domain, op_type, self.external_ops):
            return None
        if domain in HARDWARE_DOMAINS:
            return OperatorFault("MB220", f"{domain}::{op_type} exists only in onnxruntime on one kind of CPU")
        if domain not in self.opsets:
            return OperatorFault("MB215", f"the model does not import the operator set {quote(domain or 'ai.onnx')}")
        return self._schema_fault(domain, op_type)

    def _schema_fault(self, domain: str, op_type: str) -> OperatorFault | None:
        version = self.opsets[domain]
        schema = find_schema(domain, op_type, version)
        if schema is not None and not schema.deprecated:
            return None
        if schema is not None:
            return OperatorFault("MB218", f"{op_type} was taken out of ONNX before opset {version}")
        since = _first_version(domain, op_type)
        if since:
            return OperatorFault("MB218", f"{op_type} came with opset {since}; this model imports {version}")
        if (domain, op_type) in runtime_schemas():
            return None
        if domain:
            return OperatorFault("MB219", f"onnxruntime does not have the operator {domain}::{op_type}")
        return OperatorFault("MB218", f"ONNX has no operator {quote(op_type)}")


@cache
def find_schema(domain: str, op_type: str, version: int) -> Any:
    """onnx's schema of an operator at an opset, or None."""
    import onnx.defs

    try:
        return onnx.defs.get_schema(op_type, max_inclusive_version=version, domain=domain)
    except onnx.defs.SchemaError:
        return None


def _first_version(domain: str, op_type: str) -> int:
    import onnx.defs

    versions = (
        s.since_version for s in onnx.defs.get_all_schemas_with_history() if (s.domain, s.name) == (domain, op_type)
    )
    return min(versions, default=0)


@cache
def runtime_schemas() -> dict[tuple[str, str], int]:
    """(domain, operator) -> fewest inputs, of everything that the installed onnxruntime knows. Imports onnxruntime."""
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    return {(s.domain, s.name): s.min_input for s in runtime.get_all_operator_schema()}


@cache
def newest_opset(domain: str) -> int:
    """The newest version of a domain that the installed onnx knows; 0 for a domain that is not onnx's."""
    import onnx.defs

    if domain == "":
        return int(onnx.defs.onnx_opset_version())
    return max((s.since_version for s in onnx.defs.get_all_schemas_with_history() if s.domain == domain), default=0)
