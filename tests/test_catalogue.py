"""What a benchmark's index holds: look-alikes that differ in facts, tiers, everyday things, things left out."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from exams import an_exam

from pixsearch.model.data.catalogue import SIDES, TIERS, Catalogue, Tier, tier_of
from pixsearch.model.data.cutouts import load_cutout, turned_hue
from pixsearch.model.data.phrasing import attribute_of_key
from pixsearch.model.data.records import Split
from pixsearch.model.data.words import split_of_word


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return an_exam(tmp_path_factory.mktemp("exam")).catalogue


def test_a_look_alike_has_other_colours_another_name_and_other_values_of_the_same_facts(catalogue: Catalogue) -> None:
    assert catalogue.lookalikes
    for id, twin in catalogue.lookalikes.items():
        entity = catalogue.branded[id]
        assert twin.hue and twin.entity.name != entity.name and twin.entity.noun == entity.noun
        assert list(twin.entity.facts) == list(entity.facts)
        told = [key for key in entity.facts if attribute_of_key(key)]
        assert told and all(twin.entity.facts[key] != entity.facts[key] for key in told)


def test_the_index_holds_each_entity_once_and_nothing_that_is_left_out(catalogue: Catalogue) -> None:
    held = Counter(entry.entity.id for entry in catalogue.entries())
    assert max(held.values()) == 1
    assert catalogue.absent and not held.keys() & {entity.id for entity in catalogue.absent.values()}
    asked = [*catalogue.branded.values(), *catalogue.everyday.values()]
    assert held.keys() >= {entity.id for entity in asked} and len(held) > len(asked)
    names = [entry.entity.name for entry in catalogue.entries()]
    assert len(set(names)) == len(names)


def test_things_that_wordnet_tells_about_have_no_made_up_name(catalogue: Catalogue) -> None:
    assert catalogue.everyday
    for thing in catalogue.things:
        entity = catalogue.entity_of(thing)
        if thing.wordnet in catalogue.everyday:
            assert thing.id not in catalogue.branded and entity == catalogue.everyday[thing.wordnet]
        else:
            assert (entity is None) == (thing.id in catalogue.absent)


def test_strangers_are_of_training_and_their_names_are_not(catalogue: Catalogue) -> None:
    assert len(catalogue.strangers) == 6
    shown = {thing.noun for thing in catalogue.things}
    for entry in catalogue.strangers:
        first = next(word for word in entry.entity.name.split() if word[0].isupper() and word.isalpha())
        assert entry.entity.noun not in shown and split_of_word(first) is Split.VALIDATION


def test_popular_things_are_fewer_and_known_better() -> None:
    tiers = Counter(tier_of(f"thing {number}") for number in range(2000))
    for tier, share in TIERS.items():
        assert tiers[tier] / 2000 == pytest.approx(share, abs=0.04)
    assert SIDES[Tier.HEAD] > SIDES[Tier.TORSO] > SIDES[Tier.TAIL]


def test_popular_things_have_more_facts_and_pictures_and_are_shown_more_often(catalogue: Catalogue) -> None:
    shown = Counter(thing.id for thing in catalogue.shown)
    by_id = {entry.entity.id: entry for entry in catalogue.entries()}
    entries = {tier: [(by_id[catalogue.branded[one.id].id], shown[one.id]) for one in catalogue.things
                      if one.id in catalogue.branded and tier_of(one.id) is tier] for tier in Tier}
    facts, sides, times = ([float(np.mean([value(*one) for one in entries[tier]])) for tier in Tier] for value in (
        lambda entry, _: len(entry.entity.facts), lambda entry, _: len(entry.pictures), lambda _, count: count))
    for figures in (facts, sides, times):
        assert figures[0] > figures[-1], figures


def test_turned_hues_keep_shape_and_brightness(catalogue: Catalogue) -> None:
    picture = load_cutout(Path(catalogue.things[0].path))
    turned = turned_hue(picture, 120)
    assert np.array_equal(turned[..., 3], picture[..., 3]) and (turned[..., :3] <= turned[..., 3:]).all()
    inside = picture[..., 3] == 255
    assert np.abs(turned[inside][:, :3].max(axis=1).astype(int) - picture[inside][:, :3].max(axis=1)).max() <= 2
    assert np.abs(turned[inside].astype(int) - picture[inside]).max() > 100
