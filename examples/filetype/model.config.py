"""Tell what type a dropped file is, in the page, with Google's magika model."""

from samples import features

from bundler import Budget, Entry, Golden, Output, define_config
from bundler.loaders import quantize_dynamic, simplify

config = define_config(
    entries={
        "filetype": Entry(
            source="package:magika/magika/models/standard_v3_3/model.onnx",
            use=[simplify()],
            variants={
                "q8": [quantize_dynamic()],
                "fp32": [],
            },
            # "labels" of the samples are what their file names say: right at least as often as the full model.
            golden=Golden(features, metric="labels", at_least=0.9),
            budget=Budget(size="900 kB", accuracy=0.9),
        ),
    },
    output=Output(dir="dist", ort="self"),
)
