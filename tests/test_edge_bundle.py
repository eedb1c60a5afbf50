"""A bundle is checked whole before it is opened, and providers are told as they are."""

import logging
from pathlib import Path

import numpy as np
import pytest
from edge_builders import CALIBRATION, a_bundle

from pixsearch.contract import graphs, preprocess
from pixsearch.contract.faults import Fault
from pixsearch.edge import sessions
from pixsearch.edge.bundle import Bundle, default_bundle
from pixsearch.edge.embedder import BundleEmbedder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_bundle(tmp_path_factory.mktemp("bundles") / "red")


def test_a_sound_bundle_opens_every_graph(folder: Path) -> None:
    opened = Bundle.load(folder, threads=1).open_all()
    assert set(opened) == set(graphs.GRAPHS)
    assert opened["language"].inputs["ids"] == (1, "T") and opened["vision"].providers == (sessions.CPU,)


@pytest.mark.parametrize("name", ["manifest.json", "vision.onnx", "mask.onnx", "tokenizer.json"])
def test_a_changed_byte_anywhere_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    path = a_bundle(tmp_path / "b") / name
    size = path.stat().st_size
    for position in range(0, size, max(1, size // 12)):
        original = path.read_bytes()
        path.write_bytes(original[:position] + bytes([original[position] ^ 4]) + original[position + 1 :])
        with pytest.raises(Fault) as fault:
            Bundle.load(tmp_path / "b")
        assert "\n" not in str(fault.value)
        path.write_bytes(original)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"kind": "pack"}, "a model bundle"),
        ({"format_version": 99}, "format version 1"),
        ({"embedder": ""}, "embedder"),
        ({"preprocessing": {**preprocess.CONSTANTS, "pad_value": 0}}, "pad_value = 127"),
        ({"preprocessing": {}}, "background_weight"),
        ({"dimensions": {"width": 3}}, "dimensions"),
        ({"graphs": {}}, "vision"),
        ({"calibration": CALIBRATION | {"threshold": "high"}}, "threshold"),
        ({"calibration": CALIBRATION | {"weights": {}}}, "weights of score"),
    ],
)
def test_a_manifest_of_another_kind_is_refused_by_name(tmp_path: Path, changes: dict, expected: str) -> None:
    folder = a_bundle(tmp_path / "b", **{"calibration": None, **changes})
    with pytest.raises(Fault, match=expected):
        Bundle.load(folder)


def test_a_missing_bundle_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="check the path"):
        Bundle.load(tmp_path / "none")


def test_the_environment_chooses_the_default_bundle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIXSEARCH_BUNDLE", str(tmp_path))
    assert default_bundle() == tmp_path
    monkeypatch.delenv("PIXSEARCH_BUNDLE")
    assert default_bundle().parts[-3:] == ("edge", "bundles", "nano-int8")


def test_a_provider_that_cannot_be_had_is_told_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    sessions._tell_fallback.cache_clear()
    with caplog.at_level(logging.WARNING):
        opened = Bundle.load(folder, providers=["CUDAExecutionProvider"], threads=1).open_all()
    assert {session.providers for session in opened.values()} == {(sessions.CPU,)}
    (line,) = caplog.messages
    assert "CUDAExecutionProvider asked for" in line and "going on with CPUExecutionProvider" in line


def test_a_file_that_is_no_graph_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "vision.onnx").write_bytes(b"no graph")
    with pytest.raises(Fault, match="ONNX graph"):
        sessions.open_session(tmp_path / "vision.onnx")


def test_vectors_are_unit_and_see_only_what_is_masked(folder: Path) -> None:
    embed = BundleEmbedder(Bundle.load(folder, threads=1))
    picture = np.zeros((80, 80, 3), np.uint8)
    picture[:40, :40] = (255, 0, 0)  # in a corner, where a crop can grow on two sides only
    red = embed.region(picture, (picture[..., 0] == 255))
    whole = embed.region(picture, None)
    assert np.linalg.norm(red) == pytest.approx(1) and red[0] > 0.4 > 0 > whole[0]
    assert np.linalg.norm(embed.text("ball")) == pytest.approx(1) and embed.text("ball").shape == (3,)
    with pytest.raises(ValueError, match="empty"):
        embed.text("")
