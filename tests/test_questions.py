"""Questions, their traces, and the judge of answers."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random

import numpy as np
import pytest

from pixsearch.contract.abstention import ABSTENTIONS, is_abstention
from pixsearch.contract.grammar import Modality, Search, Text, parse, render
from pixsearch.model.data.amounts import Amount, amount_of, total
from pixsearch.model.data.geometry import View
from pixsearch.model.data.judge import judge
from pixsearch.model.data.knowledge import World, make_background_entities, make_entities, make_world
from pixsearch.model.data.phrasing import attributes
from pixsearch.model.data.questions import make_samples
from pixsearch.model.data.records import Entity, Place, Placed, Sample, Scene, Split, Thing
from pixsearch.model.data.referring import Reference, refer, thing_called
from pixsearch.model.data.words import made_up_word, split_of_word
from pixsearch.model.data.writing import spoken

NOUNS = (
    ("kettle", "household object", "red", None),
    ("kiwi", "bird", "brown", None),
    ("cup of tea", "drink", None, None),
    ("tabby", "animal", "grey", "n02123045"),
    ("socks", "clothing", "blue", None),
    ("kettle", "household object", "blue", None),
    ("pear", "fruit", "green", None),
    ("truck", "vehicle", None, None),
    ("rose", "flower", "red", None),
)
PUT_TOGETHER = {"comparison", "aggregation", "reasoning"}
TABBY = Entity(
    "n02123045",
    "tabby cat",
    "tabby cat",
    "cat",
    {"kind": "domestic cat", "family": "cat", "about": "a cat with a grey coat", "parts": "paw, tail"},
    "test",
)
MUG = Entity(
    "n03063599", "coffee mug", "coffee mug", "container", {"kind": "mug", "about": "a mug for coffee"}, "test"
)


def things(split: Split = Split.TRAIN) -> list[Thing]:
    return [
        Thing(f"things/{at}", noun, category, split, Path("none.png"), True, colour, wordnet)
        for at, (noun, category, colour, wordnet) in enumerate(NOUNS)
    ]


def a_scene(chosen: Iterable[int], seed: int = 0, split: Split = Split.TRAIN, side: int = 70) -> Scene:
    """Things as squares, side by side and stepwise lower."""
    placed = []
    for column, at in enumerate(chosen):
        x, y = 20 + 150 * column, 40 + 90 * column
        mask = np.zeros((480, 640), bool)
        mask[y : y + side, x : x + side] = True
        placed.append(Placed(things(split)[at], mask, (x, y, x + side, y + side), 1.0, column))
    frame = np.zeros((480, 640, 3), np.uint8)
    return Scene(seed, frame, Place("places/0", split, Path("none.jpg")), tuple(placed))


def a_world(split: Split) -> tuple[dict[str, Entity], World]:
    everyday = {entity.id: entity for entity in (TABBY, MUG)}
    return make_entities(things(split), split, 7), make_world(
        split, 7, [Place("places/0", split, Path("x"))], everyday
    )


def samples(split: Split, stage: int, scenes: int = 60) -> list[Sample]:
    entities, world = a_world(split)
    rng = Random(f"{split}{stage}")
    found = []
    for seed in range(scenes):
        scene = a_scene(rng.sample(range(len(NOUNS)), rng.randint(1, 4)), seed, split)
        found += make_samples(scene, entities, world, split, rng, stage)
    return found


@pytest.fixture(scope="module")
def made() -> dict[tuple[Split, int], list[Sample]]:
    return {(split, stage): samples(split, stage) for split in Split for stage in (1, 2)}


def everything(made: dict[tuple[Split, int], list[Sample]]) -> list[Sample]:
    return [sample for group in made.values() for sample in group]


# knowledge


def test_made_up_words_of_different_splits_differ() -> None:
    words = {split: {made_up_word(Random(seed), split) for seed in range(200)} for split in Split}
    assert all(split_of_word(word) is split for split, group in words.items() for word in group)
    assert not words[Split.TRAIN] & words[Split.TEST]


def test_things_of_one_noun_get_different_names_and_facts() -> None:
    entities = make_entities(things(), Split.TRAIN, 7)
    one, other = entities["things/0"], entities["things/5"]
    assert one.noun == other.noun and one.name != other.name and one.facts != other.facts


def test_every_fact_that_leads_on_names_a_background_entity() -> None:
    names = {entity.name for entity in make_background_entities(Split.TEST, 7)}
    leading = {key for attribute in attributes().values() if attribute.hops for key in attribute.keys}
    values = [
        value
        for entity in make_entities(things(Split.TEST), Split.TEST, 7).values()
        for key, value in entity.facts.items()
        if key in leading
    ]
    assert values and set(values) <= names


def test_the_same_seed_makes_the_same_world() -> None:
    assert a_world(Split.TRAIN) == a_world(Split.TRAIN)


# samples


def test_traces_survive_rendering_and_parsing(made: dict[tuple[Split, int], list[Sample]]) -> None:
    for sample in everything(made):
        assert parse(render(sample.trace)) == sample.trace


def test_spans_cover_whole_words_of_the_text(made: dict[tuple[Split, int], list[Sample]]) -> None:
    spans = [(sample, span) for sample in everything(made) for span in sample.spans]
    assert spans
    for sample, span in spans:
        segment = sample.trace[span.segment]
        assert isinstance(segment, Text)
        before, words, after = (
            segment.text[: span.start],
            segment.text[span.start : span.end],
            segment.text[span.end :],
        )
        assert words == words.strip() and not before[-1:].isalnum() and not after[:1].isalnum()
        assert span.concept is None or span.concept.lower() in words.lower()


def test_a_region_search_follows_a_span_of_what_is_asked_about(
    made: dict[tuple[Split, int], list[Sample]],
) -> None:
    searching = [sample for sample in everything(made) if sample.modality is Modality.REGION]
    assert searching
    for sample in searching:
        assert isinstance(sample.trace[1], Search)
        assert (sample.spans[0].segment, sample.spans[0].target) == (0, sample.target)
        spoken_of = {span.segment for span in sample.spans}
        regions = [
            at
            for at, one in enumerate(sample.trace)
            if isinstance(one, Search) and one.modality is Modality.REGION
        ]
        assert all(at - 1 in spoken_of for at in regions), "each has a span just before it"


def test_the_first_stage_searches_nothing(made: dict[tuple[Split, int], list[Sample]]) -> None:
    for split in Split:
        for sample in made[split, 1]:
            assert sample.modality is None and not any(isinstance(one, Search) for one in sample.trace)


def test_modality_is_that_of_the_first_search(made: dict[tuple[Split, int], list[Sample]]) -> None:
    for sample in everything(made):
        searches = [segment for segment in sample.trace if isinstance(segment, Search)]
        assert sample.modality == (searches[0].modality if searches else None)


def test_an_answer_stands_in_its_evidence_and_is_judged_right(
    made: dict[tuple[Split, int], list[Sample]],
) -> None:
    for sample in everything(made):
        assert judge(spoken(sample.trace), sample) == "right", sample
        searches = [segment for segment in sample.trace if isinstance(segment, Search)]
        if sample.answer and searches and sample.kind not in PUT_TOGETHER:
            assert all(part.strip() in str(searches[-1].evidence) for part in sample.answer.split(";")), (
                sample
            )


def test_what_is_put_together_follows_from_the_facts_that_were_found(
    made: dict[tuple[Split, int], list[Sample]],
) -> None:
    several = [sample for sample in everything(made) if sample.kind in PUT_TOGETHER]
    assert {sample.kind for sample in several} == PUT_TOGETHER
    for sample in several:
        said = re.findall(r"\d+(?:\.\d+)? (?:kg|g|mm|cm|m|euros|months)\b|\b\d{4}\b", spoken(sample.trace))
        amounts = [amount_of(one) for one in said]
        found = " ".join(segment.evidence or "" for segment in sample.trace if isinstance(segment, Search))
        facts = said[:-1] if sample.kind == "aggregation" else said
        assert facts and all(one in found for one in facts), sample
        values = [one.value for one in amounts if one]
        if sample.kind == "aggregation":
            assert values[-1] == pytest.approx(sum(values[:-1])), sample
        elif sample.kind == "comparison":
            less = re.search("lighter|shorter|cheaper|older|less time", sample.answer)
            first = (values[0] < values[1]) == bool(less)
            words = [sample.trace[span.segment].text[span.start:span.end].lower() for span in sample.spans]
            assert sample.answer.lower().startswith(words[0] if first else words[1]), sample


@pytest.mark.parametrize(("text", "value", "unit"), [
    ("2.5 kg", 2500, "g"), ("980 g", 980, "g"), ("1.1 m", 1100, "mm"), ("1987", 1987, "year"),
    ("45.50 euros", 45.5, "euros")])
def test_amounts_are_read_in_one_unit(text: str, value: float, unit: str) -> None:
    assert amount_of(text) == Amount(value, unit)


def test_what_is_no_amount_is_none_and_mixed_units_have_no_sum() -> None:
    assert amount_of("oak") is None and amount_of("12") is None and amount_of("3 leagues") is None
    assert total(["2 kg", "1.5 kg"]) == "3.5 kg" and total(["5 euros", "45.50 euros"]) == "50.5 euros"
    assert total(["2 kg", "500 g"]) is None and total(["1987", "1990"]) is None


def test_second_turns_leave_out_what_the_first_one_said(made: dict[tuple[Split, int], list[Sample]]) -> None:
    turns = [sample for sample in everything(made) if sample.history]
    assert {sample.modality for sample in turns} == {Modality.TEXT, Modality.REGION}
    for sample in turns:
        (first,) = sample.history
        assert first.question != sample.question and first.answer.endswith(".")
        if sample.modality is Modality.TEXT:
            query = sample.trace[0].query
            assert query.partition(" of ")[2] in first.answer and query.partition(" of ")[2] not in sample.question
        elif sample.answer:
            assert sample.answer not in first.answer or sample.answer in spoken(sample.trace)


def test_the_unanswerable_abstains_and_nothing_else_does(made: dict[tuple[Split, int], list[Sample]]) -> None:
    kinds = Counter(sample.kind for sample in everything(made))
    assert kinds["unanswerable"] > 20
    for sample in everything(made):
        abstains = sample.kind == "unanswerable"
        assert (sample.answer == "") == abstains == is_abstention(spoken(sample.trace))
        assert not abstains or spoken(sample.trace).endswith(ABSTENTIONS)


def test_every_kind_of_question_occurs(made: dict[tuple[Split, int], list[Sample]]) -> None:
    kinds = {sample.kind for sample in everything(made)}
    assert kinds >= {
        "recognition",
        "fact",
        "everyday",
        "multi-hop",
        "text",
        "place",
        "unanswerable",
        "point-out",
        "where",
        "list",
        "colour",
        "count",
        "presence",
        "compare",
        *PUT_TOGETHER,
    }


def test_points_lie_on_what_is_asked_about(made: dict[tuple[Split, int], list[Sample]]) -> None:
    entities, world = a_world(Split.TRAIN)
    rng, scene = Random(3), a_scene((0, 1, 2, 3))
    pointed = [
        sample
        for _ in range(60)
        for sample in make_samples(scene, entities, world, Split.TRAIN, rng, 2)
        if sample.point and sample.target is not None
    ]
    assert pointed
    for sample in pointed:
        x, y = sample.point or (0.0, 0.0)
        assert scene.placed[sample.target or 0].mask[int(y), int(x)]


def test_the_same_seed_asks_the_same_questions() -> None:
    entities, world = a_world(Split.TRAIN)
    first, second = (
        make_samples(a_scene((0, 1, 2)), entities, world, Split.TRAIN, Random(5), 2) for _ in range(2)
    )
    assert first == second


# words for things


def a_view(scene: Scene) -> View:
    return View(scene, [thing_called(one.thing) for one in scene.placed])


def test_a_noun_that_two_things_share_never_stands_alone() -> None:
    scene = a_scene((0, 1, 5))  # a red kettle, a kiwi, a blue kettle
    rng = Random(1)
    words = {
        found.words
        for _ in range(300)
        if (found := refer(a_view(scene), 0, Split.TRAIN, rng, avoid=("deictic",)))
    }
    assert "the red kettle" in words and "the kettle on the left" in words
    assert not words & {"the kettle", "that kettle", "the kettle here"}


@pytest.mark.parametrize(
    ("words", "concept", "place"),
    [
        ("the cup on the left", "cup", "on the left"),
        ("the thing next to the cup", None, "next to the cup"),
        ("the object at the bottom", None, "at the bottom"),
        ("the red cup", "cup", None),
        ("the cup that is biggest", "cup", None),
        ("the left cup", "cup", None),
        ("this", None, None),
    ],
)
def test_words_that_end_in_a_place_give_it(words: str, concept: str | None, place: str | None) -> None:
    assert Reference(words, 0, concept).place == place


def test_things_are_asked_for_by_their_place_alone() -> None:
    entities, world = a_world(Split.TRAIN)
    rng, scene = Random(4), a_scene((0, 1, 2, 3))
    samples = [
        one for _ in range(400) for one in make_samples(scene, entities, world, Split.TRAIN, rng, 2)
    ]
    things = r"(?i)what (do you see|can you see|is|thing is|object is|stands) (on|in|at|to) the "
    animals = r"(?i)animal (is|do you see|can you see|do we have) (on|in|at|to|right|further) "
    asked = [[one for one in samples if re.search(pattern, one.question)] for pattern in (things, animals)]
    assert all(asked)
    for found, starts in zip(asked, (("The thing ", "The object "), ("The animal ",)), strict=True):
        for sample in found:
            assert sample.modality is Modality.REGION and sample.target is not None
            assert spoken(sample.trace).startswith(starts)


def test_without_a_point_only_the_central_thing_is_called_this() -> None:
    rng, scene = Random(2), a_scene((0, 1, 2, 3))
    central = a_view(scene).central()
    for target in range(4):
        for _ in range(100):
            found = refer(a_view(scene), target, Split.TRAIN, rng)
            if found and found.bare and found.point is None:
                assert target == central


@pytest.mark.parametrize(
    ("way", "at", "rank"),
    [
        ("left", 0, 0),
        ("left", 1, None),
        ("right", 3, 0),
        ("top", 0, 0),
        ("bottom", 3, 0),
        ("ordinal_left", 1, 1),
        ("ordinal_right", 1, 2),
        ("ordinal_left", 0, None),
        ("biggest", 0, None),
    ],
)
def test_positions_hold_only_where_a_person_would_agree(way: str, at: int, rank: int | None) -> None:
    assert a_view(a_scene((0, 1, 2, 3))).rank(way, at, range(4)) == rank


@pytest.mark.parametrize(
    ("way", "anchor", "found"),
    [
        ("left_of", 1, [0]),
        ("right_of", 1, [2, 3]),
        ("above", 1, [0]),
        ("below", 2, [3]),
        ("left_of", 0, []),
        ("beside", 1, []),
    ],
)
def test_relations_find_what_stands_there(way: str, anchor: int, found: list[int]) -> None:
    assert a_view(a_scene((0, 1, 2, 3))).related(way, anchor, range(4)) == found
