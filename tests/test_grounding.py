"""Names and numbers in answers come from the evidence or the question."""

import pytest

from pixsearch.edge.grounding import NameGuard

NAMES = {"cat", "polar bear", "bear", "old world monkey"}


EVIDENCE = "brown bear (sure) | kind: animal | made: 1987 | weight: 1.5 kg"


def guard(evidence: str | None = EVIDENCE, question: str = "Is it a bear?") -> NameGuard:
    made = NameGuard(NAMES.__contains__, question)
    if evidence is not None:
        made.read(evidence)
    return made


@pytest.mark.parametrize("said, start", [
    ("This is a cat", 10),
    ("This is a Cat", 10),
    ("This is a brown bear", None),
    ("Both are bears", None),
    ("This is a polar bear", 10),
    ("It is an Old World monkey", 9),
    ("This is a lamp", None),
    ("A cat is not what ends here", None),
    ("It has been here for 10", 21),
    ("It was made in 1987", None),
    ("It is 3", 6),
    ("It weighs 1.5", None),
    ("Both weigh 2, together 3", None),
    ("", None),
])
def test_the_number_or_longest_name_at_the_end_that_nothing_supports_is_found(said: str, start: int | None) -> None:
    assert guard().unsupported(said) == start


def test_nothing_is_looked_at_before_a_search() -> None:
    assert guard(evidence=None).unsupported("This is a cat") is None


def test_two_lines_of_evidence_do_not_make_one_name() -> None:
    made = guard("a polar")
    made.read("bear")
    assert made.unsupported("a polar bear") == 2
