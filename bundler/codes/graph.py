"""Diagnostics of the part `graph`; joined in `bundler.catalogue`."""

from __future__ import annotations

from ._diagnostic import Diagnostic

_AGAIN = "Export or download the model again."
_EXPORTER = "Export the model again with a current exporter; if it was edited by hand, undo the edit."

_FILE: dict[str, Diagnostic] = {
    "MB201": Diagnostic(
        "Model file not found",
        "The source of an entry names a file that is not there.",
        "Check the path, and that the download or export that makes it has run.",
    ),
    "MB202": Diagnostic(
        "Not a file",
        "A model is one regular file; folders, pipes and devices are not read.",
        "Name the .onnx file itself.",
    ),
    "MB203": Diagnostic(
        "Model file cannot be read",
        "The operating system refuses to open the file.",
        "Give yourself read permission on the file (chmod u+r).",
    ),
    "MB204": Diagnostic(
        "Empty file",
        "A download or export that was cut off at its start leaves a file of 0 bytes.",
        _AGAIN,
    ),
    "MB205": Diagnostic(
        "HTML page instead of a model",
        "The server answered with a page (a login, an error, a preview) and the page was saved under the model's name.",
        "Download the raw file: on a model hub that is the link with /resolve/ in it, not /blob/.",
    ),
    "MB206": Diagnostic(
        "Git LFS pointer instead of a model",
        "The repository was cloned without Git LFS, so that the file holds only the address of the real one.",
        "Run git lfs install and git lfs pull in that repository.",
    ),
    "MB207": Diagnostic(
        "Another format",
        "The first bytes are those of a format that is not ONNX.",
        "Export or convert it to ONNX first, and name the .onnx file as the source.",
    ),
    "MB208": Diagnostic(
        "Truncated file",
        "A length in the file reaches beyond the file's end, as after a download that was cut off.",
        "Compare the size with the original's and download it again; if the size is right, the file is damaged.",
    ),
    "MB209": Diagnostic(
        "Not a protobuf file",
        "ONNX models are protobuf messages, and these bytes are not: another format, or a damaged file.",
        "Check that this is the .onnx file, and download or export it again.",
    ),
    "MB210": Diagnostic(
        "Nested too deep",
        "No ONNX runtime reads messages that are nested more than 100 deep.",
        "Export the model without control flow inside control flow; real models nest a handful of levels.",
    ),
    "MB211": Diagnostic(
        "Graph too large",
        "What is left of the file without its weights is far larger than any graph: text tensors or unknown data.",
        "Move tables of strings (vocabularies) out of the model into an asset, or export it again.",
    ),
    "MB212": Diagnostic(
        "No graph in the file",
        "Other tools write protobuf files too (a TensorFlow GraphDef, a lone tensor); they parse as an empty model.",
        "Name the .onnx file of the model, or convert it to ONNX first.",
    ),
}

_VERSIONS: dict[str, Diagnostic] = {
    "MB213": Diagnostic(
        "Unknown IR version",
        "Every ONNX file says in which version of the format it is written, and this says nothing sensible.",
        _EXPORTER,
    ),
    "MB214": Diagnostic(
        "IR version too new",
        "onnxruntime-web refuses the file, and something in it cannot be written in an older version.",
        "Export with an older IR version, or raise output.max_ir_version if your onnxruntime-web takes it.",
    ),
    "MB215": Diagnostic(
        "Operator set not imported",
        "A model must say which version of each operator set its nodes are written for.",
        _EXPORTER,
    ),
    "MB216": Diagnostic(
        "Unknown opset version",
        "The model is written for a version of an operator set that does not exist.",
        "Export with an opset between 7 and output.max_opset (22 unless you changed it).",
    ),
    "MB217": Diagnostic(
        "Opset cannot be converted",
        "The target takes other opsets than the model's, and the converter cannot rewrite one of its operators.",
        "Export again with an opset between 7 and output.max_opset, or raise output.max_opset.",
    ),
    "MB218": Diagnostic(
        "Unknown operator",
        "No runtime could run the node.",
        "Check the operator's name and the opset that the model was exported with.",
    ),
    "MB219": Diagnostic(
        "Custom operator",
        "onnxruntime-web does not have the operator, so the model would not load in a page.",
        'If your app registers it itself, list it in the entry\'s external_ops ("domain::Op"); else export without it.',
    ),
    "MB220": Diagnostic(
        "Operator for one kind of hardware",
        "onnxruntime's highest optimisation level rewrites a model for the CPU it runs on; a browser cannot load that.",
        "Save the model with ORT_ENABLE_EXTENDED instead of ORT_ENABLE_ALL.",
    ),
}

_GRAPH: dict[str, Diagnostic] = {
    "MB221": Diagnostic(
        "Name is not text",
        "Names in a model are UTF-8; other bytes break the tools that print, sort or export them.",
        "Rename it with onnx in Python, or export the model again.",
    ),
    "MB222": Diagnostic(
        "Missing name",
        "Inputs, outputs and initializers are found by their names.",
        _EXPORTER,
    ),
    "MB223": Diagnostic(
        "Two initializers of one name",
        "onnxruntime takes the last of them with no more than a warning; which one is meant, nobody can tell.",
        _EXPORTER,
    ),
    "MB224": Diagnostic(
        "Name made twice",
        "Each value in a graph is made in one place; with two, what a node reads depends on the runtime.",
        _EXPORTER,
    ),
    "MB225": Diagnostic(
        "Cycle",
        "The nodes wait for each other's results, so none of them can ever run.",
        "Break the cycle where the model was edited or merged; loops are written with the Loop operator.",
    ),
    "MB226": Diagnostic(
        "Missing input",
        "A node uses a value that no node makes and that is neither an input nor an initializer.",
        "Restore the node or initializer; it was lost when the model was cut, merged or edited.",
    ),
    "MB227": Diagnostic(
        "No outputs",
        "A graph without outputs computes nothing that anyone could see.",
        "List the results as graph outputs when exporting.",
    ),
    "MB228": Diagnostic(
        "Output that nothing makes",
        "The graph promises a value that none of its nodes computes.",
        "Restore the node that makes it, or take the name off the list of outputs.",
    ),
    "MB229": Diagnostic(
        "No nodes",
        "The graph holds no operator, so there is nothing to run.",
        "Name the file with the model itself; this may hold weights or a schema only.",
    ),
    "MB237": Diagnostic(
        "Recursive function",
        "A function in ONNX is a macro; one that contains itself would have no end.",
        _EXPORTER,
    ),
    "MB238": Diagnostic(
        "Functions expand without bound",
        "Functions that call functions multiply; runtimes hang or run out of memory when they inline them.",
        "Export without nested functions, or inline and simplify the model before.",
    ),
    "MB239": Diagnostic(
        "Function defined twice",
        "Which of the two a node means, nobody can tell.",
        _EXPORTER,
    ),
    "MB240": Diagnostic(
        "Input or output without a type",
        "A page must know what to feed and what it gets, and the runtime what to allocate.",
        "Give it a type when exporting (dynamic sizes are fine).",
    ),
    "MB243": Diagnostic(
        "Input or output that is no tensor",
        "onnxruntime-web hands tensors over and nothing else: no sequences, optionals or maps.",
        "Export the model with tensors: take the sequence apart, or leave out a classifier's ZipMap (zipmap=False).",
    ),
    "MB242": Diagnostic(
        "Function cannot be inlined",
        "Weights inside a function cannot be stored outside the graph, so the function has to be written out.",
        "Export without functions, or pass the weights to the function as inputs.",
    ),
    "MB241": Diagnostic(
        "Malformed attribute",
        "An attribute needs a name of its own, and a reference to a function's attribute only makes sense inside it.",
        _EXPORTER,
    ),
}

_TENSORS: dict[str, Diagnostic] = {
    "MB230": Diagnostic(
        "Impossible shape",
        "A stored tensor has sizes of zero or more, and as many elements as fit into memory.",
        _EXPORTER,
    ),
    "MB231": Diagnostic(
        "Impossible data type",
        "The type of a tensor does not exist, or does not go with the way its data is stored.",
        _EXPORTER,
    ),
    "MB232": Diagnostic(
        "Tensor of the wrong size",
        "Shape and type say how many bytes there must be; runtimes read on, or cut off, without a word.",
        _AGAIN,
    ),
    "MB233": Diagnostic(
        "Tensor with no data, or two",
        "A tensor's data is in exactly one place; with two, two runtimes see two models.",
        _EXPORTER,
    ),
    "MB234": Diagnostic(
        "Broken sparse tensor",
        "Each index must lie inside the shape, in ascending order, one for each value.",
        "Store the tensor dense, or export the model again.",
    ),
    "MB235": Diagnostic(
        "Sparse tensor too large",
        "Runtimes unfold a sparse tensor when they load it, and this one would not fit into a browser.",
        "Use a smaller shape; embedding tables are better quantized than sparse.",
    ),
    "MB236": Diagnostic(
        "Data type that browsers cannot run",
        "onnxruntime-web has no kernels for it.",
        "Export with float32, float16, bfloat16, float8, int8 or int4 weights.",
    ),
}

_EXTERNAL: dict[str, Diagnostic] = {
    "MB250": Diagnostic(
        "External data without a file",
        "The tensor says that its data lies in another file, but not (or not clearly) in which.",
        "Save the model again with onnx.save(..., save_as_external_data=True).",
    ),
    "MB251": Diagnostic(
        "External data by an unsafe path",
        "A model that names absolute paths or climbs out of its folder could read any file on the machine.",
        "Put the data file beside the model and save the model with a plain relative location.",
    ),
    "MB252": Diagnostic(
        "External data file missing",
        "The model is in two parts, the graph and its weights, and the second is not there.",
        "Download or copy the data file into the model's folder, under exactly that name.",
    ),
    "MB253": Diagnostic(
        "External data outside the project",
        "The location leads, through a symbolic link, to a place that the config does not allow.",
        "Copy the file into the model's folder, or add its folder to the entry's allow_external.",
    ),
    "MB254": Diagnostic(
        "External data is not a file",
        "Weights are read from regular files only; a pipe or device may never end.",
        "Put the data file itself in that place.",
    ),
    "MB255": Diagnostic(
        "External data is the model itself",
        "A tensor that reads the graph's own bytes is a mistake, or an attempt to smuggle data.",
        "Save the model again with onnx.save(..., save_as_external_data=True).",
    ),
    "MB256": Diagnostic(
        "External data out of range",
        "Offset and length must be numbers, and lie inside the data file.",
        "Check that the data file is complete and belongs to this version of the model.",
    ),
    "MB257": Diagnostic(
        "External data of the wrong size",
        "The length that the model gives is not what the tensor's shape and type need.",
        "Check that the data file belongs to this version of the model, and export both again.",
    ),
    "MB265": Diagnostic(
        "File changed while it was read",
        "Weights are read where they lie; an export or download was writing the same file at the same time.",
        "Build again when the export or download has finished.",
    ),
    "MB258": Diagnostic(
        "External data cannot be read",
        "The operating system refuses to open the file.",
        "Give yourself read permission on the file, and check its name.",
    ),
}

_GATES: dict[str, Diagnostic] = {
    "MB260": Diagnostic(
        "Refused by the ONNX checker",
        "The official checker finds that the model does not follow the specification.",
        _EXPORTER,
    ),
    "MB261": Diagnostic(
        "Refused by onnxruntime",
        "The runtime that the page will use cannot load the model.",
        "Check the node that the message names; export again, or report it to the exporter's maintainers.",
    ),
    "MB262": Diagnostic(
        "No implementation of an operator",
        "onnxruntime knows the operator, but cannot run it for these types.",
        "Use another data type for that part of the model (float32 always works).",
    ),
    "MB263": Diagnostic(
        "Shapes or types that do not fit",
        "onnxruntime follows shapes and types through the graph, and finds two that contradict each other.",
        "Check the node that the message names; the model was changed without its neighbours.",
    ),
    "MB264": Diagnostic(
        "Path that is not text",
        "onnxruntime takes file names as UTF-8 only, and one of the model's files has another name.",
        "Rename the file or its folder.",
    ),
}

GRAPH: dict[str, Diagnostic] = _FILE | _VERSIONS | _GRAPH | _TENSORS | _EXTERNAL | _GATES
