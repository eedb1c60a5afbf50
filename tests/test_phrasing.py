"""How people ask: enough phrasings, and none that two splits share."""

import string
from collections import Counter

import pytest

from pixsearch.model.data.phrasing import all_phrasings, attributes, by_hand, hop_templates, templates
from pixsearch.model.data.records import Split

ASKED = (
    "recognition",
    "everyday",
    "breed",
    "family",
    "about",
    "parts",
    "place",
    "point_out",
    "where",
    "list",
    "colour",
    "count",
    "presence",
    "everyday_at",
    "recognition_at",
    "compare",
    "read",
    "same_of",
    "same_beside",
    "comparison",
    "total",
    "limit",
)
TABLES = [*(("attribute", name) for name in attributes()), *(("ask", kind) for kind in ASKED)]
FEWEST = {Split.TRAIN: 10, Split.VALIDATION: 3, Split.TEST: 3}


@pytest.mark.parametrize(("table", "kind"), TABLES)
def test_every_question_has_many_phrasings_and_no_two_splits_share_one(table: str, kind: str) -> None:
    of_split = {split: templates(kind, split, table) for split in Split}
    for split, phrasings in of_split.items():
        assert len(set(phrasings)) == len(phrasings) >= FEWEST[split]
    together = [phrasing for phrasings in of_split.values() for phrasing in phrasings]
    assert len(set(together)) == len(together)


def test_phrases_that_lead_through_an_attribute_are_apart_too() -> None:
    for attribute in (one for one in attributes().values() if one.hops):
        phrases = [phrase for split in Split for phrase in hop_templates(attribute.name, split)]
        assert len(set(phrases)) == len(phrases) and all("{x}" in phrase for phrase in phrases)


def test_no_two_attributes_share_a_spelling() -> None:
    spellings = Counter(key for attribute in attributes().values() for key in attribute.keys)
    assert max(spellings.values()) == 1


def test_many_test_phrasings_are_written_by_hand_and_only_tests_use_them() -> None:
    written = [text for table, kind in TABLES for text in by_hand(kind, table)]
    assert len(set(written)) == len(written) >= 60
    assert set(written) <= set(all_phrasings(Split.TEST))
    assert not set(written) & {*all_phrasings(Split.TRAIN), *all_phrasings(Split.VALIDATION)}


@pytest.mark.parametrize(("table", "kind"), TABLES)
def test_phrasings_by_hand_have_the_fields_of_the_others(table: str, kind: str) -> None:
    fields = {name for text in templates(kind, Split.TRAIN, table) for _, name, _, _ in string.Formatter().parse(text)
              if name}
    for text in by_hand(kind, table):
        found = {name for _, name, _, _ in string.Formatter().parse(text) if name}
        assert found <= fields and (not fields or found)
