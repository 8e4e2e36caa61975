"""Search Lucide's icons by meaning, with all-MiniLM-L6-v2."""

from overlap import top10_overlap

from bundler import Budget, Entry, Golden, Output, define_config
from bundler.loaders import fuse, quantize_weights

MODELS = "../../.models"

config = define_config(
    entries={
        "icons": Entry(
            source=f"{MODELS}/minilm.onnx",
            use=[fuse()],
            variants={
                "w8": [quantize_weights(block_size=128)],
            },
            assets=[f"{MODELS}/minilm-tokenizer.json"],
            # 500 queries against 1908 icons: how many of the ten nearest are those that the full model finds.
            golden=Golden(f"{MODELS}/lucide.npz", metric=top10_overlap, at_least=0.95),
            budget=Budget(size="24 MB", first_load="25 MB", accuracy=0.95),
        ),
    },
    output=Output(dir="mbundle-output"),
)
