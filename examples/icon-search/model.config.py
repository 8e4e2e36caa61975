"""Search Lucide's icons by meaning, with all-MiniLM-L6-v2."""

from overlap import hit_rate, top10_overlap

from bundler import Budget, Entry, Golden, Output, define_config
from bundler.loaders import fuse, quantize_weights

MODELS = "../../.models"

config = define_config(
    entries={
        "icons": Entry(
            source=f"{MODELS}/minilm",
            use=[fuse()],
            variants={
                "w8": [quantize_weights(block_size=128)],
            },
            # 500 queries against 1908 icons: how many of the ten nearest are those that the full model finds, and how
            # often one of the ten has the query as a tag.
            golden=Golden(f"{MODELS}/lucide-golden.npz", metrics={top10_overlap: 0.95, hit_rate: 0.36}),
            budget=Budget(size="24 MB", first_load="25 MB", accuracy={top10_overlap: 0.95, hit_rate: 0.36}),
        ),
    },
    output=Output(dir="mbundle-output"),
)
