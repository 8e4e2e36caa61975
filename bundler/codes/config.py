"""Diagnostics of the part `config`; joined in `bundler.catalogue`."""

from __future__ import annotations

from ._diagnostic import Diagnostic

CONFIG: dict[str, Diagnostic] = {
    "MB101": Diagnostic(
        "There is no config file",
        "Every build starts from model.config.py; it says which models the page needs.",
        "Run `mbundle init`, or name the file with --config.",
    ),
    "MB102": Diagnostic(
        "The config is not valid Python",
        "Python could not read the file, so nothing in it was looked at.",
        "Mend the marked line.",
    ),
    "MB103": Diagnostic(
        "The config raised an error",
        "The config is a Python program; it stopped before it said what to build.",
        "Mend the marked line.",
    ),
    "MB104": Diagnostic(
        "The config ended its process",
        "A config that exits cannot hand over what it declares, and an exit status of 0 would look like success.",
        "Remove the call that exits; to build nothing, raise an error that says why.",
    ),
    "MB105": Diagnostic(
        "The config takes too long",
        "It is evaluated for each build and each change in watch mode, so slow work in it is felt every time.",
        "Move slow work into a loader, where it is cached.",
    ),
    "MB106": Diagnostic(
        "The config file sets no `config`",
        "mbundle looks for the name `config` in model.config.py.",
        "Write `config = define_config(entries={...})`.",
    ),
    "MB107": Diagnostic(
        "`config` is not a config",
        "It must come from define_config, or be a function from a ConfigEnv to what define_config returns.",
        "Write `config = define_config(entries={...})`.",
    ),
    "MB108": Diagnostic(
        "The config imports something that is not there",
        "The import failed, so nothing else in the config was looked at.",
        "Install the package into the environment that mbundle runs in, or mend the name.",
    ),
    "MB109": Diagnostic(
        "Folder whose name is not text",
        "Libraries, JSON and URLs take names as UTF-8 text; this one holds other bytes.",
        "Rename the folder.",
    ),
    "MB110": Diagnostic(
        "Unknown option",
        "An option that nobody reads would be a silent mistake.",
        "Remove it or mend its name.",
    ),
    "MB111": Diagnostic(
        "A required option is missing",
        "There is no default that would be right.",
        "Add the option.",
    ),
    "MB112": Diagnostic(
        "An option has a value of the wrong kind",
        "Guessing what was meant would hide the mistake.",
        "Give a value of the kind that the message names.",
    ),
    "MB113": Diagnostic(
        "An option's value is out of range",
        "The build could not use it.",
        "Give a value in the range that the message names.",
    ),
    "MB114": Diagnostic(
        "An option is passed in the wrong way",
        "Options go by name, each once, so that a config reads the same to everyone.",
        "Pass it by name, once.",
    ),
    "MB115": Diagnostic(
        "The config has no entries",
        "Without an entry there is nothing to build.",
        'Add one: entries={"name": Entry(source="model.onnx")}.',
    ),
    "MB116": Diagnostic(
        "A name cannot be used",
        "Names of entries and variants become names of files, URLs and JavaScript strings on every system.",
        "Use letters, digits, '-', '_' and '.', at most 64, starting with a letter or digit.",
    ),
    "MB117": Diagnostic(
        "Two names are the same",
        "One would replace the other: as a key, or as a file where case and punctuation do not count.",
        "Rename one of them.",
    ),
    "MB118": Diagnostic(
        "A name is reserved",
        "JavaScript objects or Windows give it a meaning of its own.",
        "Choose another name.",
    ),
    "MB120": Diagnostic(
        "Unknown loader",
        "No loader of that name is built in or installed.",
        "Mend the name, or install the package that brings the loader.",
    ),
    "MB121": Diagnostic(
        "Something in a chain is not a loader",
        "A chain holds loaders that were called, `simplify()`, or functions from a model to a model.",
        "Put a loader there, such as simplify().",
    ),
    "MB122": Diagnostic(
        "A function cannot be used as a loader",
        "It is called with the model, or with the model and the context, and returns the new model.",
        "Write `def step(model)` or `def step(model, context)`.",
    ),
    "MB123": Diagnostic(
        "An installed loader cannot be loaded",
        "Its package announces it in the entry points `mbundle.loaders`, but importing it failed.",
        "Update or remove that package.",
    ),
    "MB130": Diagnostic(
        "The output folder is refused",
        "A build owns its output folder; there it would mix with or replace files that are not its own.",
        'Use a folder of its own: output=Output(dir="dist").',
    ),
    "MB131": Diagnostic(
        "Two options contradict each other",
        "No value satisfies both.",
        "Change one of them.",
    ),
    "MB132": Diagnostic(
        "Two assets have the same file name",
        "The page asks for an asset by its file name.",
        "Rename one of the files.",
    ),
    "MB133": Diagnostic(
        "Unknown mode",
        "A mode chooses the defaults; there are two.",
        "Use --mode production or --mode development.",
    ),
    "MB134": Diagnostic(
        "A compressor is not installed",
        "brotli and zstandard are extras: not every project compresses its output.",
        "pip install 'mbundle[compress]'",
    ),
    "MB137": Diagnostic(
        "split is not as it has to be",
        "It cuts the model that all other steps have made, in one way.",
        "Put split last in the list, and give it one of at, stages, max_bytes and by='encoder'.",
    ),
    "MB140": Diagnostic(
        "The source of an entry does not exist",
        "A source is a file or folder, relative to the config.",
        "Mend the path, or export the model to it first.",
    ),
    "MB141": Diagnostic(
        "The source is not an ONNX model",
        "mbundle bundles .onnx files; other formats have to be exported first.",
        "Export the model to ONNX and name that file.",
    ),
    "MB142": Diagnostic(
        "The folder does not hold exactly one .onnx file",
        "A folder as a source stands for the only model in it.",
        "Name the file.",
    ),
    "MB143": Diagnostic(
        "The Python package of a source is not installed",
        "`package:` sources are files of a package in the environment that mbundle runs in.",
        "Install the package.",
    ),
    "MB144": Diagnostic(
        "The npm package of a source is not installed",
        "`npm:` sources are files below node_modules, looked for from the config's folder upwards.",
        "Install the package.",
    ),
    "MB145": Diagnostic(
        "A source leads out of its package",
        "A package source names a file of that package and nothing else.",
        "Name a file inside the package.",
    ),
    "MB146": Diagnostic(
        "A source is written in a way that mbundle does not know",
        "A source is a path, `package:<distribution>/<path>`, `npm:<package>/<path>` or `hf:<owner>/<name>`.",
        "Save the model beside the config and name the file.",
    ),
    "MB147": Diagnostic(
        "A file cannot be read",
        "It is there, but it is not a regular file or its permissions forbid it.",
        "Give read permission, or name another file.",
    ),
    "MB148": Diagnostic(
        "A file that the config names does not exist",
        "It is shipped or read during the build.",
        "Mend the path; it is relative to the config.",
    ),
    "MB150": Diagnostic(
        "There already is a config",
        "`mbundle init` never overwrites.",
        "Edit the file, or delete it and run `mbundle init` again.",
    ),
    "MB151": Diagnostic(
        "No model was found",
        "`mbundle init` writes a config for the .onnx files that it finds; a config without any would not build.",
        "Put an .onnx file into the project and run `mbundle init` again.",
    ),
    "MB152": Diagnostic(
        "The config cannot be written",
        "The folder does not exist or cannot be written to.",
        "Run `mbundle init` in a folder of your own.",
    ),
    "MB153": Diagnostic(
        "A name that a loader cannot have",
        "A config imports a loader by its name, which no other loader may have.",
        "Give it a name of small letters, digits and _, such as round_weights.",
    ),
}
