"""The page of boards: counts are those of known graphs, predictions follow their formula, the page holds them."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pixsearch.apps.boards import BOARDS, STAGES, Board, Use, Work, _feeds, page, run_counted
from pixsearch.contract import graphs
from pixsearch.contract.files import read_manifest
from pixsearch.edge.bundle import DEFAULT_FOLDER

PAGE = Path(__file__).parents[1] / "docs" / "boards.md"


def a_graph(path: Path, operator: str, shape: list[int], weights: list[int], **attributes: int) -> Path:
    """One product of an input and a constant."""
    constant = numpy_helper.from_array(np.ones(weights, np.float32), "w")
    node = helper.make_node(operator, ["x", "w"], ["y"], **attributes)
    whole = helper.make_graph([node], "one", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], [constant])
    onnx.save(helper.make_model(whole, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


@pytest.mark.parametrize(
    ("operator", "shape", "weights", "attributes", "expected"),
    [
        ("MatMul", [1, 5, 16], [16, 8], {}, Work(5 * 16 * 8, 16 * 8, 5 * 8, 1)),
        ("Gemm", [3, 16], [8, 16], {"transB": 1}, Work(3 * 16 * 8, 16 * 8, 3 * 8, 1)),
        ("Conv", [1, 4, 6, 6], [8, 4, 3, 3], {}, Work(8 * 16 * 4 * 9, 8 * 4 * 9, 8 * 16, 1)),
        ("Conv", [1, 4, 6, 6], [4, 1, 3, 3], {"group": 4}, Work(4 * 16 * 9, 4 * 9, 4 * 16, 1)),
        ("Add", [3, 4], [3, 4], {}, Work(0, 0, 0, 0)),
    ],
)
def test_products_are_counted(tmp_path: Path, operator: str, shape: list[int], weights: list[int],
                              attributes: dict[str, int], expected: Work) -> None:
    file = a_graph(tmp_path / "one.onnx", operator, shape, weights, **attributes)
    assert run_counted(file, {"x": np.ones(shape, np.float32)})[0] == expected


def test_a_stage_takes_its_bytes_or_its_sums_and_its_launches() -> None:
    board = Board("even", int8=2.0, fp16=1.0, bandwidth=1.0, source="")
    use = Use(bandwidth=1.0, sums=1.0, launch_us=10.0)
    assert Work(0, 10**6, 0, 5).ms(board, True, use) == pytest.approx(1.0 + 0.05)
    assert Work(0, 10**6, 10**6, 0).ms(board, False, use) == pytest.approx(6.0)  # written and read, two bytes each
    assert Work(10**9, 0, 0, 0).ms(board, True, use) == pytest.approx(1.0)
    assert Work(10**9, 0, 0, 0).ms(board, False, use) == pytest.approx(2.0)


def test_the_committed_page_has_the_counts_of_the_shipped_graphs() -> None:
    text, described = PAGE.read_text(), read_manifest(DEFAULT_FOLDER, "bundle")["graphs"]
    assert "Predicted, not measured" in text and all(board.name in text for board in BOARDS)
    for stage in ("mask", "region vector", "a token written"):
        name, lengths = STAGES[stage]
        work, _ = run_counted(DEFAULT_FOLDER / graphs.graph_file(name), _feeds(described[name]["inputs"], lengths))
        predicted = " | ".join(f"{work.ms(board, name == graphs.REGION, Use()):.1f}" for board in BOARDS)
        counts = f"{work.multiply_adds / 1e6:.0f} | {work.weights / 1e6:.1f} | {work.kernels}"
        assert f"| {stage} | {counts} | {predicted} |" in text


def test_the_page_says_where_it_was_checked() -> None:
    assert "commit abc" in page(DEFAULT_FOLDER, "commit abc")
