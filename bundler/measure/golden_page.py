"""What the emitted runtime computes on one provider and no other: a runtime falls back to the next by itself."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..catalogue import problem
from ..emit.manifest import Provider
from ..errors import InputError, printable
from .tensor import Feeds, Tensor

if TYPE_CHECKING:
    from .browser import Browser


def run_in_page(
    browser: Browser, entry: str, variant: str, provider: Provider, samples: Sequence[Feeds]
) -> list[Feeds]:
    """The outputs for each sample. InputError MB513: it does not run on the provider."""
    from .browser import call
    from .chromium import profile

    wish = {
        "way": "emitted",
        "options": browser.options(entry, variant, provider, 1),
        "samples": [browser.serve(sample) for sample in samples],
    }
    gpu = browser.gpu if provider == "webgpu" else "none"
    with profile() as folder, browser.page(folder, gpu=gpu) as page:
        got = call(page, "outputs", wish, entry)
    if got["info"]["device"] != provider:
        what = "; ".join(got["info"]["skipped"]) or f"the page ran it on {got['info']['device']}"
        raise InputError(problem("MB513", printable(what, 400), entry=entry))
    return [{row["name"]: _tensor(row) for row in sample} for sample in got["outputs"]]


def _tensor(row: dict[str, object]) -> Tensor:
    dims = row["dims"]
    assert isinstance(dims, list)
    return Tensor(str(row["dtype"]), tuple(map(int, dims)), base64.b64decode(str(row["base64"])))
