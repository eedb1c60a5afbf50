"""A bundle's float32 twin calculates with the same weights, and the report tells how far the two are apart."""

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from conftest import RED, colour_pack
from edge_builders import IMAGE_SCRIPT, a_bundle, a_frame
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from PIL import Image

from pixsearch.apps import parity_report
from pixsearch.apps.parity_report import agreement, compare_answers, compare_graphs, make_twin, page
from pixsearch.contract import graphs
from pixsearch.contract.closeness import Closeness
from pixsearch.contract.grammar import Modality, Text
from pixsearch.edge.assistant import open_assistant
from pixsearch.edge.bundle import DEFAULT_FOLDER, Bundle
from pixsearch.edge.replay import Call
from pixsearch.edge.self_check import Checked
from pixsearch.export.bundle import export_bundle
from pixsearch.export.graphs import example_inputs
from pixsearch.export.quantize import quantize_graph
from pixsearch.export.twin import LEFT, float_twin, restore, unpacked_blocks, write_twin
from pixsearch.model.checkpoint import Checkpoint
from pixsearch.model.data.records import Sample, Split

FLOAT = TensorProto.FLOAT


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)


def a_graph(nodes: list[onnx.NodeProto], shape: list[int], constants: dict[str, np.ndarray]) -> onnx.ModelProto:
    """From x to y, both float32."""
    graph = helper.make_graph(nodes, "graph", [helper.make_tensor_value_info("x", FLOAT, shape)],
                              [helper.make_tensor_value_info("y", FLOAT, list("mn"[:len(shape)]))],
                              [numpy_helper.from_array(value, name) for name, value in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(("inner", "outer"), [(64, 8), (96, 5)])
def test_blocks_are_unpacked_as_the_runtime_reads_them(bits: int, symmetric: bool, inner: int, outer: int) -> None:
    noise = np.random.default_rng(0)
    weights = (noise.standard_normal((inner, outer)) + 0.3).astype(np.float32)
    model = a_graph([helper.make_node("MatMul", ["x", "w"], ["y"], name="product")], [3, inner], {"w": weights})
    quantizer = MatMulNBitsQuantizer(model, block_size=32, is_symmetric=symmetric, bits=bits)
    quantizer.process()
    packed = quantizer.model.model
    x = noise.standard_normal((3, inner)).astype(np.float32)
    (node,) = [one for one in packed.graph.node if one.op_type == "MatMulNBits"]
    unpacked = unpacked_blocks(node, {one.name: one for one in packed.graph.initializer})
    np.testing.assert_allclose(x @ unpacked, run(packed, {"x": x})[0], atol=1e-4)
    assert np.abs(unpacked - weights).max() < (0.5 if bits == 4 else 0.05)
    np.testing.assert_allclose(run(float_twin(packed), {"x": x})[0], x @ unpacked, atol=1e-4)


@pytest.fixture(scope="module")
def int8_bundle(tiny_export: tuple[Checkpoint, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quantized") / "tiny-int8"
    export_bundle(tiny_export[0], folder, "int8")
    return folder


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_a_twin_has_the_rounded_weights_and_nothing_quantized(
        tiny_export: tuple[Checkpoint, Path], int8_bundle: Path, name: str) -> None:
    checkpoint, exact = tiny_export
    small = onnx.load(int8_bundle / graphs.graph_file(name))
    twin = float_twin(small)
    assert not {node.op_type for node in twin.graph.node} & LEFT
    feeds = {key: value.numpy() for key, value in example_inputs(
        checkpoint.model, name, torch.Generator().manual_seed(3)).items()}
    by_twin, by_small, by_exact = (run(one, feeds) for one in (twin, small, onnx.load(exact / f"{name}.onnx")))
    close = Closeness.worst(Closeness.of(*pair) for pair in zip(by_small, by_twin, strict=True))
    assert close.relative < (0.2 if name == graphs.LANGUAGE else 1e-5)
    assert Closeness.of(by_twin[0], by_exact[0]).cosine > 0.95
    if name == graphs.LANGUAGE:
        assert close.absolute > 0  # int8 activations do differ


def test_a_twin_s_words_are_those_of_the_exact_graph_with_rounded_weights(
        tiny_export: tuple[Checkpoint, Path], int8_bundle: Path) -> None:
    checkpoint, exact = tiny_export
    small, model = onnx.load(int8_bundle / "language.onnx"), onnx.load(exact / "language.onnx")
    kept = {one.name: one for one in small.graph.initializer}
    rounded = {node.input[1].removesuffix("_Q4"): unpacked_blocks(node, kept)
               for node in small.graph.node if node.op_type == "MatMulNBits"}
    table = numpy_helper.to_array(kept["language.embedding.weight.uint8"]).T.astype(np.float32) - 128
    rounded["language.embedding.weight"] = table * numpy_helper.to_array(
        kept["language.embedding.weight.scale"])[:, None]
    for one in model.graph.initializer:
        if one.name in rounded:
            one.CopyFrom(numpy_helper.from_array(rounded.pop(one.name), one.name))
    assert not rounded
    feeds = {key: value.numpy() for key, value in example_inputs(
        checkpoint.model, graphs.LANGUAGE, torch.Generator().manual_seed(3)).items()}
    for found, expected in zip(run(float_twin(small), feeds), run(model, feeds), strict=True):
        assert Closeness.of(found, expected).relative < 1e-4


def test_rounding_of_activations_is_left_out_and_unknown_operations_are_refused() -> None:
    scale = {"s": np.float32(0.5), "z": np.array(0, np.int8)}
    pair = [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]), helper.make_node("Relu", ["d"], ["y"])]
    x = np.array([-1.3, 0.3, 99.9], np.float32)
    twin = float_twin(a_graph(pair, [3], scale))
    np.testing.assert_array_equal(run(twin, {"x": x})[0], np.maximum(x, 0))
    assert {one.name for one in twin.graph.initializer} == set()
    with pytest.raises(ValueError, match="QLinearMatMul"):
        float_twin(a_graph([helper.make_node("QLinearMatMul", ["x"] * 8, ["y"])], [3], {}))


def test_originals_come_back_where_they_round_to_what_is_there(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    weights = {name: noise.standard_normal((64, 64)).astype(np.float32) for name in ("first", "second")}
    exact = a_graph([helper.make_node("MatMul", ["x", "first"], ["between"]),
                     helper.make_node("MatMul", ["between", "second"], ["y"])], [3, 64], weights)
    path = tmp_path / "region.onnx"
    onnx.save(exact, path)
    quantize_graph(graphs.REGION, path)
    small = onnx.load(path)
    stored = [one.name.removesuffix(".int8") for one in small.graph.initializer if one.name.endswith(".int8")]
    assert len(stored) == 2
    others = {name: value + 1 if name == stored[0] else value for name, value in weights.items()}
    assert restore(small, others) == len(stored) - 1
    kept = {one.name for one in small.graph.initializer}
    assert f"{stored[0]}.int8" in kept and stored[1] in kept
    assert restore(again := onnx.load(path), weights) == len(stored)
    feeds = {"x": noise.standard_normal((3, 64)).astype(np.float32)}
    np.testing.assert_array_equal(run(float_twin(again), feeds)[0], run(exact, feeds)[0])
    assert np.abs(run(float_twin(small), feeds)[0] - run(exact, feeds)[0]).max() > 1e-3


def test_the_shipped_bundle_s_twin_opens_beside_it_with_the_published_trunk(tmp_path: Path) -> None:
    bundle = Bundle.load(DEFAULT_FOLDER)
    twin = make_twin(bundle, tmp_path / "twin")
    assert set(twin.open_all()) == set(graphs.GRAPHS)
    assert twin.embedder_id == bundle.embedder_id and twin.precision == "fp32"
    assert twin.manifest["restored"] == {"vision": 43, "language": 0, "mask": 0, "region": 43, "text": 0}


def a_pack_and_photos(folder: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity_report, "EVERYDAY_PACK", colour_pack(folder / "red.pxpack", bundle))
    (folder / "photos").mkdir()
    Image.fromarray(a_frame(RED)).save(folder / "photos" / "owl.jpg")
    monkeypatch.setattr(parity_report, "PHOTOS", folder / "photos")


def test_graphs_are_compared_on_what_they_were_asked(
        red_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_pack_and_photos(tmp_path, red_bundle, monkeypatch)
    bundle = Bundle.load(red_bundle, threads=1)
    same = compare_graphs(bundle, Bundle.load(write_twin(red_bundle, tmp_path / "twin"), threads=1))
    assert all(row.calls and row.close.relative < 1e-6 for row in same.values())
    other = Bundle.load(a_bundle(tmp_path / "other", IMAGE_SCRIPT), threads=1)
    assert [name for name, row in compare_graphs(bundle, other).items() if row.close.relative > 1e-6] == ["language"]


def test_answers_of_both_are_judged_and_compared(
        red_bundle: Path, red_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = a_frame(RED, (60, 40, 120, 100))
    true = np.zeros(frame.shape[:2], np.bool_)
    true[40:100, 60:120] = True
    scene = SimpleNamespace(frame=frame, placed=(SimpleNamespace(mask=true),), seed=0)
    sample = Sample(0, Split.VALIDATION, 2, "fact", "What is this?", (Text("x"),), "owl", Modality.REGION, target=0,
                    entity="owl")
    other = Bundle.load(a_bundle(tmp_path / "other", IMAGE_SCRIPT), threads=1)
    with open_assistant(red_bundle, [red_pack], threads=1) as assistant:

        @contextmanager
        def opened(bundle: Bundle, split: str, data: Path):
            assert split == "validation"
            yield SimpleNamespace(for_sample=lambda sample: assistant), None

        monkeypatch.setattr(parity_report, "opened_scenes", opened)
        monkeypatch.setattr(parity_report, "scene_questions", lambda materials, count: [(scene, sample)] * count)
        monkeypatch.setattr(parity_report, "shown_entity", lambda *arguments: "owl")
        alike = compare_answers(assistant.bundle, assistant.bundle, 2, tmp_path)
        apart = compare_answers(assistant.bundle, other, 1, tmp_path)
    assert len(alike) == 2 and set(agreement(alike).values()) == {1.0}
    found = agreement(apart)
    assert found["the same trace"] == found["the same first search"] == 0.0
    assert found["mean IoU of both masks, where both cut out"] is None  # one looked at the whole frame
    written = written_page(assistant.bundle, [*alike, *apart])
    assert "3 questions" in written and "| the same trace | 0.667 |" in written and "(2) | 1.000 |" in written


def written_page(bundle: Bundle, pairs: list) -> str:
    compared = {name: parity_report.Compared(3, 4, Closeness(0.5, 0.25, 0.875)) for name in graphs.GRAPHS}
    checked = {name: Checked(2, Closeness(1e-3, 2e-3, 1.0)) for name in graphs.GRAPHS}
    torch_rows = {precision: dict.fromkeys(graphs.GRAPHS, Closeness()) for precision in ("fp32", "int8")}
    text = page(bundle, compared, checked, torch_rows, pairs, "abc123")
    assert "| mask | 3 | 4 | 5.0e-01 | 2.5e-01 | 0.87500 | 2.0e-03 |" in text and "commit abc123" in text
    return text


def test_the_report_says_what_it_leaves_out_and_its_help_works() -> None:
    template = Path(parity_report.__file__).parent / "templates" / parity_report.TEMPLATE
    assert "All other weights are the rounded ones in both" in template.read_text()
    assert CliRunner().invoke(parity_report.main, ["--help"]).exit_code == 0


def test_masks_of_both_are_laid_over_each_other() -> None:
    def answer(mask: dict | None) -> SimpleNamespace:
        return SimpleNamespace(searches=[SimpleNamespace(modality=Modality.REGION, mask=mask)])

    left, whole = {"size": [2, 2], "counts": [0, 2, 2]}, {"size": [2, 2], "counts": [0, 4]}
    assert parity_report.Pair((answer(left), answer(whole)), ()).mask_iou == 0.5
    assert parity_report.Pair((answer(left), answer(None)), ()).mask_iou is None


def test_a_replay_tells_the_worst_call(red_bundle: Path) -> None:
    bundle = Bundle.load(red_bundle, threads=1)
    feeds = {"ids": np.array([[65, 66]], np.int64)}
    outputs = bundle.session(graphs.TEXT).run(feeds)
    wrong = {name: value + 0.5 for name, value in outputs.items()}
    close = parity_report.replay(bundle, graphs.TEXT, [Call(feeds, outputs), Call(feeds, wrong)])
    assert close.absolute == pytest.approx(0.5)
