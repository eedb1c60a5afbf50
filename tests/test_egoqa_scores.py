"""Figures of egoqa: calibration, risk over coverage, confusion, the end of a conversation, rows that are kept."""

import json
from pathlib import Path

import pytest

from pixsearch.apps.egoqa_scores import (
    calibration_bins,
    calibration_error,
    conversation_scores,
    exam_scores,
    is_over,
    modality_confusion,
    risk_coverage,
    risk_coverage_area,
    size_name,
)
from pixsearch.apps.judged import Judged
from pixsearch.apps.kept import Kept
from pixsearch.contract.grammar import Modality


def a_row(verdict: str = "right", confidence: float = 0.9, **fields) -> Judged:
    given = {"said": verdict, "answerable": True, "wanted": Modality.REGION, "searched": (Modality.REGION,), **fields}
    return Judged(verdict, given.pop("said"), given.pop("answerable"), confidence, False, well_formed=True, **given)


def test_predictions_that_come_true_as_often_as_said_have_no_error() -> None:
    pairs = [(0.75, 1.0)] * 3 + [(0.75, 0.0)]
    assert calibration_error(pairs) == 0 and calibration_bins(pairs) == [(0.75, 0.75, 4)]
    assert calibration_error([(0.9, 0.0), (1.0, 0.0)]) == pytest.approx(0.95)
    assert calibration_error([]) is None


def test_risk_rises_as_less_confidence_is_demanded() -> None:
    rows = [a_row(confidence=0.9), a_row("wrong", 0.4), a_row(confidence=0.8), a_row("missing", 0.1)]
    assert risk_coverage(rows) == [(0.25, 0.0), (0.5, 0.0), (0.75, pytest.approx(1 / 3))]
    assert risk_coverage_area(risk_coverage(rows)) == pytest.approx(1 / 9, abs=1e-3)


def test_an_answer_that_was_held_back_counts_for_risk_with_what_it_said() -> None:
    held_back = a_row("missing", 0.3, said="wrong")
    assert risk_coverage([a_row(), held_back]) == [(0.5, 0.0), (1.0, 0.5)]


def test_a_right_refusal_takes_no_risk() -> None:
    assert risk_coverage([a_row("right", 0.2, answerable=False)]) == []


def test_the_unanswerable_is_counted_apart() -> None:
    rows = [a_row(), a_row("right", answerable=False, searched=()), a_row("wrong", answerable=False)]
    scores = exam_scores(rows)
    assert scores["unanswerable_abstained"] == 0.5 and scores["accuracy"] == pytest.approx(2 / 3, abs=1e-3)


def test_confusion_counts_first_searches_by_what_was_wanted() -> None:
    rows = [a_row(), a_row(searched=(Modality.TEXT, Modality.REGION)), a_row(wanted=None, searched=())]
    table = modality_confusion(rows)
    assert table["region"] == {"region": 1, "image": 0, "text": 1, "none": 0} and table["none"]["none"] == 1


@pytest.mark.parametrize(("verdicts", "over"), [
    ([], False), (["wrong"], False), (["wrong", "missing"], True), (["wrong", "right", "missing"], False),
    (["right", "missing", "wrong"], True)])
def test_a_conversation_ends_after_two_bad_turns_in_a_row(verdicts: list[str], over: bool) -> None:
    assert is_over(verdicts) == over


def test_turns_that_were_not_reached_are_missing_and_talks_count_the_same() -> None:
    scores = conversation_scores([["wrong", "missing"], ["right", "right"]], [4, 2])
    assert scores["conversation_truthfulness"] == pytest.approx((-0.25 + 1) / 2)
    assert scores["conversation_missing"] == pytest.approx(0.375)
    assert conversation_scores([], []) == {}


@pytest.mark.parametrize(("share", "name"), [(0.01, "under 2 %"), (0.02, "2 to 5 %"), (0.1, "5 to 15 %"),
                                             (1.0, "over 15 %")])
def test_sizes_have_names(share: float, name: str) -> None:
    assert size_name(share) == name


def test_rows_survive_json() -> None:
    row = a_row(overlap=(3, 5), iou=0.5, region_rank=2)
    assert Judged.from_json(json.loads(json.dumps(row.as_json()))) == row


def test_a_row_that_was_half_written_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert Kept(path).fill(3, lambda number: {"number": number}, "rows")[-1] == {"number": 2}
    path.write_bytes(path.read_bytes()[:-4])
    made: list[int] = []
    rows = Kept(path).fill(4, lambda number: made.append(number) or {"number": number}, "rows")
    assert made == [2, 3] and [row["number"] for row in rows] == [0, 1, 2, 3]
    assert [json.loads(line)["number"] for line in path.read_text().splitlines()] == [0, 1, 2, 3]


def test_rows_that_are_there_are_not_made(tmp_path: Path) -> None:
    Kept(tmp_path / "rows.jsonl").fill(2, lambda number: number, "rows")
    assert Kept(tmp_path / "rows.jsonl").fill(1, lambda _: pytest.fail("made again"), "rows") == [0]
