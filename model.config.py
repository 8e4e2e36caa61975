"""Our own example: tell what type a dropped file is, in the page, with Google's magika model (3 MB)."""

from bundler import Entry, Output, define_config
from bundler.loaders import quantize_dynamic, simplify

config = define_config(
    entries={
        "filetype": Entry(
            source="package:magika/magika/models/standard_v3_3/model.onnx",
            use=[simplify()],
            # Like srcset: the runtime takes the first variant that the browser can use.
            variants={
                "q8": [quantize_dynamic()],
                "fp32": [],
            },
        ),
    },
    output=Output(dir="dist"),
)
