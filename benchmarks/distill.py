"""A student of MiniLM with half its layers, beside the teacher, the plain cut and what quantizing gives for its bytes.

`python -m benchmarks.distill [--epochs 3] [--work FOLDER]`. It learns from Lucide's icon names and tags, pairs of them,
and words of Python's own documentation. The 500 queries of the golden set are held out: no line that it learns from
holds one of them, and they do not decide when to stop. Overlap: how many of a query's ten nearest icons are those that
the teacher finds; hits: how often one of the ten is an icon that people gave this tag; time: of the teacher's, a median
of runs in turn. Needs the checkpoint (`python -m fixtures.minilm`) and MBUNDLE_EXPORT_PYTHON; about ten minutes, almost
all of them training. With --work the cache stays, and training that was broken off goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from pydoc_data import topics
from typing import Any

import numpy as np
import onnx

from fixtures import minilm, safetensors
from fixtures.encoder import Encoder
from fixtures.overlap import QUERIES, TOP
from tests.dist import assemble
from tests.web.test_prune import ratio, session

from .processes import python, wall

KEPT = (1, 3, 5)
"""Layers of the plain cut: those that the student begins with."""
LINES = 40_000
VARIANTS = {
    "fp32": "",
    "8 bit": "quantize_weights(bits=8)",
    "8 and 4 bit": "quantize_weights(bits=4, embeddings=False), quantize_weights(bits=8)",
    "4 bit": "quantize_weights(bits=4)",
}
CONFIG = """from bundler import Entry, define_config, distill
from bundler.loaders import quantize_weights

VARIANTS = {VARIANTS}
config = define_config(
    entries={{
        "teacher": Entry(source="minilm", variants=VARIANTS),
        "cut": Entry(source="cut.onnx", variants=VARIANTS),
        "student": Entry(
            source=distill(
                "minilm",
                student={LAYERS},
                data="texts.txt",
                epochs={EPOCHS},
                batch_size=64,
                learning_rate=5e-4,
                max_length=16,
            ),
            variants=VARIANTS,
        ),
    }},
)
"""

Array = np.ndarray[Any, Any]


def lessons() -> list[str]:
    """Lines to learn from, none of which holds a query of the golden set as words of its own."""
    queries = sorted((query.lower() for query in minilm.texts()[0]), key=len, reverse=True)
    held_out = re.compile(rf"(?<![a-z0-9])(?:{'|'.join(map(re.escape, queries))})(?![a-z0-9])")
    found = {line for line in _lines() if line.strip() and not held_out.search(line.lower())}
    lines = sorted(found)
    random.Random(7).shuffle(lines)
    return lines


def _lines() -> Iterator[str]:
    chance, tags = random.Random(7), minilm.tags()
    documentation = re.findall(r"[A-Za-z]+", " ".join(topics.topics[name] for name in sorted(topics.topics)))
    every = sorted({tag for own in tags.values() for tag in own})
    icons = sorted(tags)
    yield from every
    yield from (icon.replace("-", " ") for icon in icons)
    yield from sorted({word for word in documentation if len(word) > 2})
    for _ in range(LINES):
        icon, start = chance.choice(icons), chance.randrange(len(documentation) - 6)
        own = tags[icon] or ["icon"]
        yield chance.choice(
            [
                f"{icon.replace('-', ' ')} {chance.choice(own)}",
                " ".join(chance.sample(own, min(len(own), chance.choice((2, 3))))),
                f"{chance.choice(every)} {chance.choice(every)}",
                " ".join(documentation[start : start + chance.choice((2, 3, 4, 5))]),
            ]
        )


def plain_cut() -> onnx.ModelProto:
    """MiniLM without every other layer, and nothing else done to it."""
    tensors = safetensors.parse((minilm.checkpoint() / "model.safetensors").read_bytes())
    prefix = "encoder.layer."
    kept = {name: one for name, one in tensors.items() if not name.startswith(prefix)}
    for place, layer in enumerate(KEPT):
        own = f"{prefix}{layer}."
        kept |= {name.replace(own, f"{prefix}{place}."): one for name, one in tensors.items() if name.startswith(own)}
    model: onnx.ModelProto = Encoder(kept, minilm.HEADS).model()
    return model


class Search:
    """The golden set as a search: 500 queries against the icons."""

    def __init__(self) -> None:
        with np.load(minilm.golden()) as file:
            count = sum(name.endswith("/input_ids") for name in file.files)
            names = ("input_ids", "attention_mask", "token_type_ids")
            self._batches = [{name: file[f"{index}/{name}"] for name in names} for index in range(count)]
        self._labelled = _labelled()

    def nearest(self, model: Path) -> Array:
        run = session(model)
        wanted = {port.name for port in run.get_inputs()}
        vectors = np.concatenate([_pooled(run, batch, wanted) for batch in self._batches])
        order: Array = np.argsort(-(vectors[:QUERIES] @ vectors[QUERIES:].T), axis=1, kind="stable")[:, :TOP]
        return order

    def time(self, model: Path, teacher: Path) -> float:
        """Of that of the teacher, for one short text, on one thread of native onnxruntime; runs in turn."""
        feeds = {name: one[:1] for name, one in self._batches[0].items()}
        runs = [session(path) for path in (model, teacher)]
        mine, theirs = (lambda run=run: run.run(None, feeds) for run in runs)
        return ratio(mine, theirs)

    def hits(self, nearest: Array) -> float:
        return float(np.mean([self._labelled[row, icons].any() for row, icons in enumerate(nearest)]))


def _pooled(run: Any, batch: dict[str, Array], wanted: set[str]) -> Array:
    (states,) = run.run(["last_hidden_state"], {name: one for name, one in batch.items() if name in wanted})
    mask = batch["attention_mask"][..., None]
    mean = (states * mask).sum(1) / mask.sum(1)
    pooled: Array = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return pooled


def _labelled() -> Array:
    """[query, icon] in the order of the golden set, which sorts texts by length: whether people gave it that tag."""
    queries, names = minilm.texts()
    tags = minilm.tags()
    icons = sorted(tags)
    rows, columns = _order(queries), _order(names)
    return np.array([[queries[row] in tags[icons[column]] for column in columns] for row in rows])


def _order(texts: list[str]) -> list[int]:
    codes = [encoding.ids for encoding in minilm.tokenizer().encode_batch(texts)]
    return sorted(range(len(codes)), key=lambda index: (len(codes[index]), codes[index]))


def prepare(work: Path, epochs: int) -> None:
    """A project in `work`."""
    if not (work / "minilm").exists():
        (work / "minilm").symlink_to(minilm.checkpoint())
    onnx.save(plain_cut(), work / "cut.onnx")
    (work / "texts.txt").write_text("\n".join(lessons()) + "\n")
    slug = {name.replace(" ", "-"): steps for name, steps in VARIANTS.items()}
    variants = "{" + ", ".join(f'"{name}": [{steps}]' for name, steps in slug.items()) + "}"
    text = CONFIG.format(VARIANTS=variants, LAYERS=len(KEPT), EPOCHS=epochs)
    (work / "model.config.py").write_text(text)


def show(work: Path) -> None:
    stats = json.loads((work / ".mbundle/stats.json").read_bytes())
    search = Search()
    rows: list[tuple[str, str, float, Path]] = []
    for entry in sorted(stats["entries"], key=lambda one: ("teacher", "student", "cut").index(one["name"])):
        for variant in entry["variants"]:
            name, label = entry["name"], variant["name"]
            model = assemble(work / "dist", work / "again" / name / label, name, label)
            rows.append((name, label, variant["bytes"] / 1e6, model))
            if name == "student" and label == "fp32":
                print("\n".join(entry["notes"][:1]))
    teacher = rows[0][3]
    wanted = search.nearest(teacher)
    print(f"\n{'':24}{'MB':>8}{'overlap':>10}{'hits':>8}{'time':>8}")
    for name, label, size, model in rows:
        nearest = search.nearest(model)
        overlap = np.mean([len(set(a) & set(b)) / TOP for a, b in zip(nearest, wanted, strict=True)])
        figures = f"{size:8.2f}{overlap:10.3f}{search.hits(nearest):8.3f}{search.time(model, teacher):8.2f}"
        print(f"{name:9}{label.replace('-', ' '):15}{figures}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder to work in, which stays")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mbundle-bench-") as temporary:
        work = (arguments.work or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        prepare(work, arguments.epochs)
        print(f"{len((work / 'texts.txt').read_text().splitlines())} lines to learn from", flush=True)
        seconds = wall(python("-m", "bundler", "build"), work)
        print(f"built in {seconds:.0f} s")
        show(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
