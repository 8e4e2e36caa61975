"""kv_cache: the cache in another form, in graphs as optimum and onnxruntime-genai write them; 4-bit tied weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from bundler.config.schema import GoldenSpec, LoaderSpec
from bundler.emit.describe import providers
from bundler.errors import StepError
from bundler.graph.generation import generation_of
from bundler.graph.model import Model
from bundler.graph.write import private_copy
from bundler.loaders.verify.cache import plain, stored
from bundler.loaders.verify.scales import of_model
from fixtures.decoder.graph import decoder
from fixtures.decoder.native import Native
from fixtures.decoder.network import initial
from fixtures.decoder.shape import Shape
from fixtures.models import make, noise, port, tensor

from .chains import Bench

SMALL = Shape(words=96, width=64, layers=2, heads=4, groups=2, inner=96)
TOKENS = np.random.default_rng(3).integers(1, 96, 24).tolist()
INT8, INT4, HALF = (LoaderSpec("kv_cache", (("dtype", dtype),)) for dtype in ("int8", "int4", "float16"))
CACHES = ("past_key_values", "present")
ALL = "past_sequence_length + sequence_length"


def llama() -> ModelProto:
    """Sharper than `initial` makes it: attention that looks at all alike would hide what is wrong with keys."""
    weights = initial(SMALL, np.random.default_rng(1))
    sharp = ("q_proj", "k_proj")
    return decoder(
        SMALL, {name: array * (3 if any(one in name for one in sharp) else 1) for name, array in weights.items()}
    )


def grouped(dtype: int = TensorProto.FLOAT) -> ModelProto:
    """One layer of GroupQueryAttention, as onnxruntime-genai's builder writes it; no Concat makes its `present`."""
    width, groups, head = 32, 2, 16
    kv = ["batch_size", groups, "past_sequence_length", head]
    kind = np.float16 if dtype == TensorProto.FLOAT16 else np.float32
    sizes = {"table": (96, width), "q": (width, 4 * head), "k": (width, 2 * head), "v": (width, 2 * head)}
    sizes |= {"o": (4 * head, width), "head": (width, 96)}
    tensors = [tensor(name, (noise(i, *size) * 5).astype(kind)) for i, (name, size) in enumerate(sizes.items())]
    tensors += [tensor("one", np.array([1], np.int32)), tensor("axis", np.array([1]))]
    node = helper.make_node
    nodes = [
        node("Gather", ["table", "input_ids"], ["x"]),
        *(node("MatMul", ["x", name], [f"x{name}"]) for name in "qkv"),
        node("ReduceSum", ["attention_mask", "axis"], ["seen"], keepdims=1),
        node("Cast", ["seen"], ["seen32"], to=TensorProto.INT32),
        node("Sub", ["seen32", "one"], ["last"]),
        node("Shape", ["attention_mask"], ["dims"], start=1, end=2),
        node("Squeeze", ["dims"], ["length"]),
        node("Cast", ["length"], ["total"], to=TensorProto.INT32),
        node(
            "GroupQueryAttention",
            ["xq", "xk", "xv", "past_key_values.0.key", "past_key_values.0.value", "last", "total"],
            ["mixed", "present.0.key", "present.0.value"],
            domain="com.microsoft",
            num_heads=4,
            kv_num_heads=groups,
        ),
        node("MatMul", ["mixed", "o"], ["y"]),
        node("Add", ["x", "y"], ["z"]),
        node("MatMul", ["z", "head"], ["scores"]),
        node("Cast", ["scores"], ["logits"], to=TensorProto.FLOAT),
    ]
    inputs = [port("input_ids", ["batch_size", "sequence_length"], TensorProto.INT64)]
    inputs += [port("attention_mask", ["batch_size", ALL], TensorProto.INT64)]
    inputs += [port(f"past_key_values.0.{one}", kv, dtype) for one in ("key", "value")]
    outputs = [port("logits", ["batch_size", "sequence_length", 96])]
    outputs += [port(f"present.0.{one}", [*kv[:2], ALL, head], dtype) for one in ("key", "value")]
    return make(nodes, inputs, outputs, tensors, opset=18, domains=[("com.microsoft", 1)])


def native(model: Model, folder: Path) -> Native:
    folder.mkdir()
    return Native(private_copy(model, str(folder)))


def scores(native: Native, pieces: list[list[int]]) -> np.ndarray[Any, Any]:
    native.begin()
    return np.concatenate([native.feed(piece) for piece in pieces])


def cosine(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    return float((one * other).sum() / np.sqrt((one * one).sum() * (other * other).sum()))


@pytest.mark.parametrize("make_model", [llama, grouped], ids=["optimum", "genai"])
@pytest.mark.parametrize(
    ("step", "share", "least"), [(HALF, 0.5, 0.999999), (INT8, 0.28, 0.9995)], ids=["half", "int8"]
)
def test_texts_go_on_alike(
    make_model: Any, step: LoaderSpec, share: float, least: float, bench: Bench, tmp_path: Path
) -> None:
    source = bench.read(make_model())
    (record,), model = (found := bench.run_model(source, step)).records, found.model
    inside = make_model is grouped and step is INT8
    assert (record.status, "made-up texts" in record.note, bool(record.note)) == ("ok", inside, inside)
    before, after = (generation_of(one.signature, source.signature) for one in (source, model))
    assert before is not None
    assert after is not None
    assert after.bytes_per_token <= share * before.bytes_per_token
    assert (before.head, before.words, before.cache) == (after.head, after.words, after.cache)
    same = [port for port in model.signature.inputs if port.dtype == "int64"]
    assert same == [port for port in source.signature.inputs if port.dtype == "int64"]
    plain_one, small = (native(one, tmp_path / name) for one, name in ((source, "before"), (model, "after")))
    steps = [TOKENS[:9], *([token] for token in TOKENS[9:])]
    expected = scores(plain_one, [TOKENS])
    np.testing.assert_allclose(scores(plain_one, steps), expected, atol=1e-4)
    found_scores = scores(small, steps)
    assert cosine(found_scores, expected) > least
    assert not np.array_equal(found_scores, expected)


def test_a_float16_model_keeps_its_cache_as_int8(bench: Bench, tmp_path: Path) -> None:
    source = bench.read(grouped(TensorProto.FLOAT16))
    result = bench.run_model(source, HALF, INT8)
    assert [record.status for record in result.records] == ["skipped", "ok"]
    assert "float16 already" in result.records[0].note
    one, other = (native(each, tmp_path / name) for each, name in ((source, "a"), (result.model, "b")))
    steps = [TOKENS[:9], *([token] for token in TOKENS[9:])]
    assert cosine(scores(one, steps), scores(other, steps)) > 0.9995


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.FLOAT16], ids=["float32", "float16"])
@pytest.mark.parametrize(("step", "part", "least"), [(INT8, 1, 0.9995), (INT4, 0.5, 0.98)], ids=["int8", "int4"])
def test_group_query_attention_keeps_few_bits_itself(
    dtype: int, step: LoaderSpec, part: float, least: float, bench: Bench, tmp_path: Path
) -> None:
    source = bench.read(grouped(dtype))
    (record,), model = (found := bench.run_model(source, step)).records, found.model
    assert record.status == "ok"
    assert dict(model.ops) == dict(source.ops)  # nothing around it
    after = generation_of(model.signature, source.signature)
    assert after is not None
    assert (after.bytes_per_token, after.head, after.in_place) == (2 * 2 * 16 * part, 16, True)
    assert providers(after) == ("wasm",)
    one, other = (native(each, tmp_path / name) for each, name in ((source, "a"), (model, "b")))
    steps = [TOKENS[:9], *([token] for token in TOKENS[9:])]
    expected = scores(one, steps)
    assert 1 > cosine(expected, found_scores := scores(other, steps)) > least
    assert np.mean(expected.argmax(-1) == found_scores.argmax(-1)) > 0.6
    ports, scales = model.signature.inputs, of_model(model)
    for name, packed in other._cache.items():  # what comes after the first layer was rounded before
        floats = one._cache[name]
        ours = stored({name: floats}, ports, scales)[name]
        assert np.mean(ours == packed) >= (1 if dtype == TensorProto.FLOAT else 0.98)  # halfway it rounds in 16 bits
        (back,) = plain([name], [packed], [floats], scales)
        inside = np.abs(floats) <= scales[name] * {1: 127, 0.5: 7}[part]
        assert (np.abs(back - floats)[inside] <= (scales[name] * 0.51 + np.abs(floats) * 2**-10)[inside]).all()
        assert inside.mean() > 0.95


def test_it_writes_what_the_float_cache_writes(bench: Bench, tmp_path: Path) -> None:
    """A trained decoder, over the 16 likeliest tokens after each beginning: 8 bits change hardly one of them."""
    from fixtures import decoder as trained
    from fixtures.decoder import grouped as fixture
    from fixtures.decoder.shape import SHAPE as TRAINED

    weights = fixture.weights_of(str(trained.folder() / "model.onnx"))
    source = bench.read(fixture.grouped(TRAINED, weights))
    held = np.load(trained.folder() / "held-out.npy").tolist()
    prompts = [held[start : start + 12] for start in range(1, 2000, 200)]
    floats = native(source, tmp_path / "float32")
    texts = [floats.greedy(prompt, 16, end=-1) for prompt in prompts]
    for step, share in ((INT8, 0.97), (INT4, 0.8)):
        small = native(bench.run_model(source, step).model, tmp_path / str(step.options[0][1]))
        same = []
        for prompt, text in zip(prompts, texts, strict=True):
            likeliest = scores(small, [prompt, *([token] for token in text[:-1])])[len(prompt) - 1 :].argmax(-1)
            same.append(np.mean(likeliest == text))
        assert np.mean(same) >= share


def test_golden_inputs_are_what_the_scales_are_made_of(bench: Bench) -> None:
    golden = bench.folder / "golden.npz"
    tokens = np.random.default_rng(1).integers(0, 8, (3, 1, 700))
    past = np.zeros((3, 1, 2, 0, 16), np.float32)
    pasts = {f"past_key_values.0.{kind}": past for kind in ("key", "value")}
    np.savez(golden, input_ids=tokens, attention_mask=np.ones_like(tokens), **pasts)  # type: ignore[arg-type]
    record, model = bench.one(grouped(), INT8, golden=GoldenSpec(str(golden)))
    assert (record.status, record.note) == ("ok", "")
    made_up = bench.one(grouped(), INT8)[1]
    ours, others = of_model(model), of_model(made_up)
    assert ours.keys() == others.keys() == {f"{one}.0.{kind}" for one in CACHES for kind in ("key", "value")}
    assert not np.array_equal(ours["present.0.key"], others["present.0.key"])


def test_four_bits_are_for_group_query_attention_alone(bench: Bench) -> None:
    record, _ = bench.one(llama(), INT4)
    assert (record.status, "not GroupQueryAttention" in record.note) == ("skipped", True)
    odd = grouped()
    odd.graph.input.append(port("speaker", ["batch_size", 3]))
    record, _ = bench.one(odd, INT4)
    assert (record.status, 'input "speaker"' in record.note) == ("skipped", True)
    record, model = bench.one(odd, INT8)
    assert (record.status, "not inside" in record.note, of_model(model)) == ("ok", True, {})


def asking(bits: int, dtype: str | None = None) -> LoaderSpec:
    return LoaderSpec("kv_cache", (("dtype", dtype), ("webgpu_bits", bits)))


def test_a_session_may_decide_on_the_cache(bench: Bench, tmp_path: Path) -> None:
    """The graph computes what it computed; the cache's last dimension alone has a name."""
    source = bench.read(grouped())
    first, again = (result := bench.run_model(source, asking(8), INT8)).records
    assert (first.status, first.cosine) == ("ok", 1)
    assert "1.30 keeps all bits" in first.note
    assert (again.status, "session on WebGPU" in again.note) == ("skipped", True)
    before, after = (generation_of(one.signature, source.signature) for one in (source, result.model))
    assert before is not None
    assert after == replace(before, webgpu_bits=8)
    assert {port.shape[3] for port in result.model.signature.inputs if len(port.shape or ()) == 4} == {
        "kv_cache_in_8_bits"
    }


def test_only_group_query_attention_has_a_cache_that_a_session_decides_on(bench: Bench) -> None:
    record, _ = bench.one(llama(), asking(4))
    assert (record.status, "not GroupQueryAttention" in record.note) == ("skipped", True)
    record, _ = bench.one(grouped(), asking(0))
    assert (record.status, "webgpu_bits is 0" in record.note) == ("skipped", True)
    with pytest.raises(StepError) as caught:
        bench.one(grouped(), asking(8, "float16"))
    assert (caught.value.problems[0].code, "webgpu_bits=8" in str(caught.value.problems[0].fix)) == ("MB131", True)


def test_numpy_makes_of_a_cache_what_the_graph_makes(bench: Bench, tmp_path: Path) -> None:
    """Verification feeds and reads caches by numpy: were the two not one, it would compare nothing."""
    source = bench.read(llama())
    model = bench.run_model(source, INT8).model
    ports = model.signature.inputs
    runs = [native(one, tmp_path / name) for one, name in ((source, "a"), (model, "b"))]
    for one in runs:
        one.feed(TOKENS[:9])
    floats, packed = (one._cache for one in runs)
    first = "past_key_values.0.value"  # nothing before it was rounded
    assert packed[first].dtype == np.int8
    np.testing.assert_array_equal(stored(floats, ports)[first], packed[first])
    (back,) = plain([first], [packed[first]], [floats[first]])
    step = np.abs(floats[first]).max(axis=-1, keepdims=True) / 127 * 2 ** (1 / 8)
    assert (np.abs(back - floats[first]) <= step / 2 * 1.001).all()
    assert np.abs(back).max() > 0.01


def test_what_has_no_cache_is_left_alone(bench: Bench) -> None:
    from fixtures.models import mlp

    record, _ = bench.one(mlp(), INT8)
    assert (record.status, "no KV cache" in record.note) == ("skipped", True)
    packed = bench.run(llama(), INT8, INT8).records[1]
    assert (packed.status, "int8 already" in packed.note) == ("skipped", True)


@pytest.mark.parametrize("first", [(), (LoaderSpec("simplify", (("skip", ()),)),)], ids=["as it is", "simplified"])
def test_four_bits_keep_a_tied_table_once(first: tuple[LoaderSpec, ...], bench: Bench) -> None:
    """The embedding is the head, too: of both, one copy of 4 bits and one scale (32 bits) for 32 weights."""
    options = {"bits": 4, "block_size": 32, "symmetric": True, "embeddings": True, "tensors": ()}
    shape = Shape(words=512, width=64, layers=1, heads=4, groups=2, inner=96)
    source = decoder(shape, initial(shape, np.random.default_rng(1)))
    result = bench.run(source, *first, LoaderSpec("quantize_weights", tuple(sorted(options.items()))), INT8)
    assert [record.status for record in result.records] == ["ok"] * (len(first) + 2)
    ops = dict(result.model.ops)
    assert ops["com.microsoft::GatherBlockQuantized"] == 1
    assert ops["com.microsoft::MatMulNBits"] == 8
    assert "Transpose" not in {op for op, _ in result.model.ops} or ops["Transpose"] == 5
    matrices = sum(int(np.prod(one.dims)) for one in source.graph.initializer if len(one.dims) == 2)
    stored_bytes = {weight.region: weight.region.length for weight in result.model.weights}
    assert matrices / 2 < sum(stored_bytes.values()) <= matrices * 5 / 8  # a second table would make it 0.9
    graph = onnx.load_model_from_string(result.model.skeleton).graph
    (table,) = (node for node in graph.node if node.op_type == "GatherBlockQuantized")
    (head,) = (node for node in graph.node if "logits" in node.output)
    places = {weight.name: weight.region for weight in result.model.weights}
    assert places[table.input[0]] == places[head.input[1]]
    assert table.input[2] == head.input[2]
