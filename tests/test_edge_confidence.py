"""Confidence follows the best hit, its lead, the words and the mask."""

import math

import pytest

from pixsearch.contract.grammar import Modality
from pixsearch.edge.answer import Answer, SearchRecord, Timings
from pixsearch.edge.calibration import Calibration
from pixsearch.edge.confidence import confidence, features
from pixsearch.edge.stopwatch import Stopwatch
from pixsearch.index.hits import Hit

CALIBRATION = Calibration({"score": 2.0, "margin": 3.0, "logprob": 1.0, "iou": 0.5}, -1.0, 0.5, 0.8, 0.6)


def a_search(
    *hits: tuple[str, float], modality: Modality = Modality.REGION, iou: float | None = 0.8
) -> SearchRecord:
    query = "words" if modality is Modality.TEXT else None
    found = tuple(Hit(name, name, "", score, "source", (), {}, "pack") for name, score in hits)
    return SearchRecord(modality, query, None, None, found, iou, None, "")


@pytest.mark.parametrize(
    ("searches", "expected"),
    [
        ([a_search(("cat", 0.9), ("Cat", 0.85), ("dog", 0.6))], (0.9, 0.3, 0.8)),
        ([a_search(("cat", 0.9))], (0.9, 0.9, 0.8)),
        ([a_search()], (0, 0, 0.8)),
        ([], (0, 0, 1)),
        (
            [a_search(("word", 1.0), modality=Modality.TEXT, iou=None), a_search(("cat", 0.7), ("dog", 0.6))],
            (0.7, 0.1, 0.8),
        ),
        ([a_search(("word", 0.4), modality=Modality.TEXT, iou=None)], (0.4, 0.4, 1)),
    ],
)
def test_features_come_from_the_first_visual_search(
    searches: list, expected: tuple[float, float, float]
) -> None:
    found = features(searches, [-0.2, -0.4])
    assert (found["score"], found["margin"], found["iou"]) == pytest.approx(expected)
    assert found["logprob"] == pytest.approx(-0.3)


def test_confidence_is_logistic_with_a_search_and_the_mean_probability_without() -> None:
    values = {"score": 0.9, "margin": 0.2, "logprob": -0.5, "iou": 0.8}
    assert confidence(CALIBRATION, values, searched=True) == pytest.approx(
        1 / (1 + math.exp(-(1.8 + 0.6 - 0.5 + 0.4 - 1)))
    )
    assert confidence(CALIBRATION, values, searched=False) == pytest.approx(math.exp(-0.5))
    assert 0 <= confidence(CALIBRATION, {**values, "logprob": -1e9}, searched=True) < 1e-9


TIMINGS = Timings(1, 1, 1, 1, 1, 5, 2)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Answer(" ", False, 0.5, (), "x", TIMINGS, 1),
        lambda: Answer("x", False, 1.5, (), "x", TIMINGS, 1),
        lambda: Answer("x", False, math.nan, (), "x", TIMINGS, 1),
        lambda: Answer("x", False, 0.5, (), "<eos>", TIMINGS, 1),
        lambda: Answer("x", False, 0.5, (a_search(),), "x", TIMINGS, 1),
        lambda: Timings(-1, 1, 1, 1, 1, 5, 2),
        lambda: SearchRecord(Modality.TEXT, None, None, None, (), None, None, ""),
        lambda: SearchRecord(Modality.REGION, None, None, (0, 0, 1, 1), (), 1.0, None, ""),
    ],
)
def test_an_answer_that_contradicts_itself_cannot_be_built(build) -> None:
    with pytest.raises(ValueError):
        build()


def test_a_stage_inside_another_counts_for_itself_alone() -> None:
    now = [0.0]
    watch = Stopwatch(lambda: now[0])
    with watch.measure("language"):
        now[0] += 2
        with watch.measure("search"):
            now[0] += 3
        with watch.measure("search"):
            now[0] += 1
        now[0] += 1
    assert (watch.ms("language"), watch.ms("search"), watch.ms("mask")) == (3000, 4000, 0)
