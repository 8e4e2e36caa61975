"""A page that has WebGPU, on an emulated GPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, Playwright

from .conftest import ARGS, BLANK
from .server import Site, serving

GPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"]


@contextmanager
def gpu_page(driver: Playwright, mounts: Mapping[str, Path]) -> Iterator[Page]:
    """`mounts`: as of `Site`. Skips the test where the browser has no adapter."""
    args = [*(arg for arg in ARGS if arg != "--disable-gpu"), *GPU]
    with serving(Site(mounts=dict(mounts), pages={"/": BLANK})) as site:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=args)
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(site.origin + "/")
        if not page.evaluate("Boolean(navigator.gpu) && navigator.gpu.requestAdapter().then(Boolean)"):
            pytest.skip("no WebGPU here")
        yield page
        browser.close()
