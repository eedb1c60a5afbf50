"""`make bench-index` in small: every engine is built, searched and compared with brute force."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pixsearch.apps import bench_engines, bench_index
from pixsearch.apps.bench_regions import VIEWS_STORED, Collection, Rendered


def rendered(objects: int = 30, views: int = 5, dimension: int = 32) -> Rendered:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(objects, 1, dimension)) + 0.5 * random.normal(size=(objects, views, dimension))
    return Rendered((vectors / np.linalg.norm(vectors, axis=2, keepdims=True)).astype(np.float32), 0.01)


def test_invented_objects_are_alike_on_every_run_and_look_like_themselves() -> None:
    collection = Collection(rendered(), 200)
    stored = collection.stored()
    assert np.array_equal(stored, Collection(rendered(), 200).stored())
    assert np.allclose(np.linalg.norm(stored, axis=1), 1, atol=1e-5)
    views = stored.reshape(200, VIEWS_STORED, -1)
    own, others = (views[:, 0] * views[:, 1]).sum(axis=1).mean(), (views[:-1, 0] * views[1:, 0]).sum(axis=1).mean()
    assert own > others + 0.1


def test_every_engine_is_compared_with_brute_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_index, "QUERIES", 20)
    monkeypatch.setattr(bench_index, "MEMORY_QUERIES", 20)
    monkeypatch.setattr(bench_index, "ROUNDS", 1)
    result = bench_index.measured(Collection(rendered(), 800), tmp_path)
    assert result["regions"] == 6400 and result["memory_ratio"] > 0
    for engine in bench_engines.engines():
        row = result["engines"][engine.name]
        assert max(point["recall"] for point in row["curve"]) > 0.9 and row["file_bytes"] > 6400 * 32
    shown = bench_index.table(result)
    assert shown.startswith("6400 regions of 800 entities") and "| usearch int8 |" in shown


def test_without_data_it_says_what_to_do(tmp_path: Path) -> None:
    done = CliRunner().invoke(bench_index.bench_index, ["--data", str(tmp_path), "--output", str(tmp_path / "bench")])
    assert done.exit_code == 1 and "run `make data`" in done.output and done.output.count("\n") == 1
