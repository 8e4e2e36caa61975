"""Diagnostics of the servers; joined in `bundler.catalogue`."""

from __future__ import annotations

from ._diagnostic import Diagnostic

SERVE: dict[str, Diagnostic] = {
    "MB650": Diagnostic(
        "port taken",
        "Another program listens on that port, and `--strict-port` allows no other (or the next ones are taken too).",
        "End the other program, or name another port: `--port 0` takes any that is free.",
    ),
    "MB651": Diagnostic(
        "cannot listen",
        "The address is not one of this machine, or the system does not allow this port.",
        "Leave `--host` out to serve this machine only, and take a port from 1024 on.",
    ),
    "MB652": Diagnostic(
        "no build to serve",
        "`mbundle preview` serves an output folder, and this folder has no model-manifest.json. It never builds and "
        "never evaluates a config.",
        "Run `mbundle build` first, or name the output folder: `mbundle preview public/models`.",
    ),
    "MB653": Diagnostic(
        "cannot serve the app",
        "The app's folder (`--app`) must hold the output folder, so that the page's URLs are those of production.",
        "Name the folder that holds index.html and, at any depth, the output folder.",
    ),
}
