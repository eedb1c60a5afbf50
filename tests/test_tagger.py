"""The last span that the tags name is the one that is searched with."""

import pytest
import torch

from pixsearch.contract.graphs import TAG_BEGIN, TAG_INSIDE, TAG_OUTSIDE
from pixsearch.model.tagger import last_span, pool_span, tag_loss

LETTERS = {"O": TAG_OUTSIDE, "B": TAG_BEGIN, "I": TAG_INSIDE, "-": TAG_OUTSIDE}


@pytest.mark.parametrize(("tags", "expected"), [
    ("BIOO", "1100"),
    ("BIOB", "0001"),
    ("BIBI", "0011"),
    ("OBIO", "0110"),
    ("BOII", "1000"),  # an I that no B leads to belongs to nothing
    ("OOII", "1111"),  # without any B all words count
    ("BI--", "1100"),
    ("OO--", "1100"),
])
def test_last_span(tags: str, expected: str) -> None:
    logits = torch.nn.functional.one_hot(torch.tensor([[LETTERS[letter] for letter in tags]]), 3).float()
    valid = torch.tensor([[float(letter != "-") for letter in tags]])
    assert last_span(logits, valid)[0].tolist() == [float(one) for one in expected]


def test_a_begin_in_the_padding_is_not_seen() -> None:
    logits = torch.nn.functional.one_hot(torch.tensor([[TAG_BEGIN, TAG_OUTSIDE, TAG_BEGIN]]), 3).float()
    assert last_span(logits, torch.tensor([[1.0, 1.0, 0.0]])).tolist() == [[1.0, 0.0, 0.0]]


def test_a_span_is_the_mean_of_its_words() -> None:
    hidden = torch.tensor([[[1.0, 0.0], [3.0, 2.0], [9.0, 9.0]]])
    assert pool_span(hidden, torch.tensor([[1.0, 1.0, 0.0]])).tolist() == [[2.0, 1.0]]


def test_a_missed_begin_costs_more_than_a_missed_outside() -> None:
    flat = torch.zeros(1, 2, 3)
    flat[0, 0, TAG_INSIDE] = flat[0, 1, TAG_INSIDE] = 4.0
    missed_begin = tag_loss(flat, torch.tensor([[TAG_BEGIN, TAG_INSIDE]]))
    missed_outside = tag_loss(flat, torch.tensor([[TAG_OUTSIDE, TAG_INSIDE]]))
    assert missed_begin > 2 * missed_outside
