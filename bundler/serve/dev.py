"""`mbundle serve`: a site with the dev client, and a session that tells it what happens."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from dataclasses import replace

from ..cache.location import WORK_FOLDER
from ..config.load import find_config, load_config
from ..emit.ownership import MANIFEST
from ..errors import ConfigError
from ..report.machine import print_line
from ..watch.events import Event, ModelUpdate
from ..watch.lines import Lines
from ..watch.session import WatchOptions, watch
from .choices import Choices
from .desk import Desk
from .devclient import DevClient
from .site import Site


def develop(config: str, options: WatchOptions, choices: Choices) -> None:
    """Until Ctrl-C, `q` or the end of the standard input. ConfigError where there is no config at all."""
    file = find_config(config)
    output = _output(file, options)
    client = DevClient()
    site = Site(
        output,
        replace(choices.site_options(os.path.dirname(file)), reserved=client.handlers, rewrite=client.rewrite),
    )
    client.base = site.base
    client.channel.start(_digest(os.path.join(output, MANIFEST)))
    sessions = _Sessions(file, options, choices, client, output)
    keys = {"r": ("build again", sessions.again)}
    with Desk("serve", choices, sessions.over).open(site, keys, client.token) as desk:
        sessions.start()
        try:
            desk.wait()
        finally:
            sessions.end()
            client.channel.close()
    sessions.judge()


class _Sessions:
    """One session after the other in a thread: `again` ends one, and the next looks at everything anew."""

    def __init__(self, config: str, options: WatchOptions, choices: Choices, client: DevClient, output: str) -> None:
        self._lines = Lines()
        self._config, self._choices, self._client, self._output = config, choices, client, output
        self._options = replace(options, told=self._lines.line)
        self.over = threading.Event()
        self._session = threading.Event()
        self._raised: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sessions")

    def start(self) -> None:
        self._thread.start()

    def again(self) -> None:
        self._session.set()

    def end(self) -> None:
        self.over.set()
        self._session.set()
        self._thread.join()

    def judge(self) -> None:
        if self._raised:
            raise self._raised

    def _run(self) -> None:
        try:
            while not self.over.is_set():
                self._session.clear()
                if self.over.is_set():  # it came just before the line above
                    break
                watch(self._config, self._options, self._emit, self._session)
        except BaseException as error:
            self._raised = error
        self.over.set()

    def _emit(self, event: Event) -> None:
        told = event.as_json()
        self._client.channel.publish(told)
        if self._choices.as_json:
            print_line(told)
            return
        self._lines.event(event)
        folder = event.stats.get("outDir") if isinstance(event, ModelUpdate) else None
        if folder and os.path.join(os.path.dirname(self._config), folder) != self._output:
            self._lines.line(f"the output folder is {folder} now: start mbundle serve again to serve that")


def _output(config: str, options: WatchOptions) -> str:
    """The output folder; of a config that is broken just now, that of the last build."""
    try:
        return load_config(config, options.mode, options.command).output.dir
    except ConfigError:
        root = os.path.dirname(config)
        return os.path.normpath(os.path.join(root, _last_folder(os.path.join(root, WORK_FOLDER, "stats.json"))))


def _last_folder(stats: str) -> str:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError), open(stats, "rb") as file:
        return str(json.load(file)["outDir"])
    return "dist"


def _digest(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None
