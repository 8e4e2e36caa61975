"""Search Lucide's icons by meaning, with all-MiniLM-L6-v2."""

from overlap import top10_overlap

from bundler import Budget, Entry, Golden, define_config
from bundler.loaders import quantize_weights

config = define_config(
    entries={
        "icons": Entry(
            source="../../.models/minilm.onnx",
            variants={
                "w8": [
                    quantize_weights(
                        block_size=128,
                        tensors=[
                            "embeddings.position_embeddings.weight",
                            "encoder.layer.[1-5].attention.self.value.weight",
                            "encoder.layer.4.intermediate.dense.weight",
                            "encoder.layer.5.attention.output.dense.weight",
                        ],
                    ),
                    quantize_weights(block_size="row"),
                ],
            },
            # 500 queries against 1908 icons: how many of the ten nearest are those that the full model finds.
            golden=Golden("../../.models/lucide.npz", metric=top10_overlap, at_least=0.95),
            budget=Budget(size="23 MB", accuracy=0.95),
        ),
    },
)
