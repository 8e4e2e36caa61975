"""Checkpoints as sources: a folder with a config.json and weights, or `hf:<owner>/<name>` from the local cache of the
Hub. Nothing is opened here; names and stats are enough to tell what an export will read."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace

from ..errors import printable
from . import values
from .files import existing, names
from .findings import Bad
from .part import Part
from .schema import ExportSpec

EXPORTERS = ("auto", "dynamo", "genai", "optimum")
PRECISIONS = ("fp16", "fp32", "int4")
ENVIRONMENT = "MBUNDLE_EXPORT_PYTHON"
HUB = r"hf:([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}|[A-Za-z0-9][\w.-]{0,95})(?:@([\w./-]{1,200}))?"
_WEIGHTS = (".safetensors", ".bin")
_READ = (".json", ".txt", ".model", ".jinja", ".safetensors", ".bin")
_ASSETS = (
    "chat_template.jinja",
    "config.json",
    "feature_extractor_config.json",
    "generation_config.json",
    "image_processor_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
"""What an app needs beside the model to make its inputs. Vocabularies only where no tokenizer.json holds them."""
_VOCABULARIES = ("merges.txt", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "vocab.json", "vocab.txt")


def read_export(top: Part, part: Part, source: str, root: str, *, several: bool = False) -> ExportSpec | None:
    """None: the source is no checkpoint. `several`: others of the entry may be. Raises Bad."""
    found = find_checkpoint(source, root)
    if found is None:
        if not several:
            _refuse_options(part)
        return None
    return with_options(found, top, part, root)


def with_options(found: ExportSpec, top: Part, part: Part, root: str) -> ExportSpec:
    """With what the entry says about the export. Raises Bad."""
    if "precision" in part.given and part.given.get("exporter") != "genai":
        fix = 'Write exporter="genai", or leave `precision` out: loaders make other variants smaller.'
        part.report("MB131", '`precision` of Entry is about exporter="genai".', ("precision",), key=True, fix=fix)
    return replace(
        found,
        python=_python(top, part, root),
        task=part.get("task", task_name),
        exporter=part.get("exporter", values.choice(*EXPORTERS)),
        precision=part.get("precision", values.choice(*PRECISIONS)),
        part=part.get("part", _part_name),
    )


def find_checkpoint(source: str, root: str) -> ExportSpec | None:
    """What `source` stands for, if it is a checkpoint. Raises Bad."""
    if not source.startswith("hf:"):
        folder = os.path.normpath(os.path.join(root, source))
        return ExportSpec(folder, checkpoint_files(folder), "") if is_checkpoint(folder) else None
    hub = re.fullmatch(HUB, source)
    if hub is None:
        raise Bad(f'must be "hf:<owner>/<name>", not "{printable(source)}"', code="MB146")
    repo, revision = hub[1], hub[2] or "main"
    folder = _snapshot(repo, revision)
    return ExportSpec(folder, checkpoint_files(folder) if folder else (), "", hub=(repo, revision))


task_name = values.matching(r"[a-z0-9][a-z0-9-]{0,63}", 'a task such as "feature-extraction"')
_part_name = values.matching(r"\w[\w-]{0,63}", 'the name of a model such as "encoder_model"')


def _refuse_options(part: Part) -> None:
    for name in ("task", "part", "exporter", "precision", "export_python"):
        if name in part.given:
            what = f"`{name}` of Entry is about checkpoints, and the source is none."
            part.report("MB131", what, (name,), key=True, fix=f"Leave `{name}` out, or name a checkpoint's folder.")


def is_checkpoint(folder: str) -> bool:
    """A folder with a config.json and weights; one that holds an .onnx file as well stands for that."""
    held = names(folder)
    return (
        "config.json" in held
        and any(name.endswith(_WEIGHTS) for name in held)
        and not any(name.lower().endswith(".onnx") for name in held)
    )


def assets_of(export: ExportSpec | None) -> tuple[str, ...]:
    """Absolute paths of the files of a checkpoint that a page may want."""
    if export is None or not export.folder:
        return ()
    held = set(names(export.folder))
    wanted = _ASSETS if "tokenizer.json" in held else (*_ASSETS, *_VOCABULARIES)
    return tuple(os.path.join(export.folder, name) for name in sorted(wanted) if name in held)


def checkpoint_files(folder: str) -> tuple[str, ...]:
    return tuple(sorted(_files(folder)))


def _files(folder: str) -> Iterator[str]:
    """All that could decide what comes out; of two forms of the weights the safe one. Its first subfolders say how a
    sentence's vector is made."""
    held = names(folder)
    safe = any(name.endswith(".safetensors") for name in held)
    for name in held:
        path = os.path.join(folder, name)
        if name.startswith(".") or (safe and name.endswith(".bin")):
            continue
        if name.endswith(_READ) and os.path.isfile(path):
            yield path
        elif name[:1].isdigit() and os.path.isfile(os.path.join(path, "config.json")):
            yield os.path.join(path, "config.json")


def _snapshot(repo: str, revision: str) -> str:
    """Folder of a repository in the local cache of the Hub; "" when it is not there."""
    folder = os.path.join(_hub_cache(), "models--" + repo.replace("/", "--"))
    commit = revision
    try:
        with open(os.path.join(folder, "refs", *revision.split("/")), encoding="ascii") as file:
            commit = file.read(64).strip()
    except (OSError, UnicodeDecodeError):
        pass
    found = os.path.join(folder, "snapshots", commit)
    return found if re.fullmatch(r"[0-9a-f]{6,64}", commit) and is_checkpoint(found) else ""


def _hub_cache() -> str:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    hub = os.path.join(os.environ.get("HF_HOME") or os.path.join(home, "huggingface"), "hub")
    return os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or hub


def _python(top: Part, part: Part, root: str) -> str:
    """Absolute path of the Python that exports."""
    for holder in (part, top):
        if holder.given.get("export_python") is not None:
            return holder.get("export_python", lambda value: python_at(values.path(value), root)) or sys.executable
    return default_python(root)


def default_python(root: str) -> str:
    """Where nothing in the config says. A name in the environment that leads nowhere is told when it is used."""
    named = os.environ.get(ENVIRONMENT, "")
    found = shutil.which(named) if os.sep not in named else os.path.normpath(os.path.join(root, named))
    return found or named or sys.executable


def python_at(written: str, root: str) -> str:
    """`written`: a command of the PATH, or a path relative to `root`. Links stay: they tell which environment it is."""
    found = shutil.which(written) if os.sep not in written else None
    path = found or os.path.normpath(os.path.join(root, os.path.expanduser(written)))
    existing(path, "MB356", written, root)
    if os.path.isdir(path) or not os.access(path, os.X_OK):
        raise Bad(f'is "{printable(written)}", which cannot be run', code="MB356")
    return path
