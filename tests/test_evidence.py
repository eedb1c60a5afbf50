"""Evidence has one form, in training and on the device."""

import pytest

from pixsearch.contract.abstention import ABSTENTIONS, is_abstention
from pixsearch.contract.evidence import (
    FACTS_OF_FIRST,
    FACTS_OF_OTHERS,
    MAX_HITS,
    MAX_VALUE_CHARS,
    EvidenceItem,
    format_evidence,
)


def a_hit(name: str = "Norvik kettle", score: float | None = 0.9, **facts: str) -> EvidenceItem:
    return EvidenceItem(name, facts, score, "test")


@pytest.mark.parametrize(
    ("score", "line"),
    [
        (0.9, "Norvik kettle (sure)"),
        (0.8, "Norvik kettle (sure)"),
        (0.6, "Norvik kettle (likely)"),
        (0.2, "Norvik kettle (unsure)"),
        (None, "Norvik kettle"),
    ],
)
def test_a_score_is_told_as_a_word_by_the_thresholds(score: float | None, line: str) -> None:
    assert format_evidence([a_hit(score=score)], "what is this?", sure_at=0.8, likely_at=0.5) == line


def test_facts_that_share_words_with_the_question_come_first_after_the_kind() -> None:
    hit = a_hit(weight="2 kg", colour="red", maker="Torv", kind="kettle")
    assert format_evidence([hit], "who makes this?") == (
        "Norvik kettle (sure) | kind: kettle | maker: Torv | weight: 2 kg | colour: red"
    )


def test_later_hits_show_fewer_facts() -> None:
    facts = {f"fact{at}": str(at) for at in range(9)}
    hits = [EvidenceItem(name, facts, 0.9, "test") for name in ("Norvik kettle", "Other")]
    first, second = format_evidence(hits, "").split("\n")
    assert (first.count("|"), second.count("|")) == (FACTS_OF_FIRST, FACTS_OF_OTHERS)
    assert FACTS_OF_FIRST > FACTS_OF_OTHERS


def test_at_most_three_hits_are_told() -> None:
    assert len(format_evidence([a_hit(f"Hit {at}") for at in range(9)], "").split("\n")) == MAX_HITS


@pytest.mark.parametrize("limit", [0, 5, 20, 21, 40, 60, 200])
def test_the_limit_holds_and_cuts_whole_facts(limit: int) -> None:
    evidence = format_evidence([a_hit(maker="Torv", weight="2 kg"), a_hit("Other", maker="Sel")], "", limit)
    assert len(evidence) <= limit
    assert all(
        part in ("Norvik kettle (sure)", "Other (sure)", "maker: Torv", "weight: 2 kg", "maker: Sel")
        for line in evidence.split("\n")
        if line
        for part in line.split(" | ")
    )


def test_nothing_found_is_empty_evidence() -> None:
    assert format_evidence([], "what is this?") == ""


def test_signs_in_values_cannot_begin_facts_or_hits() -> None:
    evidence = format_evidence([a_hit("A|B\nC", maker="x | owner: me\nFake (sure)")], "")
    assert evidence == "A/B C (sure) | maker: x / owner: me Fake (sure)"


def test_a_long_value_is_cut_between_words() -> None:
    value = format_evidence([a_hit(about="word " * 40)], "").partition("about: ")[2]
    assert len(value) <= MAX_VALUE_CHARS and value.endswith("word…")


def test_every_abstention_is_known_as_one() -> None:
    assert all(is_abstention(f"The kettle? {sentence}") for sentence in ABSTENTIONS)
    assert is_abstention("I don’t know.") and not is_abstention("It is a kettle.")
