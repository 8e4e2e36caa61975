"""Diagnostics of the part `emit`; joined in `bundler.catalogue`."""

from __future__ import annotations

from ._diagnostic import Diagnostic

EMIT: dict[str, Diagnostic] = {
    "MB400": Diagnostic(
        "The output folder would be your project",
        "mbundle adds and removes files in its output folder; in a project, home or system folder those are yours.",
        'Give the output a folder of its own, e.g. Output(dir="dist").',
    ),
    "MB401": Diagnostic(
        "The output folder holds an input",
        "A build must never overwrite or delete what it is made from.",
        "Move the input out of the output folder, or choose another Output(dir=...).",
    ),
    "MB402": Diagnostic(
        "The output path is not a folder",
        "Something else stands where the output folder, or a folder in it, should be.",
        "Move it away, or choose another Output(dir=...).",
    ),
    "MB403": Diagnostic(
        "The output folder is a link that leaves the project",
        "Writing and deleting through it would reach files that the config does not name.",
        "Name the real folder in Output(dir=...), or replace the link by a folder.",
    ),
    "MB404": Diagnostic(
        "A file that mbundle did not make is in the way",
        "It is not in the folder's record of our files (.mbundle.json), so it may be yours.",
        "Delete or rename the file, or choose an empty folder in Output(dir=...).",
    ),
    "MB405": Diagnostic(
        "The disk is full",
        "The output could not be written. What was there before is untouched.",
        "Free some space (`mbundle cache gc` may help), then build again.",
    ),
    "MB406": Diagnostic(
        "The output folder is not writable",
        "The system refused permission. What was there before is untouched.",
        "Make the folder writable for you, or choose another Output(dir=...).",
    ),
    "MB407": Diagnostic(
        "The output folder is on a read-only filesystem",
        "Nothing can be written there; containers and CI often mount the source tree like that.",
        "Mount it writable, or choose another Output(dir=...).",
    ),
    "MB408": Diagnostic(
        "Too many open files",
        "The system's limit for this process is reached.",
        "Raise the limit (`ulimit -n 4096`) or build with fewer jobs (`--jobs 1`).",
    ),
    "MB409": Diagnostic(
        "The output could not be written",
        "The system reported an error. What was there before is untouched.",
        "Check the disk and the path, then build again.",
    ),
    "MB410": Diagnostic(
        "Another build keeps the output folder",
        "Two builds that write one folder take turns; the other one has not finished in time.",
        "Wait for the other build or end it, then build again.",
    ),
    "MB411": Diagnostic(
        "A source changed while the build read it",
        "Chunks made from half of the old and half of the new file would be neither.",
        "Build again when the file is complete. If nothing writes to it, run `mbundle cache clear` first.",
    ),
    "MB412": Diagnostic(
        "A source cannot be read",
        "The weights of the model lie in this file.",
        "Check that the file is complete and readable; download or export it again if it is not.",
    ),
    "MB413": Diagnostic(
        "The output folder changed during the build",
        "A file that this build relies on was there at its start and is gone or altered now.",
        "Build again, with no other program working in the output folder.",
    ),
    "MB414": Diagnostic(
        "The record of our files is damaged",
        "Without .mbundle.json nobody knows which files in the output folder are ours, so none will be deleted.",
        "Empty the output folder by hand once, then build again.",
    ),
    "MB416": Diagnostic(
        "An entry is not in the layout of transformers.js",
        "@huggingface/transformers reads a model's config.json before anything else.",
        'Ship it: Entry(assets=["config.json", "tokenizer.json", "tokenizer_config.json"]).',
    ),
    "MB417": Diagnostic(
        "A variant is not in the layout of transformers.js",
        "There the name of a file tells its precision, and there is one file of each.",
        "Name the variant fp32, fp16, int8, uint8, q8, q4, q4f16 or bnb4, or leave it to our own loader.",
    ),
    "MB415": Diagnostic(
        "Old files could not be removed",
        "The new output is complete and in place; only clearing up after it failed. The next build tries again.",
        "Make the files removable, or ignore this.",
    ),
    "MB420": Diagnostic(
        "Not a manifest",
        "model-manifest.json is what says which files belong to a build; this one cannot be read as one.",
        "Point at the output folder of a build, or build again.",
    ),
    "MB421": Diagnostic(
        "A manifest of another version",
        "Fields may mean something else there, and guessing would show wrong figures.",
        "Build again with this mbundle, or use the version that made it.",
    ),
    "MB422": Diagnostic(
        "The manifest contradicts itself",
        "A page would load wrong or foreign bytes from it.",
        "Build again; if the file came from elsewhere, do not use it.",
    ),
    "MB430": Diagnostic(
        "There is no onnxruntime-web to copy",
        'With Output(ort="self") the page gets the copy of onnxruntime-web that your project has installed.',
        'Run `npm install onnxruntime-web`, or leave ort="self" out and give the page its own.',
    ),
    "MB431": Diagnostic(
        "This onnxruntime-web is not one that the runtime knows",
        "The runtime is tested with onnxruntime-web 1.30 and later 1.x.",
        "Run `npm install onnxruntime-web@1`.",
    ),
}
