"""Runs in the Python that has torch, given by path: it imports nothing of mbundle.

    python export_checkpoint.py probe PIPE                what is installed here
    python export_checkpoint.py fetch PIPE REPO REVISION  a checkpoint of the Hub into the local cache
    python export_checkpoint.py export PIPE REQUEST       REQUEST: a JSON file, see `request.Request`
    python export_checkpoint.py distill PIPE REQUEST      a smaller model that is taught by it, see `request.Lesson`

Answers with JSON lines on the file descriptor PIPE: {"progress": "…"} while it works, {"line": "…"} for what is to be
kept, {"judge": …} for a question that a file answers (`examiner`), then {"result": …} or {"failed": "…", "kind": "…"}.
What libraries print goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

if sys.path and os.path.realpath(sys.path[0] or ".") == os.path.dirname(os.path.realpath(__file__)):
    sys.path.append(sys.path.pop(0))  # a file in this folder must not stand in for a library

from mbundle_export.request import Lesson, Pipe, Refused, Request

DISTRIBUTIONS = (
    "accelerate",
    "huggingface-hub",
    "onnx",
    "onnx-ir",
    "onnxruntime",
    "onnxruntime-genai",
    "onnxscript",
    "optimum",
    "optimum-onnx",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
)


def probe() -> dict[str, Any]:
    """Versions without an import of what they are of, and the files that an upgrade replaces."""
    from importlib import metadata

    found: dict[str, str] = {}
    files: list[str] = []
    for name in DISTRIBUTIONS:
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found[name] = distribution.version
        record = str(distribution.locate_file(f"{getattr(distribution, '_path', '')}/METADATA"))
        files += [record] if os.path.isfile(record) else []
    return {"python": ".".join(map(str, sys.version_info[:3])), "versions": found, "files": sorted(files)}


def fetch(repo: str, revision: str) -> dict[str, Any]:
    """A checkpoint without what no export reads: other frameworks' weights, pictures, ONNX files."""
    from huggingface_hub import snapshot_download

    wanted = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "1_Pooling/*"]
    return {"folder": snapshot_download(repo, revision=revision or None, allow_patterns=wanted)}


def export(request: Request, pipe: Pipe) -> Any:
    """Model files in the request's folder; what was made, and how far it is from torch."""
    pipe.say(progress="importing torch and transformers")
    import torch
    from mbundle_export import by_dynamo, by_genai, by_optimum, tasks

    torch.manual_seed(0)
    _silence()
    task = tasks.task_of(request)
    if request["exporter"] == "dynamo":
        return by_dynamo.by_dynamo(request, task, pipe, "")
    if request["exporter"] == "genai":
        return by_genai.by_genai(request, task, pipe)
    reason = by_optimum.refuses(request, task)
    if not reason:
        return by_optimum.by_optimum(request, task, pipe)
    if request["exporter"] == "optimum":
        raise Refused("unsupported", reason)
    return by_dynamo.by_dynamo(request, task, pipe, reason)


def taught(request: Lesson, pipe: Pipe) -> Any:
    """Files of a student in the request's folder; how its training went."""
    pipe.say(progress="importing torch and transformers")
    from mbundle_export import distill

    _silence()
    return distill.distill(request, pipe)


def _silence() -> None:
    import warnings

    from transformers.utils import logging

    warnings.filterwarnings("ignore")  # a trace warns of each constant that it keeps
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def main(arguments: list[str]) -> None:
    """One answer, whatever happens."""
    verb, pipe, rest = arguments[0], Pipe(int(arguments[1])), arguments[2:]
    try:
        if verb == "probe":
            result = probe()
        elif verb == "fetch":
            result = fetch(*rest)
        else:
            with open(rest[0], encoding="utf-8") as stream:
                request = json.load(stream)
            result = taught(request, pipe) if verb == "distill" else export(request, pipe)
    except Refused as refusal:
        pipe.say(failed=str(refusal), kind=refusal.kind)
    except Exception as error:
        import traceback

        traceback.print_exc()
        pipe.say(failed=f"{type(error).__name__}: {error}".split("\n")[0], kind="raised")
    else:
        pipe.say(result=result)


if __name__ == "__main__":
    main(sys.argv[1:])
