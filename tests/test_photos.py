"""The photo questions as they are committed, and how their answers are judged."""

import re
from collections import Counter
from pathlib import Path

import pytest

from pixsearch.apps.accepted_names import STEPS
from pixsearch.apps.defaults import PHOTOS
from pixsearch.apps.eval_photos import PhotoQuestion, evaluate_photos, judge_photo, read_photo_questions, says
from pixsearch.apps.scores import mask_scores, precision_recall, verdict_scores
from pixsearch.contract.abstention import UNKNOWN
from pixsearch.contract.grammar import Modality, Search, Text, render
from pixsearch.contract.images import read_image
from pixsearch.edge.answer import Answer, SearchRecord, Timings
from pixsearch.index.hits import Hit

QUESTIONS = read_photo_questions()
NO_TIME = Timings(vision=0, language=0, mask=0, region=0, search=0, total=0, first_token=0)


def an_answer(words: str, *entities: tuple[str, str], abstained: bool = False) -> Answer:
    """An answer after one region search that found these (name, key) pairs."""
    hits = tuple(
        Hit(name, key, "", 0.9 - 0.1 * at, "", (), {}, "p") for at, (name, key) in enumerate(entities)
    )
    record = SearchRecord(Modality.IMAGE, None, None, None, hits, None, None, "")
    trace = render((Text("It"), Search(Modality.IMAGE, None, ""), Text(words)))
    return Answer(words, abstained, 0.9, (record,), trace, NO_TIME, 3)


def a_question(asks: str = "entity") -> PhotoQuestion:
    return PhotoQuestion(
        "x",
        PHOTOS / "x.jpg",
        "test",
        "What?",
        None,
        asks,
        ("tabby", "domestic cat", "cat"),
        frozenset({"n1", "n2"}),
    )


def test_there_are_enough_questions_over_enough_photographs() -> None:
    assert len(QUESTIONS) >= 44 and len({one.photo for one in QUESTIONS}) >= 17
    assert len({one.id for one in QUESTIONS}) == len(QUESTIONS)


def test_the_halves_share_no_photograph_and_are_as_large() -> None:
    halves = {one.photo: one.split for one in QUESTIONS}
    assert all(halves[one.photo] == one.split for one in QUESTIONS)
    count = Counter(one.split for one in QUESTIONS)
    assert set(count) == {"validation", "test"} and min(count.values()) >= 0.8 * max(count.values())


@pytest.mark.parametrize("photo", sorted({one.photo for one in QUESTIONS}), ids=lambda path: path.stem)
def test_every_photograph_is_small_enough_and_its_points_lie_inside(photo) -> None:
    height, width = read_image(photo).shape[:2]
    assert max(height, width) <= 1024
    points = [one.point for one in QUESTIONS if one.photo == photo and one.point]
    assert all(0 <= x < width and 0 <= y < height for x, y in points)


def test_every_question_carries_what_counts_as_right() -> None:
    assert STEPS == 2
    for one in QUESTIONS:
        assert one.accepted and one.accepted_ids and one.asks in ("entity", "fact"), one.id
        assert all(re.fullmatch(r"n\d{8}", key) for key in one.accepted_ids), one.id


def test_the_notice_names_every_photograph() -> None:
    notice = (Path(__file__).parents[1] / "NOTICE").read_text()
    assert all(re.search(rf"\b{one.photo.stem}\b", notice) for one in QUESTIONS)


@pytest.mark.parametrize(
    ("answer", "asks", "verdict"),
    [
        (an_answer("It is a tabby.", ("tabby", "n1")), "entity", "right"),
        (
            an_answer("It is a cat.", ("lynx", "n9")),
            "entity",
            "right",
        ),  # a name that counts, and no hit is named
        (an_answer("It is a lynx, a cat.", ("lynx", "n9"), ("tabby", "n1")), "entity", "wrong"),
        (an_answer("It is a tabby.", ("lynx", "n9"), ("tabby", "n1")), "entity", "right"),  # the second hit
        (an_answer("It is a catapult.", ("catapult", "n9")), "entity", "wrong"),
        (an_answer("A tiger cat.", ("cat", "n2"), ("tiger cat", "n9")), "entity", "wrong"),  # the longer name
        (an_answer("It purrs.", ("tabby", "n1")), "fact", "right"),
        (an_answer("It purrs.", ("tabby", "n1")), "entity", "wrong"),
        (an_answer("It purrs.", ("lynx", "n9")), "fact", "wrong"),
        (an_answer("It purrs."), "fact", "wrong"),
        (
            an_answer(f"{UNKNOWN} My best guess is tabby.", ("tabby", "n1"), abstained=True),
            "entity",
            "missing",
        ),
    ],
)
def test_an_answer_is_judged_by_the_entity_that_it_names(answer: Answer, asks: str, verdict: str) -> None:
    assert judge_photo(answer, a_question(asks)) == verdict


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("A Cat sat.", "cat", True),
        ("concatenate", "cat", False),
        ("cats", "cat", False),
        ("an Egyptian cat.", "egyptian Cat", True),
        ("It is a C++ book", "C++", True),
        ("", "cat", False),
    ],
)
def test_names_are_whole_words(text: str, name: str, said: bool) -> None:
    assert says(text, name) is said


def test_truthfulness_is_right_less_wrong() -> None:
    scores = verdict_scores(["right", "right", "missing", "wrong"])
    assert scores == {"accuracy": 0.5, "missing": 0.25, "hallucination": 0.25, "truthfulness": 0.25}


def test_giou_weighs_masks_alike_and_ciou_weighs_pixels() -> None:
    assert mask_scores([(1, 1), (0, 9)]) == {"giou": 0.5, "ciou": 0.1}


def test_search_precision_and_recall() -> None:
    scores = precision_recall([True, True, False, False], [True, False, True, False])
    assert scores == {"search_precision": 0.5, "search_recall": 0.5}


def test_the_scores_of_a_run_have_the_shape_of_the_contract(
    red_bundle: Path, red_pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pixsearch.apps.eval_photos.EVERYDAY_PACK", red_pack)
    result = evaluate_photos(red_bundle, split="validation", limit=6)
    assert (result["benchmark"], result["n"], result["bundle"]) == ("photos", 6, "red")
    scores = result["metrics"]
    assert scores["accuracy"] + scores["missing"] + scores["hallucination"] == pytest.approx(1, abs=1e-3)
    assert (scores["modality_accuracy"], scores["searches_mean"], scores["well_formed"]) == (1, 1, 1)
    assert set(result["splits"]) == {"validation"}
