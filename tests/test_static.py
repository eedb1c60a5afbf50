"""An int8 trunk sees what a float one sees, reads the same weights, and runs where int8 is multiplied."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from pixsearch.apps.defaults import PHOTOS
from pixsearch.contract import graphs
from pixsearch.contract.images import read_image
from pixsearch.contract.preprocess import frame_batch, region_batch
from pixsearch.edge import bundle as bundles
from pixsearch.edge import processor
from pixsearch.edge.bundle import Bundle, default_bundle
from pixsearch.edge.sessions import open_session
from pixsearch.export.bundle import export_bundle
from pixsearch.export.calibration import feeds_of
from pixsearch.export.static import FLOAT_FIRST, static_trunk
from pixsearch.model.checkpoint import Checkpoint

SEEN = (graphs.VISION, graphs.REGION)
CALIBRATED_ON, OTHERS = ("cat.jpg", "coffee.jpg", "palace.jpg"), ("dog.jpg", "mandrill.jpg", "signpost.jpg")
needs_int8 = pytest.mark.skipif(not processor.multiplies_int8(), reason="this processor has no int8 products")


def inputs(name: str, photo: str) -> dict[str, np.ndarray]:
    frame = read_image(PHOTOS / photo)
    if name == graphs.VISION:
        return {"pixels": frame_batch(frame)[0]}
    return dict(zip(("pixels", "weights"), region_batch(frame, None), strict=True))


@needs_int8
@pytest.mark.parametrize("name", SEEN)
def test_the_shipped_trunk_sees_what_the_plain_one_sees(name: str) -> None:
    folder = default_bundle()
    plain, fast = (open_session(folder / of(name)) for of in (graphs.graph_file, graphs.fast_file))
    for photo in ("robin.jpg", "desk.jpg", "lake.jpg"):  # on which no range was taken
        expected, found = (session.run(inputs(name, photo)) for session in (plain, fast))
        for output, values in expected.items():
            assert np.corrcoef(values.ravel(), found[output].ravel())[0, 1] > 0.97, (photo, output)
    if name == graphs.REGION:
        assert float(found["vector"][0] @ expected["vector"][0]) > 0.99


@needs_int8
def test_ranges_from_some_photographs_serve_others(tmp_path: Path) -> None:
    path = default_bundle() / graphs.graph_file(graphs.REGION)
    frames = [read_image(PHOTOS / photo) for photo in CALIBRATED_ON]
    model = static_trunk(path, feeds_of(graphs.REGION, frames))
    assert model is not None
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    made = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    quantized = [node.input[0] in made for node in convolutions]
    assert quantized == [False] * FLOAT_FIRST + [True] * (len(convolutions) - FLOAT_FIRST)
    onnx.save(model, tmp_path / "static.onnx")
    plain, fast = open_session(path), open_session(tmp_path / "static.onnx")
    for photo in OTHERS:
        ours, theirs = (session.run(inputs(graphs.REGION, photo))["vector"][0] for session in (fast, plain))
        assert float(ours @ theirs) > 0.99


def test_only_what_differs_is_kept_twice() -> None:
    folder = default_bundle()
    for name in SEEN:
        model = onnx.load(folder / graphs.fast_file(name), load_external_data=False)
        stores = {entry.value for tensor in model.graph.initializer for entry in tensor.external_data
                  if entry.key == "location"}
        assert stores == {graphs.graph_file(name)}


@pytest.mark.parametrize("int8", [True, False])
def test_a_processor_without_int8_products_runs_the_plain_graphs(int8: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "multiplies_int8", lambda: int8)
    bundle = Bundle.load(default_bundle())
    for name in SEEN:
        assert bundle.session(name).path.name == (graphs.fast_file if int8 else graphs.graph_file)(name)


def test_a_bundle_without_photographs_has_plain_pictures(tiny_export: tuple[Checkpoint, Path], tmp_path: Path) -> None:
    export_bundle(tiny_export[0], tmp_path / "tiny-int8", "int8")
    assert not any((tmp_path / "tiny-int8" / graphs.fast_file(name)).exists() for name in SEEN)
    assert (tmp_path / "tiny-int8" / graphs.fast_file(graphs.LANGUAGE)).exists()


def test_a_graph_without_convolutions_of_a_trunk_has_no_such_form() -> None:
    assert static_trunk(default_bundle() / graphs.graph_file(graphs.TEXT), []) is None


@pytest.mark.parametrize(("flags", "expected"), [("fpu avx2 fma", False), ("avx2 avx512_vnni", True),
                                                 ("avx_vnni", True), ("fp asimd asimddp", True)])
def test_a_processor_s_flags_are_read(flags: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                      ) -> None:
    (tmp_path / "cpuinfo").write_text(f"flags\t\t: {flags}\n")
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    assert processor.multiplies_int8.__wrapped__() is expected
