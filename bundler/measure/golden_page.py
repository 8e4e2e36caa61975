"""What the emitted runtime computes on one provider and no other: a runtime falls back to the next by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..catalogue import problem
from ..emit.manifest import Provider
from ..errors import InputError, printable
from .tensor import Feeds

if TYPE_CHECKING:
    from .browser import Browser


def run_in_page(
    browser: Browser, entry: str, variant: str, provider: Provider, samples: Sequence[Feeds]
) -> list[Feeds]:
    """The outputs for each sample. InputError MB513: it does not run on the provider."""
    outputs, info = browser.run(entry, samples, variant=variant, device=provider)
    if info["device"] != provider:
        what = "; ".join(info["skipped"]) or f"the page ran it on {info['device']}"
        raise InputError(problem("MB513", printable(what, 400), entry=entry))
    return outputs
