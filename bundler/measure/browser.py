"""An output folder in a browser: served as production should serve it, an entry loaded and run in a page of ours.

with browsing("dist", root=".") as browser:
    outputs, info = browser.run("icons", [feeds], variant="q8", device="wasm")
"""

from __future__ import annotations

import base64
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..catalogue import problem
from ..emit.loader import stem
from ..emit.manifest import Manifest, read_manifest
from ..emit.templates import folder as templates
from ..errors import InputError, UsageError, printable
from . import ort
from .chromium import Chromium, Gpu, chromium, gone, profile
from .tensor import Feeds, Tensor
from .throttle import throttle

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from ..serve.observe import Sent

Device = Literal["wasm", "webgpu"]
PAGE = "/__mbundle/bench/"
FEEDS = "/__mbundle/feeds/"
SOURCE = "/__mbundle/source/"
LONGEST = 600_000.0
"""Milliseconds that a page may take for one answer."""
_CALL = """async ([module, name, argument]) => (await import(module))[name](argument)"""


@dataclass(slots=True)
class Browser:
    """A served output folder and the means to open pages on it. `sent`: all answers so far, the page's own included."""

    chromium: Chromium
    manifest: Manifest
    dist: str
    root: str
    origin: str
    base: str
    scratch: str
    gpu: Gpu = "none"
    """What `run` asks for when its device is webgpu, and `adapter` tells about."""
    sent: list[Sent] = field(default_factory=list)
    _files: int = 0

    def run(
        self,
        entry: str,
        samples: Sequence[Feeds],
        *,
        variant: str | None = None,
        device: Device = "wasm",
        threads: int = 1,
    ) -> tuple[list[Feeds], dict[str, Any]]:
        """What the emitted runtime computes for each of `samples` in a fresh profile, and its `model.info`: where it
        ran may be another device, to which a runtime falls back by itself. MbundleError MB512-MB514."""
        wish = {
            "way": "emitted",
            "options": self.options(entry, variant, device, threads),
            "samples": [self.serve(sample) for sample in samples],
        }
        gpu = self.gpu if device == "webgpu" else "none"
        with profile() as folder, self.page(folder, gpu=gpu) as page:
            got = call(page, "outputs", wish, entry)
        return [{row["name"]: _tensor(row) for row in sample} for sample in got["outputs"]], got["info"]

    def options(self, entry: str, variant: str | None, device: Device, threads: int) -> dict[str, Any]:
        """As `templates/bench/ways.js` takes them. UsageError MB514 for what the manifest does not have."""
        self._known(entry, variant)
        return {
            "module": f"{self.base}entries/{stem(entry)}.js",
            "variant": variant,
            "device": device,
            "threads": threads,
            "ort": ort.find(self.dist, self.base, entry, self.root).builds,
            "source": f"{SOURCE}{stem(entry)}.onnx",
        }

    def serve(self, feeds: Feeds) -> list[dict[str, Any]]:
        """Puts the values where the page fetches them from; returns what it has to know about them."""
        rows = []
        for name, tensor in feeds.items():
            self._files += 1
            file = f"{self._files}.bin"
            with open(os.path.join(self.scratch, "feeds", file), "wb") as out:
                out.write(tensor.data)
            rows.append({"name": name, "dtype": tensor.dtype, "dims": list(tensor.dims), "url": FEEDS + file})
        return rows

    @contextmanager
    def page(self, profile: str, network: str | None = None, cpu: float = 1.0, gpu: Gpu = "none") -> Iterator[Page]:
        """Our page in a browser of its own on the folder `profile`."""
        with self.chromium.visit(profile, gpu) as context:
            context.set_default_timeout(LONGEST)
            page = context.pages[0] if context.pages else context.new_page()
            page.goto(self.origin + PAGE + "page.html")
            throttle(page, network, cpu)
            yield page

    def adapter(self) -> dict[str, Any] | None:
        """The GPU that a page gets: {"name", "software", "shaderF16"}."""
        with profile() as folder, self.page(folder, gpu=self.gpu) as page:
            found: dict[str, Any] | None = evaluate(page, "adapter")
            return found

    def version(self) -> str:
        """Of the browser: "Chromium 156.0.7204.49"."""
        with profile() as folder, self.page(folder) as page:
            brands = page.evaluate("navigator.userAgent")
        found = re.search(r"(?:Headless)?Chrome/([0-9.]+)", brands)
        return f"Chromium {found[1]}" if found else str(brands)[:100]

    def _known(self, entry: str, variant: str | None) -> None:
        entries = self.manifest.entries
        if entry not in entries:
            what = f'There is no entry "{printable(entry)}"; there are {", ".join(sorted(entries))}.'
            raise UsageError(problem("MB514", what, file=self.dist))
        names = [one.name for one in entries[entry].variants]
        if variant is not None and variant not in names:
            what = f'{entry} has no variant "{printable(variant)}"; it has {", ".join(names)}.'
            raise UsageError(problem("MB514", what, file=self.dist))


@contextmanager
def browsing(
    dist: str, *, root: str | None = None, executable: str | None = None, gpu: Gpu = "none"
) -> Iterator[Browser]:
    """`root`: where onnxruntime-web is looked for, None: at the output folder. MbundleError MB510-MB512."""
    from ..serve.run import serving
    from ..serve.site import Options, Site

    manifest = read_manifest(dist)
    root = os.path.abspath(root or dist)
    sent: list[Sent] = []
    with chromium(executable) as driver, tempfile.TemporaryDirectory(prefix="mbundle-bench-") as scratch:
        mounts = {PAGE: str(templates() / "bench"), **_scratch(scratch)}
        package = ort.find(dist, "/", next(iter(manifest.entries), ""), root).folder
        if package:
            mounts[ort.MOUNT] = package
        site = Site(dist, Options(app=None, mounts=mounts, observe=sent.append))
        with serving(site) as running:
            yield Browser(driver, manifest, dist, root, running.url.rstrip("/"), site.base, scratch, gpu, sent)


def _scratch(scratch: str) -> dict[str, str]:
    mounts = {FEEDS: os.path.join(scratch, "feeds"), SOURCE: os.path.join(scratch, "source")}
    for folder in mounts.values():
        os.mkdir(folder)
    return mounts


def call(page: Page, function: str, argument: Any, entry: str = "") -> Any:
    """What a function of `templates/bench/visit.js` gives; its failure is InputError MB513."""
    told = evaluate(page, function, argument)
    if "error" in told:
        error = told["error"]
        what = printable(f"{error['what']} ({error['code']})", 400)
        raise InputError(problem("MB513", what, fix=printable(error["fix"], 400) or None, entry=entry))
    return told["value"]


def evaluate(page: Page, function: str, argument: Any = None) -> Any:
    """MbundleError MB512 when the browser is no more."""
    from playwright.sync_api import Error

    try:
        return page.evaluate(_CALL, [PAGE + "visit.js", function, argument])
    except Error as error:
        raise gone(error) from error


def _tensor(row: dict[str, Any]) -> Tensor:
    return Tensor(row["dtype"], tuple(row["dims"]), base64.b64decode(row["base64"]))
