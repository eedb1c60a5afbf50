"""Baselines cut out what they are given, or what stands out, and are the assistant's own perception otherwise."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from edge_builders import REGION_SCRIPT, a_bundle, a_frame
from onnx import TensorProto, helper

from pixsearch.apps.baselines import SALIENT, SALIENT_SIDE, GivenMask, SalientCutter
from pixsearch.edge.bundle import Bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    loaded = Bundle.load(a_bundle(tmp_path_factory.mktemp("edge") / "bundle", REGION_SCRIPT), threads=1)
    loaded.open_all()
    return loaded


def test_a_given_mask_is_cut_out_whatever_is_named(bundle: Bundle) -> None:
    frame = a_frame()
    mask = np.zeros(frame.shape[:2], bool)
    mask[5:9, 7:12] = True
    hidden = np.ones((3, bundle.dimensions.width), np.float32)
    given = GivenMask(bundle, frame, mask).segment(hidden)
    assert np.array_equal(given.mask, mask) and given.iou == 1.0 and not given.is_whole_frame
    empty = GivenMask(bundle, frame, np.zeros_like(mask)).segment(hidden)
    assert empty.is_whole_frame


def test_what_stands_out_is_found_in_any_frame_size(tmp_path: Path) -> None:
    write_brightness(tmp_path / SALIENT)
    frame = np.full((90, 120, 3), 40, np.uint8)
    frame[30:60, 40:80] = 250
    mask = SalientCutter(tmp_path)(frame)
    assert mask.shape == (90, 120) and mask[34:56, 44:76].all()
    assert mask.sum() == pytest.approx(30 * 40, rel=0.1)


def write_brightness(path: Path) -> None:
    """A network whose map is the mean of the three channels."""
    path.parent.mkdir(parents=True)
    shape = [1, 3, SALIENT_SIDE, SALIENT_SIDE]
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["pixels", "axes"], ["map"], keepdims=1)],
        "brightness",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, [1, 1, SALIENT_SIDE, SALIENT_SIDE])],
        [helper.make_tensor("axes", TensorProto.INT64, [1], [1])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), str(path))
