"""Diagnostics of the command line; joined in `bundler.catalogue`."""

from __future__ import annotations

from ._diagnostic import Diagnostic

CLI: dict[str, Diagnostic] = {
    "MB190": Diagnostic(
        "interrupted",
        "The build was stopped by Ctrl-C or a termination signal before it replaced anything.",
        "Run it again; the last good output is untouched and finished steps are cached.",
    ),
    "MB191": Diagnostic(
        "usage",
        "The command line has an option, argument or verb that mbundle does not know.",
        "See `mbundle --help`.",
    ),
    "MB192": Diagnostic(
        "cannot inspect",
        "`mbundle inspect` shows .onnx files, manifests and output folders, and never runs a config.",
        "Name an .onnx file, a model-manifest.json or a folder that holds one.",
    ),
    "MB193": Diagnostic(
        "trace not written",
        "`--profile` was asked for, but its file cannot be written. The build itself is done.",
        "Name a file in a folder that you may write to: `--profile FILE`.",
    ),
    "MB195": Diagnostic(
        "mbundle is another one than when it began to watch",
        "It was upgraded, or a file of it was edited; the process that watches still runs the old code.",
        "Stop `mbundle watch` and start it again.",
    ),
    "MB196": Diagnostic(
        "result not printed",
        "stdout, or the file that it was sent to, takes no more: usually a full disk.",
        "Make room or send the result elsewhere. What the command did is done.",
    ),
    "MB501": Diagnostic(
        "over budget",
        "The first variant of an entry, which most visitors download, weighs more than its `Budget(size=...)`.",
        "Add a loader such as `quantize_dynamic()` to its first variant, or raise the budget.",
    ),
    "MB900": Diagnostic(
        "a bug in mbundle",
        "An invariant of mbundle itself does not hold.",
        "Open an issue and attach the log file that the message names.",
    ),
    "MB194": Diagnostic(
        "a found recipe cannot be written into the config",
        "`--write` replaces the call of auto() by the steps that it found; they need a list to stand in.",
        "Write auto(...) directly into `use` or a variant's list, or copy the steps from .mbundle/stats.json.",
    ),
}
