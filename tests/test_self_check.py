"""`model verify` refuses a bundle whose bytes are as written and whose graphs are no good."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import Run
from edge_builders import a_bundle
from onnx import numpy_helper

from pixsearch.contract import graphs
from pixsearch.contract.closeness import Closeness
from pixsearch.contract.files import read_manifest, write_manifest
from pixsearch.edge import self_check as checks
from pixsearch.edge.bundle import DEFAULT_FOLDER as SHIPPED
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.replay import recorded
from pixsearch.edge.sessions import open_plain
from pixsearch.model.checkpoint import Checkpoint

Change = Callable[[np.ndarray], np.ndarray]


def changed(bundle: Path, folder: Path, graph: str, change: Change, suffix: str = "") -> Path:
    """A copy with the largest float32 weight of a graph (whose name ends so) changed, and hashes that say so."""
    shutil.copytree(bundle, folder)
    path = folder / graphs.graph_file(graph)
    model = onnx.load(path)
    weight = max((one for one in model.graph.initializer
                  if one.data_type == onnx.TensorProto.FLOAT and one.name.endswith(suffix)),
                 key=lambda one: np.prod(one.dims))
    weight.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(weight).copy()), weight.name))
    onnx.save(model, path)
    write_manifest(folder, {key: value for key, value in read_manifest(folder, "bundle").items() if key != "files"})
    return folder


def one_nan(weight: np.ndarray) -> np.ndarray:
    weight.flat[weight.size // 2] = np.nan
    return weight


def huge(weight: np.ndarray) -> np.ndarray:
    return weight * np.float32(1e38)


@pytest.mark.parametrize(("which", "graph", "change", "suffix", "expected"), [
    ("tiny", graphs.VISION, one_nan, "", "finite"),
    ("tiny", graphs.LANGUAGE, one_nan, "", "finite"),
    ("tiny", graphs.MASK, one_nan, "", "finite"),
    ("tiny", graphs.REGION, one_nan, "", "finite"),
    ("tiny", graphs.REGION, huge, "project.weight", "finite|unit length"),
    ("tiny", graphs.TEXT, huge, "", "finite|unit length"),
    ("tiny", graphs.REGION, np.zeros_like, "", "finite|unit length|two pictures"),
    ("shipped", graphs.REGION, huge, "project.weight.scale", "finite|unit length"),
    ("shipped", graphs.LANGUAGE, huge, "_scales", "finite"),
    ("shipped", graphs.VISION, one_nan, ".scale", "finite|got nan"),
])
def test_bad_weights_with_good_hashes_are_refused_in_one_line(
        tiny_export: tuple[Checkpoint, Path], run: Run, tmp_path: Path, which: str, graph: str, change: Change,
        suffix: str, expected: str) -> None:
    folder = changed(SHIPPED if which == "shipped" else tiny_export[1], tmp_path / "bad", graph, change, suffix)
    assert Bundle.load(folder).open_all()  # nothing shows before it runs
    result = run("model", "verify", folder)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert f"{graph}.onnx" in line
    assert any(one in line for one in expected.split("|")), line


def test_a_mask_graph_that_cuts_out_nothing_is_refused(red_bundle: Path, run: Run, tmp_path: Path) -> None:
    folder = changed(red_bundle, tmp_path / "blank", graphs.MASK, lambda threshold: threshold + 9, "threshold")
    result = run("model", "verify", folder)
    assert result.exit_code == 1 and "blank masks" in result.stderr and "mask.onnx" in result.stderr


def test_a_kernel_that_says_something_else_is_refused(
        red_bundle: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong:
        def __init__(self, path: Path) -> None:
            self.plain = open_plain(path)

        def run(self, feeds: dict) -> dict:
            return {name: -one if name == "vector" else one for name, one in self.plain.run(feeds).items()}

    monkeypatch.setattr(checks, "open_plain", Wrong)
    result = run("model", "verify", red_bundle)
    assert result.exit_code == 1 and "region.onnx" in result.stderr and "-1.000" in result.stderr


def test_graphs_that_do_not_take_what_the_manifest_says_are_refused_in_one_line(
        red_bundle: Path, run: Run, tmp_path: Path) -> None:
    sizes = {**read_manifest(red_bundle, "bundle")["dimensions"], "region": 4}
    result = run("model", "verify", a_bundle(tmp_path / "other", dimensions=sizes))
    (line,) = result.stderr.splitlines()
    assert result.exit_code == 1 and "graphs that run" in line


@pytest.mark.parametrize("which", ["red", "tiny", "shipped"])
def test_sound_bundles_pass_in_silence_and_tell_how_close_they_are(
        which: str, red_bundle: Path, tiny_export: tuple[Checkpoint, Path], run: Run) -> None:
    folder = {"red": red_bundle, "tiny": tiny_export[1], "shipped": SHIPPED}[which]
    result = run("model", "verify", folder, "--json")
    assert result.exit_code == 0, result.stderr
    table = json.loads(result.stdout)
    assert set(table) == set(graphs.GRAPHS)
    least = 0.99 if which == "shipped" else 0.999  # it runs in the forms for CPUs, which round otherwise
    assert all(row["calls"] >= 2 and row["cosine"] > least for row in table.values())


def test_calls_are_kept_as_they_were_and_the_bundle_is_left_as_it_was(red_bundle: Path) -> None:
    bundle = Bundle.load(red_bundle, threads=1)
    before = bundle.open_all()
    with recorded(bundle, most=2) as calls:
        ids = np.array([[65, 66]], np.int64)
        for _ in range(3):
            vector = bundle.session(graphs.TEXT).run({"ids": ids})["vector"]
        vector[:] = 0
        ids[:] = 0
    assert bundle.open_all() == before and len(calls[graphs.TEXT]) == 2
    (kept, _) = calls[graphs.TEXT]
    assert kept.feeds["ids"].tolist() == [[65, 66]] and kept.outputs["vector"].any()
    again = open_plain(red_bundle / "text.onnx").run(kept.feeds)
    assert Closeness.of_all(kept.outputs, again).cosine == pytest.approx(1)


@pytest.mark.parametrize(("found", "expected", "close"), [
    ([1.0, 2.0], [1.0, 2.0], (0, 0, 1)),
    ([0.0, 4.0], [0.0, -4.0], (8, 2, -1)),
    ([0.1], [0.2], (0.1, 0.1, 1)),
    ([0.0], [0.0], (0, 0, 1)),
    ([0.0], [3.0], (3, 1, 0)),
    ([], [], (0, 0, 1)),
])
def test_closeness(found: list[float], expected: list[float], close: tuple[float, float, float]) -> None:
    one = Closeness.of(found, expected)
    assert (one.absolute, one.relative, one.cosine) == pytest.approx(close)


def test_closeness_of_what_is_not_finite_is_none_at_all() -> None:
    one = Closeness.of([np.nan, 1.0], [1.0, 1.0])
    assert one.absolute == np.inf and np.isnan(one.cosine)
    assert np.isnan(Closeness.worst([Closeness(), one]).cosine)
    with pytest.raises(ValueError, match="shapes"):
        Closeness.of([1.0], [1.0, 2.0])
