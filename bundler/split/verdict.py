"""What is made of the comparison of the stages with the whole."""

from __future__ import annotations

from ..loaders.verify.agreement import Agreement

TOLERANCE = 1e-5
"""Largest difference to the whole, as it is or relative to the output's largest magnitude."""


def fault(agreement: Agreement | None) -> str:
    """Half a sentence; "": they agree."""
    if agreement is None:
        return ""
    if agreement.broken:
        return agreement.broken
    if min(agreement.relative, agreement.absolute) <= TOLERANCE:
        return ""
    return f'output "{agreement.output}" differs by {agreement.absolute:.2g} ({TOLERANCE:g} is allowed)'
