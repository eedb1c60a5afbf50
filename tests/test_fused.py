"""The fused language graph says what the plain one says, and its values hold what they held."""

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from pixsearch.contract import graphs
from pixsearch.contract.files import read_manifest, write_manifest
from pixsearch.edge.bundle import Bundle, default_bundle
from pixsearch.edge.fused_session import FusedSession
from pixsearch.edge.sessions import CPU, CUDA, OnnxSession, Session, open_session
from pixsearch.export.bundle import export_bundle
from pixsearch.export.fast import add_fast
from pixsearch.export.fused import fused_language
from pixsearch.model.checkpoint import Checkpoint
from pixsearch.model.sizes import SIZES

SIZE, FUSED = SIZES["tiny"], graphs.fast_file(graphs.LANGUAGE)
FLOAT_ARITHMETIC = 1  # an accuracy level of MatMulNBits: no rounding of activations, which would hide a mistake
BLOCKS = (20, 9, 1, 1, 4)  # tokens that are read at a time: a prompt with its image, evidence, words


@pytest.fixture(scope="module")
def bundle(tiny_export: tuple[Checkpoint, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fused") / "tiny-int8"
    export_bundle(tiny_export[0], folder, "int8")
    return folder


@pytest.fixture(scope="module")
def pair(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Session, Session]:
    """Plain and fused, both without rounding."""
    folder = tmp_path_factory.mktemp("float")
    model = onnx.load(bundle / graphs.graph_file(graphs.LANGUAGE))
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "accuracy_level":
                attribute.i = FLOAT_ARITHMETIC
    onnx.save(model, folder / graphs.graph_file(graphs.LANGUAGE))
    add_fast(folder, SIZE, Bundle.load(bundle).tokenizer.context, [])
    return (open_session(folder / graphs.graph_file(graphs.LANGUAGE)),
            open_session(folder / FUSED, kind=FusedSession))


def nothing() -> dict[str, NDArray[np.float32]]:
    empty = np.zeros((len(SIZE.layers), SIZE.kv_heads, 0, SIZE.head_width), np.float32)
    return {"past_keys": empty, "past_values": empty}


def feeds(count: int, seed: int = 0) -> dict[str, NDArray]:
    """New ids, pads for the image among them, and image tokens."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(11, 200, (1, count))
    ids[0, 1:5] = 0
    return {"ids": ids, "image_tokens": rng.standard_normal((1, SIZE.image_tokens, SIZE.width)).astype(np.float32)}


def grown(outputs: dict) -> dict:
    return {f"past_{part}": outputs[part] for part in graphs.CACHE_PARTS}


def read(session: Session, blocks: tuple[int, ...]) -> list[dict[str, NDArray[np.float32]]]:
    """What is said after each block."""
    said, past = [], {name: session.value(array) for name, array in nothing().items()}
    for seed, count in enumerate(blocks):
        outputs = session.run_values(feeds(count, seed) | past)
        past = grown(outputs)
        said.append({name: value.numpy().copy() for name, value in outputs.items()})
    return said


def test_it_says_what_the_plain_graph_says(pair: tuple[Session, Session]) -> None:
    plain, fused = pair
    assert set(fused.inputs) == set(plain.inputs) and set(fused.outputs) == set(plain.outputs)
    for ours, theirs in zip(read(fused, BLOCKS), read(plain, BLOCKS), strict=True):
        for name, expected in theirs.items():
            assert ours[name].shape == expected.shape
            np.testing.assert_allclose(ours[name], expected, atol=2e-4 * max(1.0, float(np.abs(expected).max())))


def test_as_arrays_and_as_values_is_the_same(pair: tuple[Session, Session]) -> None:
    _, fused = pair
    first = fused.run(feeds(7) | nothing())
    second = fused.run(feeds(3, 1) | grown(first))
    for name, values in read(fused, (7, 3))[1].items():
        np.testing.assert_array_equal(second[name], values)


def test_values_keep_what_they_hold_when_two_runs_go_on_from_them(pair: tuple[Session, Session]) -> None:
    _, fused = pair
    start = fused.run_values(feeds(8) | nothing())
    one = fused.run_values(feeds(3, 1) | grown(start))
    before = {name: value.numpy().copy() for name, value in one.items()}
    other = fused.run_values(feeds(3, 2) | grown(start))
    assert not np.allclose(other["keys"].numpy()[:, :, 8:], before["keys"][:, :, 8:])
    np.testing.assert_array_equal(other["keys"].numpy()[:, :, :8], start["keys"].numpy())
    for name, value in one.items():
        np.testing.assert_array_equal(value.numpy(), before[name])
    again = fused.run_values(feeds(3, 1) | grown(start))
    np.testing.assert_array_equal(again["logits"].numpy(), before["logits"])


def test_a_cache_is_as_long_as_a_context(pair: tuple[Session, Session], bundle: Path) -> None:
    _, fused = pair
    context = Bundle.load(bundle).tokenizer.context
    full = fused.run_values(feeds(context) | nothing())
    with pytest.raises(ValueError, match=f"room for {context} tokens, given {context + 1}"):
        fused.run_values(feeds(1) | grown(full))


def test_a_bundle_runs_it_on_a_cpu_alone(bundle: Path) -> None:
    assert isinstance(Bundle.load(bundle).session(graphs.LANGUAGE), FusedSession)
    assert isinstance(Bundle.load(bundle, [CPU]).session(graphs.LANGUAGE), FusedSession)
    assert not isinstance(Bundle.load(bundle, [CUDA]).session(graphs.LANGUAGE), FusedSession)


def test_the_shipped_bundle_has_it_and_it_reads_the_plain_one_s_weights() -> None:
    folder = default_bundle()
    fused = onnx.load(folder / FUSED, load_external_data=False)
    stores = {entry.value for tensor in fused.graph.initializer for entry in tensor.external_data
              if entry.key == "location"}
    assert stores == {graphs.graph_file(graphs.LANGUAGE)}
    fused_bytes, plain_bytes = ((folder / name).stat().st_size for name in (FUSED, *stores))
    assert fused_bytes < 0.01 * plain_bytes
    assert isinstance(Bundle.load(folder).session(graphs.LANGUAGE), FusedSession)


def test_without_its_kernels_the_plain_one_is_run(bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
                                                  ) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in bundle.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    fused = onnx.load(folder / FUSED, load_external_data=False)
    next(node for node in fused.graph.node if node.op_type == "FastGelu").op_type = "OfAnotherRuntime"
    onnx.save(fused, folder / FUSED)
    write_manifest(folder, {key: value for key, value in read_manifest(folder, "bundle").items() if key != "files"})
    with caplog.at_level(logging.WARNING):
        session = Bundle.load(folder).session(graphs.LANGUAGE)
    assert type(session) is OnnxSession
    assert "going on with the plain one" in caplog.text


def test_another_model_s_graph_is_refused(bundle: Path) -> None:
    with pytest.raises(ValueError, match="no language graph of nano"):
        fused_language(onnx.load(bundle / graphs.graph_file(graphs.LANGUAGE)), SIZES["nano"], 16)


def test_a_cut_off_store_is_no_graph(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / FUSED).write_bytes((bundle / FUSED).read_bytes())
    (tmp_path / graphs.graph_file(graphs.LANGUAGE)).write_bytes(b"short")
    with pytest.raises(Exception, match="ONNX graph that this runtime can open"):
        open_session(tmp_path / FUSED, kind=FusedSession)
