"""Exported graphs say what torch says, and a bundle of them opens on the device side."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from pixsearch.contract import graphs
from pixsearch.edge.bundle import Bundle
from pixsearch.export.bundle import embedder_id
from pixsearch.export.graphs import OPSET, example_inputs
from pixsearch.export.parity import next_token_agreement, parity
from pixsearch.export.quantize import int8_rows, quantize_graph
from pixsearch.model.checkpoint import Checkpoint

PHOTOGRAPH = Path(__file__).parent.parent / "apps" / "photos" / "cat.jpg"
LARGEST_ERROR = 1e-4


def test_every_graph_equals_torch(tiny_export: tuple[Checkpoint, Path]) -> None:
    checkpoint, folder = tiny_export
    errors = parity(checkpoint, folder, [PHOTOGRAPH])
    print({name: f"{close.relative:.1e}" for name, close in errors.items()})
    assert set(errors) == set(graphs.GRAPHS)
    assert max(close.relative for close in errors.values()) < LARGEST_ERROR


def test_a_changed_weight_shows(tiny_export: tuple[Checkpoint, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint, folder = tiny_export
    bias = checkpoint.model.decoder.quality[-1].bias
    monkeypatch.setattr(bias, "data", bias.data + 0.1)
    errors = parity(checkpoint, folder, [])
    assert [name for name, close in errors.items() if close.relative > LARGEST_ERROR] == [graphs.MASK]


def test_word_for_word_from_the_cache_the_same_tokens_are_expected(tiny_export: tuple[Checkpoint, Path]) -> None:
    checkpoint, folder = tiny_export
    assert next_token_agreement(checkpoint, folder, PHOTOGRAPH) == 1.0


def test_a_bundle_opens_on_the_device_side(tiny_export: tuple[Checkpoint, Path]) -> None:
    checkpoint, folder = tiny_export
    bundle = Bundle.load(folder)
    assert set(bundle.open_all()) == set(graphs.GRAPHS)
    assert bundle.embedder_id == embedder_id(checkpoint.model)
    assert all(onnx.load(folder / graphs.graph_file(name)).opset_import[0].version == OPSET for name in graphs.GRAPHS)


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_quantized_graphs_stay_close(tiny_export: tuple[Checkpoint, Path], tmp_path: Path, name: str) -> None:
    checkpoint, folder = tiny_export
    path = tmp_path / "quantized.onnx"
    path.write_bytes((folder / graphs.graph_file(name)).read_bytes())
    quantize_graph(name, path)
    assert path.stat().st_size < (folder / graphs.graph_file(name)).stat().st_size
    feeds = {key: value.numpy() for key, value in example_inputs(
        checkpoint.model, name, torch.Generator().manual_seed(3)).items()}
    full, small = (onnxruntime.InferenceSession(str(one)).run(None, feeds)
                   for one in (folder / graphs.graph_file(name), path))
    for left, right in zip(full, small, strict=True):
        if np.ptp(left) > 0:
            assert np.corrcoef(left.ravel(), right.ravel())[0, 1] > 0.95


def test_weights_that_meet_quantized_activations_are_unsigned(tiny_export: tuple[Checkpoint, Path], tmp_path: Path
                                                              ) -> None:
    _, folder = tiny_export
    path = tmp_path / "quantized.onnx"
    path.write_bytes((folder / graphs.graph_file(graphs.LANGUAGE)).read_bytes())
    quantize_graph(graphs.LANGUAGE, path)
    graph = onnx.load(path).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    met = [types[node.input[1]] for node in graph.node if node.op_type == "MatMulInteger"]
    assert len(met) == 1  # the output head
    assert set(met) == {onnx.TensorProto.UINT8}  # signed ones overflow where a CPU has AVX2 alone


@pytest.mark.parametrize("table", [np.eye(3) * [[1.0], [1e-3], [100.0]], np.zeros((2, 4)), np.full((1, 2), -7.0)])
def test_int8_rows_err_by_half_a_step_at_most(table: np.ndarray) -> None:
    values, scales = int8_rows(table.astype(np.float32))
    assert values.dtype == np.int8 and scales.shape == (len(table), 1)
    assert (np.abs(values * scales - table) <= scales / 2 + 1e-6).all()
