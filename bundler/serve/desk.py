"""The person (or the program) at the other end of the terminal: told where it listens, heard by keys, waited for."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Mapping

from ..report.machine import print_line
from ..report.style import stderr_style
from ..watch.stdin import at_end
from .choices import Choices
from .keys import Keys
from .networks import NETWORKS
from .run import Running, serving
from .site import Site

Shortcut = tuple[str, Callable[[], None]]
"""What a key does: in words, and in deed."""


class Desk:
    """`verb`: what was typed after mbundle; `over`: set when it shall end."""

    def __init__(self, verb: str, choices: Choices, over: threading.Event | None = None) -> None:
        self._verb = verb
        self._choices = choices
        self._style = stderr_style()
        self._over = over or threading.Event()

    @contextlib.contextmanager
    def open(self, site: Site, more: Mapping[str, Shortcut] | None = None, token: str | None = None) -> Iterator[Desk]:
        """Serves `site` while the block runs. `more`: shortcuts of the verb, by key."""
        chosen = self._choices
        with serving(site, chosen.host, chosen.port, strict=chosen.strict_port) as running:
            self._tell(site, running, token)
            with Keys(self._shortcuts(running, more or {})):
                if chosen.open:
                    webbrowser.open(running.url)
                yield self

    def wait(self) -> None:
        """Until `q`, Ctrl-C (which ends a server as it should be ended) or the end of the standard input."""
        if self._choices.exit_with_stdin:
            at_end(self.quit)
        with contextlib.suppress(KeyboardInterrupt):
            self._over.wait()

    def quit(self) -> None:
        self._over.set()

    def _shortcuts(self, running: Running, more: Mapping[str, Shortcut]) -> dict[str, Shortcut]:
        table: dict[str, Shortcut] = {
            **more,
            "o": ("open in the browser", lambda: _open(running.url)),
            "u": ("show the URL", lambda: self.say(f"  {self._style.cyan(running.url)}")),
            "q": ("quit", self.quit),
        }
        table["h"] = ("show this help", lambda: self._help(table))
        return table

    def _help(self, table: Mapping[str, Shortcut]) -> None:
        for key, (words, _) in table.items():
            self.say(f"  {self._style.dim('press')} {self._style.bold(key)} {self._style.dim(f'to {words}')}")

    def _tell(self, site: Site, running: Running, token: str | None) -> None:
        if self._choices.as_json:
            about = {"type": "listening", "url": running.url, "base": site.base, "output": site.output}
            print_line(about | ({"token": token} if token else {}))
            return
        for line in self._lines(site, running):
            self.say(line)

    def _lines(self, site: Site, running: Running) -> Iterator[str]:
        from .. import __version__

        style, chosen = self._style, self._choices
        yield f"{style.cyan(f'mbundle v{__version__}')} {style.green(f'{self._verb} is ready')}"
        if chosen.port not in (0, running.port):
            yield f"  {style.yellow(f'port {chosen.port} is taken, so it is {running.port}')}"
        rows = [("page", running.url), ("models", running.url.rstrip("/") + site.base + "models.js")]
        rows.append(("app", _short(site.app)) if site.app else ("folder", _short(site.output)))
        if chosen.throttle:
            rows.append(("network", f"{chosen.throttle}: {NETWORKS[chosen.throttle]}"))
        for name, text in rows:
            yield f"  {style.green('➜')}  {style.bold(f'{name:<8}')}{style.cyan(text) if '://' in text else text}"
        if chosen.host not in ("127.0.0.1", "::1", "localhost"):
            yield f"  {style.yellow('other machines on this network can reach it; without --host none can')}"
        if sys.stdin.isatty():
            yield f"  {style.dim('press')} {style.bold('h')} {style.dim('for the keys')}"

    def say(self, line: str) -> None:
        """For people: nothing with --json."""
        if not self._choices.as_json:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()


def _open(url: str) -> None:
    webbrowser.open(url)


def _short(path: str) -> str:
    inside = os.path.relpath(path)
    return path if inside.startswith("..") else inside
