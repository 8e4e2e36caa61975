"""Diagnostics of exports; joined in `bundler.catalogue`."""

from __future__ import annotations

from ._diagnostic import Diagnostic

EXPORT: dict[str, Diagnostic] = {
    "MB350": Diagnostic(
        "The exporter is not installed",
        "A checkpoint is exported by torch and optimum, 1.4 GB that no other part of mbundle needs.",
        "Install the extra: pip install 'mbundle[export]'.",
    ),
    "MB351": Diagnostic(
        "The export failed",
        "The exporter ran on the checkpoint and gave up.",
        'Try exporter="dynamo" or another task, or export the model to ONNX yourself and name that file.',
    ),
    "MB352": Diagnostic(
        "It is not clear what the checkpoint is to be exported for",
        "The same weights give other inputs and outputs for another task.",
        'Name it: Entry(task="feature-extraction"), or --task on the command line.',
    ),
    "MB353": Diagnostic(
        "The exported model does not do what torch does",
        "It was run on the same inputs as the checkpoint in torch, and the outputs are too far apart.",
        'Try exporter="dynamo" or exporter="optimum", or export the model to ONNX yourself and name that file.',
    ),
    "MB354": Diagnostic(
        "The checkpoint is not on this machine",
        "`hf:` sources come from the local cache of the Hugging Face Hub, and are fetched once if it has not got them.",
        "Build once with a connection and without HF_HUB_OFFLINE, or name a folder with the checkpoint.",
    ),
    "MB355": Diagnostic(
        "The checkpoint exports to several models",
        "An entry is one model. An encoder and its decoder are joined to one where their graphs fit together.",
        'Make an entry of each and say which with Entry(part="encoder_model").',
    ),
    "MB356": Diagnostic(
        "The Python for exports cannot be run",
        "Exports run in a Python of their own, which has torch.",
        "Name one: export_python, or the environment variable MBUNDLE_EXPORT_PYTHON.",
    ),
    "MB358": Diagnostic(
        "The exported files cannot be written there",
        "`mbundle export` writes into a new folder and replaces nothing.",
        "Name another folder with --out, or move that one away.",
    ),
    "MB359": Diagnostic(
        "No candidate passes",
        "Of the candidates of an entry the smallest ships that is good enough on the golden set and within the budget.",
        "Lower Golden(at_least=…) or raise Budget(size=…) if that is fine, or add a candidate.",
    ),
    "MB357": Diagnostic(
        "The checkpoint was not exported yet",
        "The command looks at the source model, and for a checkpoint a build makes that.",
        "Run `mbundle build` first.",
    ),
    "MB360": Diagnostic(
        "There is no checkpoint to learn from",
        "A student is made of its teacher's layers and taught by its outputs, in torch: that takes a checkpoint.",
        "Name a folder with a config.json and .safetensors files, or hf:<owner>/<name>.",
    ),
    "MB361": Diagnostic(
        "There is nothing to learn from",
        "A student learns from texts, one a line, that the checkpoint's own tokenizer reads, or from feeds in an .npz.",
        "Give distill(data=…) a .txt or .npz file, or a folder of either.",
    ),
    "MB362": Diagnostic(
        "The student cannot be made",
        "It is the teacher with fewer layers or narrower ones, or a module of yours, and gives what the teacher gives.",
        'Ask for less than the teacher has: distill(student=3), or student={"num_hidden_layers": 3}.',
    ),
    "MB363": Diagnostic(
        "The training diverged",
        "The loss is no number any more, so nothing that follows would be better.",
        "Give distill(learning_rate=…) a smaller value.",
    ),
    "MB364": Diagnostic(
        "The training failed",
        "The student is trained in the Python that has torch, and that gave up.",
        "Mend what it says and build again: it goes on where it was. A smaller batch_size takes less memory.",
    ),
}
