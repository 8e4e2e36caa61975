"""mbundle init: writes a model.config.py for the models that are there, or a package for a loader."""

from __future__ import annotations

import json
import os
from string import Template

import click

from ..catalogue import problem
from ..config.detect import WebProject, find_models, name_models, web_project
from ..config.load import FILE_NAME
from ..emit import loader_package, scaffold
from ..emit.templates import folder as templates
from ..errors import ConfigError, printable

_MOST = 20
"""Entries that are written; who has more models than that picks."""


_CI = {"github": ("github.yml", ".github/workflows/models.yml")}
"""Service -> its template and where it looks for the file."""


@click.command()
@click.argument("folder", default=".", type=click.Path(file_okay=False))
@click.option("--template", "-t", type=click.Choice(scaffold.NAMES), help="Write an app round the model, too.")
@click.option("--ci", type=click.Choice(list(_CI)), help="Write a workflow that builds and checks, and nothing else.")
@click.option("--loader", metavar="NAME", help="Write a Python package with a loader of your own into FOLDER.")
def init(folder: str, template: str | None, ci: str | None, loader: str | None) -> None:
    """Write a model.config.py for the .onnx files found in FOLDER and below.

    Never overwrites a file that is there.
    """
    if loader is not None:
        _package(folder, loader)
        return
    if ci is not None:
        _workflow(folder, ci)
        return
    path = os.path.join(folder, FILE_NAME)
    if os.path.lexists(path) and template is None:
        raise ConfigError(problem("MB150", f"{path} is already there.", file=path))
    found = find_models(folder)
    if not found and template is not None and os.path.lexists(path):
        _scaffold(folder, template, {})
        return
    if not found:
        raise ConfigError(
            problem("MB151", f"There is no .onnx file in {os.path.abspath(folder)} or below.", file=folder)
        )
    project = web_project(folder)
    models = name_models(found[:_MOST])
    if template is not None:
        _scaffold(folder, template, models)
        return
    _write(path, config_text(models, f"dir={_quoted(project.output(models.values()))}"))
    _tell(path, found, project)


def _scaffold(folder: str, template: str, models: dict[str, str]) -> None:
    """In a project that has some of the files already, only those that are missing.

    Without models, which a config may take from elsewhere, only the package: an app is written round a model.
    """
    output = f"dir={_quoted(scaffold.OUTPUT)}" + (', ort="self"' if template == "vanilla" else "")
    made = {FILE_NAME: config_text(models, output), **scaffold.files(template, next(iter(models), ""))}
    if not models:
        made = {name: text for name, text in made.items() if name.startswith(f"{scaffold.PLUGIN}/")}
    try:
        written, kept = scaffold.write(folder, made)
    except (OSError, UnicodeEncodeError) as error:
        raise ConfigError(problem("MB152", f"The app cannot be written: {error}.", file=folder)) from error
    own = [name for name in written if not name.startswith(f"{scaffold.PLUGIN}/")]
    package = "" if template == "vanilla" else f" and the npm package {scaffold.PLUGIN}/"
    click.echo(f"wrote {', '.join(own) or 'no file'}{package}", err=True)
    if kept:
        click.echo(f"left as they were: {', '.join(kept)}; docs/bundlers.md says what to add to them", err=True)
    where = [] if os.path.normpath(folder) == "." else [f"cd {folder}"]
    click.echo("\n  ".join(["\nnext:", *where, "npm install", "npm run dev"]), err=True)


def _package(folder: str, name: str) -> None:
    """Into FOLDER, or a new one of the package's name where the current folder is meant."""
    from .. import __version__
    from ..loaders.registry import is_free

    if not loader_package.is_name(name):
        raise ConfigError(problem("MB153", f"A config could not import a loader that is called `{printable(name)}`."))
    if not is_free(name):
        raise ConfigError(problem("MB153", f"`bundler.loaders` has a `{name}` already."))
    place = loader_package.distribution(name) if os.path.normpath(folder) == "." else folder
    try:
        written, kept = scaffold.write(place, loader_package.files(name, __version__))
    except (OSError, UnicodeEncodeError) as error:
        raise ConfigError(problem("MB152", f"The package cannot be written: {error}.", file=place)) from error
    click.echo(f"wrote {', '.join(written) or 'no file'} in {place}", err=True)
    if kept:
        click.echo(f"left as they were: {', '.join(kept)}", err=True)
    click.echo(f"\nnext:\n  cd {place}\n  pip install -e '.[test]'\n  pytest", err=True)


def _workflow(folder: str, ci: str) -> None:
    """Below FOLDER, which is to be the repository's own."""
    template, place = _CI[ci]
    path = os.path.join(folder, place)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except OSError as error:
        raise ConfigError(problem("MB152", f"{path} cannot be written: {error}.", file=path)) from error
    with open(os.path.join(templates(), "ci", template), encoding="utf-8") as stream:
        _write(path, stream.read())
    click.echo(f"wrote {path}", err=True)
    click.echo(f"\nnext:\n  mbundle build\n  mbundle check --update\n  git add {path} mbundle-baseline.json", err=True)


def config_text(models: dict[str, str], output: str) -> str:
    """The text of a config with one entry a model (name -> source). `output`: arguments of Output."""
    entry = _template("entry.txt")
    entries = "".join(entry.substitute(name=_quoted(name), source=_quoted(path)) for name, path in models.items())
    return _template("model.config.py.txt").substitute(entries=entries, output=output)


def _template(name: str) -> Template:
    with open(os.path.join(templates(), "config", name), encoding="utf-8") as stream:
        return Template(stream.read())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON string is a Python string; repr would mix quotes


def _write(path: str, text: str) -> None:
    """Creates the file; one that appeared in the meantime, or a link there, is left alone."""
    try:
        with open(path, "x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise ConfigError(problem("MB150", f"{path} is already there.", file=path)) from error
    except (OSError, UnicodeEncodeError) as error:
        raise ConfigError(problem("MB152", f"{path} cannot be written: {error}.", file=path)) from error


def _tell(path: str, found: list[str], project: WebProject) -> None:
    count = f"{len(found)} model{'s' if len(found) > 1 else ''}"
    more = f", of which the first {_MOST} are in it" if len(found) > _MOST else ""
    click.echo(f"wrote {path} for {count}{more}", err=True)
    output = project.output(found)
    if project.static:
        click.echo(f"{project.tool} serves {project.static}/ as it is, so the output goes to {output}/", err=True)
    url = output.removeprefix(project.static) if project.static else f"./{output}"
    click.echo(
        f"\nnext:\n  mbundle build\n  then, in the page: const {{ load }} = await import('{url}/models.js')", err=True
    )
