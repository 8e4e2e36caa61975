"""The flagship: all-MiniLM-L6-v2 on Lucide's icons, by the top-10 overlap with fp32. Figures: docs/benchmarks.md."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from fixtures import minilm, overlap

from .cli import run

pytestmark = [pytest.mark.slow, pytest.mark.models]

CONFIG = """from bundler import Entry, Golden, define_config
from bundler.loaders import auto, quantize_dynamic, quantize_weights
from overlap import top10_overlap

config = define_config(entries={
    "icons": Entry(
        source="minilm.onnx",
        golden=Golden("lucide.npz", metric=top10_overlap),
        variants={VARIANTS},
    ),
})
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    pytest.importorskip("tokenizers")
    (tmp_path / "minilm.onnx").symlink_to(minilm.model())
    (tmp_path / "lucide.npz").symlink_to(minilm.golden())
    shutil.copy(overlap.__file__, tmp_path / "overlap.py")
    return tmp_path


def built(project: Path, **variants: str) -> dict[str, Any]:
    """Variant -> (megabytes on the wire, top-10 overlap)."""
    listed = ", ".join(f'"{name}": [{steps}]' for name, steps in variants.items())
    (project / "model.config.py").write_text(CONFIG.replace("VARIANTS", listed))
    stats = run(project, "build", "--json", timeout=3000).ok().json
    found = stats["entries"][0]["variants"]
    return {one["name"]: (one["bytes"] / 1e6, one["steps"][-1]["metric"]) for one in found}


def test_eight_bits_beside_the_stock_recipes(project: Path) -> None:
    fine = [
        "embeddings.position_embeddings.weight",
        "encoder.layer.[1-5].attention.self.value.weight",
        "encoder.layer.4.intermediate.dense.weight",
        "encoder.layer.5.attention.output.dense.weight",
    ]
    found = built(
        project,
        q8='quantize_dynamic(weight_type="uint8")',
        q4="quantize_weights(bits=4, embeddings=False)",
        w8=f'quantize_weights(block_size=128, tensors={fine}), quantize_weights(block_size="row")',
    )
    assert found["q8"][1] < 0.83
    assert found["q4"][0] > 50
    assert found["q4"][1] < 0.83
    assert found["w8"][0] <= 23
    assert found["w8"][1] >= 0.965
