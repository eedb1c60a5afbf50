"""Bundles for TensorRT: every graph parses and builds, stays near float32, and engines are kept for what they fit."""

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from pixsearch.contract import graphs
from pixsearch.contract.faults import Fault
from pixsearch.contract.images import read_image
from pixsearch.edge import sessions
from pixsearch.edge.bundle import DEFAULT_FOLDER, Bundle
from pixsearch.edge.engine_session import TENSORRT, EngineSession, this_device
from pixsearch.edge.engines import Device, Limits, build_engine, cached_engine, load_tensorrt
from pixsearch.edge.sessions import CPU, open_session
from pixsearch.export import static
from pixsearch.export.bundle import export_bundle
from pixsearch.export.calibration import feeds_of
from pixsearch.export.graphs import example_inputs
from pixsearch.export.parity import open_graph
from pixsearch.export.qdq import quantize_symmetric
from pixsearch.export.recipes import RECIPES
from pixsearch.model.checkpoint import Checkpoint

PHOTOS = Path(__file__).parent.parent / "apps" / "photos"
CALIBRATE = ("cat.jpg", "dog.jpg")
ORIN = Device("Orin 8.7", "12060", "tensorrt 10.3.0")


def _has_gpu() -> bool:
    try:
        this_device()
    except Fault:
        return False
    return True


def _feeds(checkpoint: Checkpoint, name: str) -> dict[str, np.ndarray]:
    generator = torch.Generator().manual_seed(3)
    return {key: value.numpy() for key, value in example_inputs(checkpoint.model, name, generator).items()}


@pytest.fixture(scope="module", params=["fp16", "int8"])
def converted(tiny_export: tuple[Checkpoint, Path], tmp_path_factory: pytest.TempPathFactory,
              request: pytest.FixtureRequest) -> Path:
    """The graphs of the tiny model after one of TensorRT's recipes."""
    folder, frames = tmp_path_factory.mktemp(request.param), [read_image(PHOTOS / name) for name in CALIBRATE]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(static, "FLOAT_FIRST", 1)  # the tiny trunk has five convolutions
        for name in graphs.GRAPHS:
            path = folder / graphs.graph_file(name)
            path.write_bytes((tiny_export[1] / path.name).read_bytes())
            RECIPES[graphs.TENSORRT_TARGET, request.param](name, path, frames)
    return folder


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_every_graph_builds(converted: Path, name: str) -> None:
    engine = build_engine(converted / graphs.graph_file(name), Limits(workspace_mb=64))
    assert len(engine) > 10_000


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_every_graph_stays_near_float32(tiny_export: tuple[Checkpoint, Path], converted: Path, name: str) -> None:
    checkpoint, plain = tiny_export
    feeds = _feeds(checkpoint, name)
    full, other = (open_graph(folder / graphs.graph_file(name)).run(None, feeds) for folder in (plain, converted))
    for left, right in zip(full, other, strict=True):
        assert right.dtype == left.dtype
        if np.ptp(left) > 0:
            assert np.corrcoef(left.ravel(), right.ravel())[0, 1] > 0.99


def test_products_are_in_half_precision_and_sums_of_squares_are_not(converted: Path) -> None:
    graph = onnx.load(converted / graphs.graph_file(graphs.LANGUAGE)).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    with_weights = [node for node in graph.node if node.op_type == "MatMul" and node.input[1] in types]
    assert with_weights and {types[node.input[1]] for node in with_weights} == {onnx.TensorProto.FLOAT16}
    casts = {node.output[0]: node for node in graph.node if node.op_type == "Cast"}
    for node in graph.node:
        if node.op_type in ("Pow", "ReduceMean", "Softmax"):
            cast = casts.get(node.input[0])
            assert cast is None or cast.attribute[0].i != onnx.TensorProto.FLOAT16


@pytest.mark.skipif(_has_gpu(), reason="engines run here")
def test_a_bundle_for_engines_runs_on_the_cpu_and_says_why(tiny_export: tuple[Checkpoint, Path], tmp_path: Path,
                                                           caplog: pytest.LogCaptureFixture) -> None:
    frames = [read_image(PHOTOS / name) for name in CALIBRATE]
    export_bundle(tiny_export[0], tmp_path / "tiny", "int8", target=graphs.TENSORRT_TARGET, frames=frames)
    sessions._tell_fallback.cache_clear()
    with caplog.at_level(logging.WARNING):
        opened = Bundle.load(tmp_path / "tiny").open_all()
    assert {session.providers[-1] for session in opened.values()} == {CPU}
    assert any(f"{TENSORRT} asked for" in line for line in caplog.messages)


def test_layers_that_int8_would_spoil_are_kept_in_float(tiny_export: tuple[Checkpoint, Path], tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static, "FLOAT_FIRST", 1)
    path, noise = tmp_path / "vision.onnx", np.random.default_rng(0)
    plain = (tiny_export[1] / graphs.graph_file(graphs.VISION)).read_bytes()
    path.write_bytes(plain)
    feeds = [{"pixels": noise.normal(size=(1, 3, 384, 384)).astype(np.float32)}]
    first, *measured = quantize_symmetric(path, feeds)
    assert first.kept and first.sqnr is None
    middle = float(np.median([error.sqnr for error in measured]))
    path.write_bytes(plain)
    errors = quantize_symmetric(path, feeds, least_sqnr=middle)
    kept = {error.name for error in errors[1:] if error.kept}
    assert 0 < len(kept) < len(measured)
    assert kept == {error.name for error in measured if error.sqnr < middle}
    convolutions = [node for node in onnx.load(path).graph.node
                    if node.op_type == "Conv" and static.TRUNK in node.input[1]]
    in_float = {node.name for node in convolutions if not node.input[1].endswith("DequantizeLinear_Output")}
    assert in_float == {first.name, *kept}


@pytest.mark.parametrize("name", [graphs.VISION, graphs.REGION])
def test_the_real_trunk_builds_and_stays_near_float32(name: str, tmp_path: Path) -> None:
    path, shipped = tmp_path / graphs.graph_file(name), DEFAULT_FOLDER / graphs.graph_file(name)
    static.fold_weights(shipped, path, of="")
    frames = [read_image(PHOTOS / photo) for photo in CALIBRATE]
    errors = quantize_symmetric(path, feeds_of(name, frames))
    assert len(errors) == 49 and all(error.kept == (number < static.FLOAT_FIRST) for number, error in enumerate(errors))
    other = feeds_of(name, [read_image(PHOTOS / "mandrill.jpg")])[0]
    for left, right in zip(*(open_graph(one).run(None, other) for one in (shipped, path)), strict=True):
        assert np.corrcoef(left.ravel(), right.ravel())[0, 1] > 0.97
    assert len(build_engine(path, Limits(workspace_mb=64))) > 1_000_000


def test_static_int8_needs_frames(tiny_export: tuple[Checkpoint, Path], tmp_path: Path) -> None:
    with pytest.raises(Fault, match="frames to calibrate"):
        export_bundle(tiny_export[0], tmp_path / "bundle", "int8", target=graphs.TENSORRT_TARGET)
    assert not (tmp_path / "bundle").exists()


def test_a_graph_for_cpus_is_refused_by_name() -> None:
    with pytest.raises(Fault, match="MatMulNBits.*--target tensorrt"):
        build_engine(DEFAULT_FOLDER / graphs.graph_file(graphs.LANGUAGE))


@pytest.mark.parametrize("device, limits", [
    (Device("Orin 8.7", "12080", ORIN.tensorrt), Limits()),
    (Device("Orin 8.7", ORIN.driver, "tensorrt 10.7.0"), Limits()),
    (ORIN, Limits(workspace_mb=128)),
])
def test_an_engine_is_built_again_when_what_it_depends_on_changes(tmp_path: Path, device: Device, limits: Limits
                                                                  ) -> None:
    built: list[Path] = []

    def build(path: Path, limits: Limits, timings: Path | None) -> bytes:
        built.append(path)
        return b"engine %d" % len(built)

    graph = DEFAULT_FOLDER / graphs.graph_file(graphs.TEXT)
    first = cached_engine(graph, ORIN, cache=tmp_path, build=build)
    assert cached_engine(graph, ORIN, cache=tmp_path, build=build) == first and len(built) == 1
    second = cached_engine(graph, device, limits, tmp_path, build)
    assert second != first and second.read_bytes() == b"engine 2"
    assert [path for path in tmp_path.glob("*.engine")] == [second]


def test_another_gpu_keeps_its_own_engine(tmp_path: Path) -> None:
    graph = DEFAULT_FOLDER / graphs.graph_file(graphs.TEXT)
    for gpu in ("Orin 8.7", "Thor 11.0"):
        cached_engine(graph, Device(gpu, "1", "1"), cache=tmp_path, build=lambda *_: b"engine")
    assert len(list(tmp_path.glob("*.engine"))) == 2


@pytest.mark.skipif(not _has_gpu(), reason="engines run on a GPU alone")
@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_an_engine_says_what_the_graph_says(tiny_export: tuple[Checkpoint, Path], converted: Path, tmp_path: Path,
                                            name: str) -> None:
    graph = converted / graphs.graph_file(name)
    feeds = _feeds(tiny_export[0], name)
    session = EngineSession(graph, cached_engine(graph, this_device(), cache=tmp_path))
    expected = open_session(graph).run(feeds)
    for key, value in session.run(feeds).items():
        assert np.allclose(value, expected[key], atol=0.02)


def test_tensorrt_is_at_hand() -> None:
    assert load_tensorrt().__version__
