"""Run lengths and boxes say exactly what the mask says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from pixsearch.contract.faults import Fault
from pixsearch.contract.masks import box_of, decode_mask, encode_mask

masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12))


@given(masks)
def test_run_lengths_give_the_mask_back(mask: np.ndarray) -> None:
    code = encode_mask(mask)
    assert (decode_mask(code) == mask).all() and sum(code["counts"]) == mask.size


@given(masks)
def test_the_box_is_the_smallest_that_holds_the_mask(mask: np.ndarray) -> None:
    box = box_of(mask)
    if box is None:
        assert not mask.any()
        return
    x0, y0, x1, y1 = box
    assert mask[y0:y1, x0:x1].sum() == mask.sum()
    assert all(mask[edge].any() for edge in ((y0,), (y1 - 1,), (slice(None), x0), (slice(None), x1 - 1)))


def test_runs_go_down_the_columns_and_start_with_background() -> None:
    assert encode_mask(np.array([[True, False], [False, True]])) == {"size": [2, 2], "counts": [0, 1, 2, 1]}


@pytest.mark.parametrize(
    ("size", "counts"),
    [([2, 2], [3]), ([2, 2], [5]), ([2, 2], [-1, 5]), ([0, 2], []), ([10**6, 10**6], [10**12])],
)
def test_counts_that_do_not_fill_the_size_are_refused(size: list[int], counts: list[int]) -> None:
    with pytest.raises(Fault, match="run lengths"):
        decode_mask({"size": size, "counts": counts})
