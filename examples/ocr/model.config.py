"""Read a line of text in the page, with PaddleOCR's recognition model."""

from lines import rendered

from bundler import Budget, Entry, Golden, Output, define_config
from bundler.loaders import quantize_weights, simplify

config = define_config(
    entries={
        "ocr": Entry(
            source="package:rapidocr-onnxruntime/rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
            use=[simplify()],
            variants={
                "w8": [quantize_weights()],
                "fp32": [],
            },
            # One row of scores a place in the line: the largest must be that of the full model.
            golden=Golden(rendered, metric="tokens", at_least=0.97),
            budget=Budget(size="4 MB", accuracy=0.97),
        ),
    },
    output=Output(dir="dist", ort="self"),
)
