"""Diagnostics of golden sets and of `mbundle why`; joined in `bundler.catalogue`."""

from __future__ import annotations

from ._diagnostic import Diagnostic

GOLDEN: dict[str, Diagnostic] = {
    "MB520": Diagnostic(
        "golden inputs were made up",
        "Random inputs find what is broken; they prove little about what a model does for your visitors.",
        'Give real ones: Golden("inputs.npz"), a folder, or a function that makes samples; then record again.',
    ),
    "MB521": Diagnostic(
        "there is no golden set",
        "A check compares the emitted files with what the source model made of recorded inputs.",
        "Run `mbundle golden record` and commit the folder golden/.",
    ),
    "MB522": Diagnostic(
        "the golden set is of another source",
        "The model was changed after its outputs were recorded, so they may not be what it gives now.",
        "Run `mbundle golden record` again if the change was meant.",
    ),
    "MB523": Diagnostic(
        "not a golden set",
        "golden/<entry>.npz holds inputs, the source's outputs and a description of both.",
        "Run `mbundle golden record` again.",
    ),
    "MB524": Diagnostic(
        "a variant gives wrong answers",
        "Its emitted files were run on the golden inputs, and what came out is not what the source says.",
        "Run `mbundle golden check --write` to leave it out where it is wrong, or change its steps.",
    ),
    "MB525": Diagnostic(
        "a variant is left out on a provider",
        "A golden check found its answers wrong there, and golden/verdicts.json says so.",
        "Nothing need be done: visitors get another variant. `mbundle golden check --write` looks again.",
    ),
    "MB526": Diagnostic(
        "golden/verdicts.json cannot be read",
        "It says on which providers variants were found wrong; without it wrong ones would be shipped.",
        "Restore it, or delete it and run `mbundle golden check --write`.",
    ),
    "MB527": Diagnostic(
        "a verdict is of an earlier build",
        "The variant was found wrong on a provider and has changed since; it stays left out until somebody looks.",
        "Run `mbundle golden check --write`.",
    ),
    "MB528": Diagnostic(
        "there is no such entry or variant",
        "A golden check looks at the entries and variants of the emitted manifest.",
        "Use a name of the config, and build first.",
    ),
    "MB529": Diagnostic(
        "the source could not be recorded",
        "A golden set is what the source model makes of its inputs, so the source must run on them.",
        "Mend the golden inputs, or give others.",
    ),
    "MB530": Diagnostic(
        "nothing of that name is in the output",
        "`mbundle why` knows the tensors, chunks and operators of an output folder, and the word `bytes`.",
        "See `mbundle why bytes`.",
    ),
}
