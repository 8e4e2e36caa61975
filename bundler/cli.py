"""The click group. Verbs are imported when they run: `--help` loads click and nothing else.

One handler maps errors to exit statuses; people read stderr, programs read stdout (`--json`).
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import click

from . import __version__
from .catalogue import problem
from .errors import BugError, Interrupted, MbundleError, OutputError, UsageError

VERBS: dict[str, str] = {
    "bench": "Measure the output in a real browser, beside the source model.",
    "build": "Build every entry of model.config.py into the output folder.",
    "cache": "List, collect, clear or explain the build cache.",
    "check": "Compare the output with its budgets and the baseline; for CI.",
    "export": "Export a checkpoint to ONNX files, and compare them with torch.",
    "golden": "Record what the sources give, and check the emitted variants against it.",
    "init": "Write a model.config.py for the models found here.",
    "inspect": "Show a model, a chunk plan, a manifest or an output folder.",
    "preview": "Serve an output folder exactly as production should.",
    "report": "Write one HTML page: bytes by layer, trade-offs, steps, history.",
    "serve": "Watch, and serve the app with models that are swapped in place.",
    "watch": "Build, and build again whenever something changes.",
    "why": "Say why a tensor, a chunk or an operator is in the output, and who shares it.",
}


class LazyGroup(click.Group):
    """A group whose verbs are modules of `bundler.commands`, imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        module = importlib.import_module(f"bundler.commands.{name}")
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", message="mbundle %(version)s")
def mbundle() -> None:
    """The bundler for ONNX models: optimise, chunk and ship a model to the browser.

    Start with `mbundle init`, then `mbundle build`, then import the generated loader:

        import { load } from './dist/models.js'
    """


def run(arguments: Sequence[str]) -> int:
    """Runs one command line; returns its exit status. Never raises."""
    signal.signal(signal.SIGTERM, _terminate)
    as_json = "--json" in arguments
    try:
        outcome = mbundle.main(list(arguments), prog_name="mbundle", standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.exceptions.NoArgsIsHelpError as help_text:
        sys.stderr.write(help_text.format_message() + "\n")
        return UsageError.exit_status
    except click.ClickException as error:
        return _fail(_usage(error), as_json)
    except (KeyboardInterrupt, click.Abort):
        return _fail(Interrupted(problem("MB190", "Interrupted.")), as_json)
    except MbundleError as error:
        return _fail(error, as_json)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:
        return _bug(error, arguments)


def _terminate(_signum: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _usage(error: click.ClickException) -> UsageError:
    near = difflib.get_close_matches(str(getattr(error, "command_name", "")), VERBS, 1)
    if near:
        return UsageError(problem("MB191", error.format_message(), fix=f"Did you mean `mbundle {near[0]}`?"))
    hint = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "mbundle"
    return UsageError(problem("MB191", error.format_message(), fix=f"See `{hint} --help`."))


def _fail(error: MbundleError, as_json: bool) -> int:
    from .report.problems import print_problems

    if as_json:
        _print_failure(error)
    print_problems(error.problems)
    return error.exit_status


def _print_failure(error: MbundleError) -> None:
    from .report.machine import print_json

    # A stdout that takes no more does not hide the error, which people read on stderr.
    with contextlib.suppress(OSError, OutputError):
        print_json({"ok": False, "exitStatus": error.exit_status, "problems": [p.as_json() for p in error.problems]})


def _bug(error: Exception, arguments: Sequence[str]) -> int:
    from .report.bug import write_log

    path = write_log(error, arguments)
    sys.stderr.write(f"error[MB900]: this is a bug in mbundle: {type(error).__name__}: {error}\n")
    sys.stderr.write(f"  fix: please open an issue and attach {path}\n")
    return BugError.exit_status
