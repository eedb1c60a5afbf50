"""Answers are judged by exact words."""

import pytest

from pixsearch.contract.grammar import Text
from pixsearch.model.data.judge import judge
from pixsearch.model.data.records import Sample, Split


def asked(answer: str, *accepted: str) -> Sample:
    return Sample(0, Split.TEST, 2, "fact", "?", (Text("x"),), answer, None, accepted=accepted)


@pytest.mark.parametrize(
    ("said", "expected", "verdict"),
    [
        ("The kettle is made by Norvik.", "Norvik", "right"),
        ("It's the norvik company", "Norvik", "right"),
        ("It is made by Norvikson.", "Norvik", "wrong"),
        ("I don't know that.", "Norvik", "missing"),
        ("The kettle? I don’t know.", "Norvik", "missing"),
        ("", "Norvik", "missing"),
        ("It weighs 2 kilograms.", "2 kg", "right"),
        ("It weighs 2.50 kg", "2.5 kg", "right"),
        ("It weighs 12 kg.", "2 kg", "wrong"),
        ("Made 1,200 times.", "1200", "right"),
        ("There are two animals.", "2", "right"),
        ("It has the museum number 1987.12.", "1987.12", "right"),
        ("It is the Old Torvik.", "Old Torvik", "right"),
        ("A kettle and a cup.", "cup; kettle", "right"),
        ("A kettle.", "cup; kettle", "wrong"),
        ("", "", "wrong"),
        ("I don't know what that is.", "", "right"),
        ("It is a kettle.", "", "wrong"),
    ],
)
def test_answers_are_judged_by_exact_words(said: str, expected: str, verdict: str) -> None:
    assert judge(said, asked(expected)) == verdict


def test_an_accepted_spelling_is_right() -> None:
    assert judge("It is gray.", asked("grey", "gray")) == "right"
