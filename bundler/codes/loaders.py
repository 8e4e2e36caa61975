"""Diagnostics of the part `loaders`; joined in `bundler.catalogue`."""

from __future__ import annotations

from ._diagnostic import Diagnostic

_LIBRARY = "Libraries that read models are native code, which some models bring down; each runs in its own process."

LOADERS: dict[str, Diagnostic] = {
    "MB301": Diagnostic(
        "a step crashed",
        _LIBRARY,
        "Leave this step out for the entry; if the model comes from you, export it again with a newer exporter.",
    ),
    "MB302": Diagnostic(
        "a step was killed",
        "The operating system ends the process that uses most memory when there is none left.",
        "Close other programs or build with `--jobs 1`; a smaller model or fewer steps also help.",
    ),
    "MB303": Diagnostic(
        "a step took too long",
        "A small file can hold a model that keeps a library busy for ever.",
        "Leave this step out for the entry, or check that the model is what you think it is.",
    ),
    "MB304": Diagnostic(
        "a step used too much processor time",
        "A small file can hold a model that keeps a library busy for ever.",
        "Leave this step out for the entry, or check that the model is what you think it is.",
    ),
    "MB305": Diagnostic(
        "a step needs too much memory",
        "A small file can ask for tensors of any size; a limit keeps the machine usable.",
        "Leave this step out for the entry, or check the shapes that the model makes (ConstantOfShape, Expand, Tile).",
    ),
    "MB306": Diagnostic(
        "a step failed",
        "The step, or a library that it uses, gave up with an error that mbundle does not know.",
        "Leave this step out for the entry; run with --debug for the traceback.",
    ),
    "MB307": Diagnostic(
        "a step ended its process",
        "A step must return a model; code that calls sys.exit or os._exit ends it before it can.",
        "Remove the call that exits, or leave this step out.",
    ),
    "MB308": Diagnostic(
        "the helper process is gone",
        "mbundle starts its children through one helper process. Something killed it, most likely for want of memory.",
        "Build again; with `--jobs 1` if it happens again.",
    ),
    "MB309": Diagnostic(
        "no working folder",
        "Each step works in a temporary folder of its own, so that libraries leave nothing beside your files.",
        "Free some space there (`mbundle cache gc` may help), or choose another folder with --cache-dir.",
    ),
    "MB310": Diagnostic(
        "a function loader returned nothing",
        "A loader hands the model on; Python returns None from a function without `return`.",
        "Return the model at the end of the function.",
    ),
    "MB311": Diagnostic(
        "a function loader returned something else",
        "The next step and the emitter need the Model that flows through the chain.",
        "Return `model`, or `model.with_ir(edited, context.scratch)` after an edit.",
    ),
    "MB312": Diagnostic(
        "a loader's option names something that the model does not have",
        "Inputs and outputs are named as in the file; `mbundle inspect` lists them.",
        "Correct the name.",
    ),
    "MB313": Diagnostic(
        "the variants of an entry differ in their inputs or outputs",
        "The page loads whichever variant suits the browser and calls all of them alike.",
        "Put dce(outputs=...) into the entry's `use`, so that every variant goes through it.",
    ),
    "MB314": Diagnostic(
        "the calibration data does not fit the model",
        "Static quantization measures the ranges of activations by running the model on samples of real inputs.",
        "Give arrays named like the model's inputs, each of its input's shape or with one dimension more for a stack.",
    ),
    "MB320": Diagnostic(
        "a step makes the model bigger",
        "An optimisation that adds bytes costs every visitor; constant folding does this to shared weights.",
        'Leave the step out, or set on_regression="rollback" to go on without it.',
    ),
    "MB321": Diagnostic(
        "a step's result does not load",
        "Libraries write models now and then that no runtime accepts.",
        'Leave the step out, or set on_regression="rollback" to go on without it.',
    ),
    "MB322": Diagnostic(
        "a step changes inputs or outputs",
        "The page feeds the model by these names and types.",
        'Leave the step out, or set on_regression="rollback" to go on without it.',
    ),
    "MB323": Diagnostic(
        "a step breaks the model",
        "NaN, infinities or another shape where the source has numbers: the page would get garbage without an error.",
        'Leave the step out, or set on_regression="rollback" to go on without it.',
    ),
    "MB324": Diagnostic(
        "a step changes the outputs too much",
        "The result is compared with the source after every step, on the golden inputs or on generated ones.",
        "Raise the entry's max_error, or lower the at_least of its golden set, if that is fine; "
        'else leave the step out, or set on_regression="rollback".',
    ),
    "MB325": Diagnostic(
        "the golden metric fails",
        "It gets what a step's result and the source give for all golden samples, and says how well they agree.",
        "Return a finite number, higher for better, from the function that Golden(metric=...) names.",
    ),
    "MB330": Diagnostic(
        "the model cannot be split so",
        "Stages hand each other tensors of numbers; a cut must fall between two operators where only such cross.",
        "Name other values in split(at=...), ask for fewer stages or larger ones, or leave split out.",
    ),
    "MB331": Diagnostic(
        "the stages do not give what the model gives",
        "They are run one after the other on the golden inputs, or on generated ones, and compared with the model.",
        'Cut elsewhere, leave split out, or set on_regression="rollback" to ship the model whole.',
    ),
}
