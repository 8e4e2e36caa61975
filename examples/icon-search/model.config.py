"""Search Lucide's icons by meaning, with all-MiniLM-L6-v2."""

from overlap import hit_rate, top10_overlap

from bundler import Budget, Entry, Golden, Output, define_config
from bundler.loaders import fuse, quantize_weights, simplify

MODELS = "../../.models"

config = define_config(
    entries={
        "icons": Entry(
            source=f"{MODELS}/minilm",
            use=[fuse()],
            variants={
                "w8": [quantize_weights(block_size=128)],
                # For visitors who save data, who get the smallest. It opens 0.4 s later, so it is not for everybody.
                # auto(accuracy=0.95, minutes=45) found it, `mbundle build --write` put it here: nothing is searched.
                "small": [
                    simplify(),
                    quantize_weights(
                        bits=4,
                        block_size=64,
                        symmetric=False,
                        calibrate=True,
                        tensors=[
                            "embeddings.position_embeddings.weight",
                            "embeddings.word_embeddings.weight",
                            "encoder.layer.0.attention.self.key.weight",
                            "encoder.layer.1.attention.output.dense.weight",
                            "encoder.layer.1.attention.self.key.weight",
                            "encoder.layer.1.attention.self.query.weight",
                            "encoder.layer.2.attention.output.dense.weight",
                            "encoder.layer.2.attention.self.key.weight",
                            "encoder.layer.2.attention.self.query.weight",
                            "encoder.layer.2.attention.self.value.weight",
                            "encoder.layer.3.attention.self.key.weight",
                            "encoder.layer.3.attention.self.query.weight",
                            "encoder.layer.4.attention.self.key.weight",
                            "encoder.layer.4.attention.self.query.weight",
                        ],
                    ),
                    quantize_weights(
                        block_size="row",
                        tensors=[
                            "encoder.layer.0.attention.output.dense.weight",
                            "encoder.layer.0.attention.self.query.weight",
                            "encoder.layer.0.attention.self.value.weight",
                            "encoder.layer.0.intermediate.dense.weight",
                            "encoder.layer.3.attention.output.dense.weight",
                            "encoder.layer.4.attention.output.dense.weight",
                            "encoder.layer.5.attention.self.key.weight",
                            "encoder.layer.5.attention.self.query.weight",
                        ],
                    ),
                    quantize_weights(
                        block_size=128,
                        tensors=[
                            "encoder.layer.0.output.dense.weight",
                            "encoder.layer.1.attention.self.value.weight",
                            "encoder.layer.1.intermediate.dense.weight",
                            "encoder.layer.1.output.dense.weight",
                            "encoder.layer.2.intermediate.dense.weight",
                            "encoder.layer.2.output.dense.weight",
                            "encoder.layer.3.attention.self.value.weight",
                            "encoder.layer.3.intermediate.dense.weight",
                            "encoder.layer.3.output.dense.weight",
                            "encoder.layer.4.attention.self.value.weight",
                            "encoder.layer.4.intermediate.dense.weight",
                            "encoder.layer.4.output.dense.weight",
                            "encoder.layer.5.attention.output.dense.weight",
                            "encoder.layer.5.attention.self.value.weight",
                            "encoder.layer.5.intermediate.dense.weight",
                            "encoder.layer.5.output.dense.weight",
                        ],
                    ),
                ],
            },
            # 500 queries against 1908 icons: how many of the ten nearest are those that the full model finds, and how
            # often one of the ten has the query as a tag. The 4 bits are rounded with other texts in view than these.
            golden=Golden(
                f"{MODELS}/lucide-golden.npz",
                calibration=f"{MODELS}/lucide-learn.npz",
                metrics={top10_overlap: 0.95, hit_rate: 0.36},
            ),
            budget=Budget(size="24 MB", first_load="25 MB", accuracy={top10_overlap: 0.95, hit_rate: 0.36}),
        ),
    },
    output=Output(dir="mbundle-output"),
)
