"""The words for a thing have a say in what is found."""

import pytest

from pixsearch.edge.nouns import AGREEMENT, agrees, in_agreement, noun_of
from pixsearch.index.hits import Hit


def a_hit(entity: str, sort: str, score: float, **facts: str) -> Hit:
    return Hit(entity, entity, sort, score, "", (), facts, "pack")


@pytest.mark.parametrize(("words", "noun"), [
    ("This bird", "bird"), ("the small bird on the left", "bird"), ("that dog", "dog"), ("The yellow fruits", "fruits"),
    ("this", None), ("the leftmost thing", None), ("What I am pointing at", None), ("the thing in hand", None),
    ("", None),
])
def test_the_noun_is_the_last_word_before_the_place(words: str, noun: str | None) -> None:
    assert noun_of(words) == noun


def test_a_hit_agrees_by_kind_family_or_the_end_of_its_name() -> None:
    robin = a_hit("American robin", "animal", 0.5, kind="bird", family="thrush")
    assert all(agrees(robin, noun) for noun in ("animal", "birds", "bird", "thrush", "robin"))
    assert not agrees(robin, "american")
    assert not agrees(robin, "fruit")


def test_agreeing_hits_come_first_unless_they_are_far_behind() -> None:
    orange = a_hit("orange", "food", 0.6, kind="fruit")
    ball = a_hit("ball", "object", 0.6 + AGREEMENT / 2, kind="ball")
    lamp = a_hit("lamp", "object", 0.6 + AGREEMENT * 2, kind="lamp")
    hits = [lamp, ball, orange]
    assert in_agreement(hits, "the fruit on the table", 2) == [lamp, orange]
    assert in_agreement(hits, "this", 2) == [lamp, ball]
    assert in_agreement(hits, None, 3) == hits
