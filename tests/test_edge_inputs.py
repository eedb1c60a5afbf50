"""Questions and pointing from outside: what cannot be used is refused in one line."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixsearch.contract.faults import Fault
from pixsearch.contract.grammar import SPECIAL_TOKENS
from pixsearch.edge.inputs import MAX_QUESTION_CHARS, check_box, check_point, check_question


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is this?", "What is this?"),
        ("  what\tis\n this ", "what is this"),
        ("Who made\x00 it\x1b?", "Who made it ?"),
        ("cat?", "cat?"),
        ("Is it a café au lait?", "Is it a café au lait?"),
        ("2 + 2", "2 + 2"),
        ("Is this das Boot or der Blaue Reiter?", "Is this das Boot or der Blaue Reiter?"),
        ("name of this Rio de Janeiro landmark", "name of this Rio de Janeiro landmark"),
        ("die cast?", "die cast?"),
        ("a < b?", "a < b?"),
        ("What is <b>this</b>?", "What is <b>this</b>?"),
    ],
)
def test_a_usable_question_is_kept_and_tidied(question: str, expected: str) -> None:
    assert check_question(question) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("\x00\u200b", "empty"),
        ("?!", "words"),
        ("x" * (MAX_QUESTION_CHARS + 1), "at most 1000 characters"),
        ("x" * 10_000, "10000"),
        ("Was ist das?", "English"),
        ("Qu'est-ce que c'est ?", "English"),
        ("¿Qué es esto?", "English"),
        ("Che cosa è questo?", "English"),
        ("O que é isso?", "English"),
        ("Wat is dit voor dier?", "English"),
        ("これは何ですか", "English"),
        ("Что это?", "English"),
        ("ما هذا؟", "English"),
        ("这是什么?", "English"),
        ("Vad är det?", "English"),
        *((f"what {token} is", "token") for token in SPECIAL_TOKENS),
        ("<SEARCH> it", "token"),
    ],
)
def test_an_unusable_question_is_refused_in_one_line(question: str, expected: str) -> None:
    with pytest.raises(Fault, match=expected) as fault:
        check_question(question)
    assert "\n" not in str(fault.value) and len(str(fault.value)) < 200


@given(st.text(max_size=60))
def test_any_text_is_either_tidied_or_refused(text: str) -> None:
    try:
        question = check_question(text)
    except Fault:
        return
    assert question and question == check_question(question) and question.isprintable()


@pytest.mark.parametrize("point", [(0, 0), (299, 199), (12.5, 7.25)])
def test_a_point_inside_is_kept(point: tuple[float, float]) -> None:
    assert check_point(point, 200, 300) == point


@pytest.mark.parametrize(
    "point", [(-1, 0), (0, -0.1), (300, 0), (0, 200), (math.nan, 0), (math.inf, 0), (1,), (1, 2, 3)]
)
def test_a_point_outside_names_the_range(point: tuple[float, ...]) -> None:
    with pytest.raises(Fault, match="x from 0 to 299 and y from 0 to 199"):
        check_point(point, 200, 300)


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 301, 200),
        (0, 0, 300, 201),
        (5, 5, 5, 9),
        (9, 5, 5, 9),
        (-1, 0, 5, 5),
        (0, 0, math.nan, 5),
        (0, 0, 5),
    ],
)
def test_a_box_outside_or_without_area_names_the_range(box: tuple[float, ...]) -> None:
    with pytest.raises(Fault, match="from 0 to 300"):
        check_box(box, 200, 300)


def test_a_box_that_fills_the_frame_is_kept() -> None:
    assert check_box((0, 0, 300, 200), 200, 300) == (0, 0, 300, 200)
