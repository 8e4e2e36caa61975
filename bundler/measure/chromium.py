"""A headless Chromium with a profile of its own: driven by Playwright, which is imported here and nowhere else, or
uninspected."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..catalogue import problem
from ..errors import MbundleError, UsageError, printable

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Playwright

ENVIRONMENT = "MBUNDLE_CHROMIUM"
Gpu = Literal["none", "real", "software"]
"""Whose WebGPU a page gets: nobody's, the machine's, or SwiftShader's, which computes the same slowly."""

_PLACES = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/opt/google/chrome/chrome")
_ARGUMENTS = (
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    # A page that nobody looks at is slowed down otherwise.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
)
_GPU: dict[Gpu, tuple[str, ...]] = {
    "none": ("--disable-gpu",),
    "real": ("--enable-unsafe-webgpu", "--enable-features=Vulkan"),
    "software": ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"),
}


@dataclass(frozen=True, slots=True)
class Chromium:
    """`executable`: None is Playwright's own."""

    playwright: Playwright
    executable: str | None

    @property
    def program(self) -> str:
        """What is started."""
        return self.executable or self.playwright.chromium.executable_path

    @contextmanager
    def visit(self, profile: str, gpu: Gpu = "none") -> Iterator[BrowserContext]:
        """One browser on the folder `profile`, from its start to its end. MB512."""
        context = self._launch(profile, gpu)
        try:
            yield context
        finally:
            with _told():
                context.close()

    def _launch(self, profile: str, gpu: Gpu) -> BrowserContext:
        with _told():
            return self.playwright.chromium.launch_persistent_context(
                profile, executable_path=self.executable, args=arguments(gpu), headless=True
            )


def arguments(gpu: Gpu) -> list[str]:
    """What every visit gives its browser."""
    return [*_ARGUMENTS, *_GPU[gpu]]


@contextmanager
def chromium(executable: str | None = None) -> Iterator[Chromium]:
    """Playwright at work. `executable`: of the browser, instead of the one that is found. UsageError MB510-MB512."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise UsageError(problem("MB510", "The Python package playwright cannot be imported.")) from error
    with sync_playwright() as playwright:
        found = find(executable)
        if found is None and not os.path.exists(playwright.chromium.executable_path):
            raise UsageError(problem("MB511", "No Chromium was found on this machine."))
        yield Chromium(playwright, found)


def find(executable: str | None = None) -> str | None:
    """The browser's path: the option, else MBUNDLE_CHROMIUM, else where systems put it; None: Playwright's. MB511."""
    wanted = executable or os.environ.get(ENVIRONMENT, "")
    if wanted:
        path = shutil.which(wanted)
        if path is None:
            raise UsageError(problem("MB511", "There is no such program.", file=wanted))
        return path
    return next((path for path in _PLACES if os.access(path, os.X_OK)), None)


@contextmanager
def uninspected(program: str, profile: str, gpu: Gpu, url: str) -> Iterator[Callable[[], bool]]:
    """A browser on the folder `profile` with a page that nobody inspects; gives whether it still runs. What the page
    has stored is there afterwards."""
    command = [program, "--headless", "--no-sandbox", f"--user-data-dir={profile}", *arguments(gpu), url]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield lambda: process.poll() is None
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()
        process.wait()


@contextmanager
def profile() -> Iterator[str]:
    """A new, empty folder for a browser's profile; gone with the block."""
    folder = tempfile.mkdtemp(prefix="mbundle-profile-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _told() -> Iterator[None]:
    """What Playwright raises is MB512, with the line that says why."""
    from playwright.sync_api import Error

    try:
        yield
    except Error as error:
        raise gone(error) from error


def gone(error: Any) -> MbundleError:
    """What is raised for a Playwright error: the browser cannot be started, or is no more."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = next((line for line in lines if "error while loading" in line or "cannot" in line.lower()), lines[0])
    return MbundleError(problem("MB512", printable(telling, 300)))
