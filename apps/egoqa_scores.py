"""What `eval egoqa` tells beyond the scores of `judged`: breakdowns, confusion, calibration, conversations."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pixsearch.apps.judged import NO_SEARCH, Judged, first_search, judged_scores
from pixsearch.apps.scores import Verdict, applying, mean, share, verdict_shares
from pixsearch.contract.grammar import Modality

if TYPE_CHECKING:
    from pixsearch.model.data.egoqa import Question

BINS = 10  # of predicted chances
SIZES = ((0.02, "under 2 %"), (0.05, "2 to 5 %"), (0.15, "5 to 15 %"), (1.0, "over 15 %"))  # of the frame
STOP_AFTER = 2  # wrong or missing turns in a row, after which a conversation is over (CRAG-MM)
_BROKEN_DOWN = ("accuracy", "missing", "hallucination", "truthfulness", "giou", "region_recall_at_1",
                "region_recall_at_10", "image_recall_at_1", "image_recall_at_10")

Pairs = Sequence[tuple[float, float]]


def exam_scores(rows: Sequence[Judged]) -> dict[str, Any]:
    """All single figures of the single-turn questions."""
    scores = judged_scores(rows)
    return applying({
        **scores,
        "search_f1": _harmonic_mean(scores.get("search_precision"), scores.get("search_recall")),
        "unanswerable_abstained": share(row.verdict == "right" for row in rows if not row.answerable),
        "iou_calibration_error": calibration_error(iou_pairs(rows)),
        "confidence_calibration_error": calibration_error(confidence_pairs(rows)),
        "risk_coverage_area": risk_coverage_area(risk_coverage(rows)),
    })


def _harmonic_mean(one: float | None, other: float | None) -> float | None:
    return round(2 * one * other / (one + other), 4) if one and other else None


def broken_down(questions: Sequence["Question"], rows: Sequence[Judged]) -> dict[str, dict[str, dict[str, Any]]]:
    """Scores by type and kind of question, by size of the thing, problem of the picture, popularity, look-alikes."""
    groups: dict[str, Callable[[Question], Iterable[str]]] = {
        "type": lambda one: (one.type,),
        "kind": lambda one: (one.kind,),
        "size": lambda one: () if one.size is None else (size_name(one.size),),
        "problem": lambda one: [name for name, level in one.problems.items() if level] or ("none",),
        "popularity": lambda one: (one.tier,) if one.tier else (),
        "look-alike": lambda one: ("one in the index" if one.alike else "none",) if one.shown else (),
    }
    pairs = list(zip(questions, rows, strict=True))
    return {group: _table([(name, row) for question, row in pairs for name in names(question)])
            for group, names in groups.items()}


def _table(named: Sequence[tuple[str, Judged]]) -> dict[str, dict[str, Any]]:
    table = {}
    for name in sorted({name for name, _ in named}, key=_order):
        rows = [row for other, row in named if other == name]
        scores = judged_scores(rows)
        table[name] = {"n": len(rows), **{key: scores[key] for key in _BROKEN_DOWN if key in scores}}
    return table


def _order(name: str) -> tuple[int, str]:
    sizes = [size for _, size in SIZES]
    return (sizes.index(name) if name in sizes else len(sizes), name)


def size_name(share_of_frame: float) -> str:
    """The class of size that a thing's share of the frame falls into."""
    return next(name for limit, name in SIZES if share_of_frame < limit or limit == 1.0)


def modality_confusion(rows: Sequence[Judged]) -> dict[str, dict[str, int]]:
    """How often a question that wants one sort of first search, or none, got which."""
    names = [*(modality.value for modality in Modality), NO_SEARCH]
    counts = Counter((row.wanted.value if row.wanted else NO_SEARCH, first_search(row)) for row in rows)
    return {wanted: {got: counts[wanted, got] for got in names} for wanted in names}


def iou_pairs(rows: Sequence[Judged]) -> Pairs:
    """Predicted and true IoU of every mask that was searched with."""
    return [(row.iou, row.overlap[0] / max(1, row.overlap[1])) for row in rows
            if row.iou is not None and row.overlap is not None]


def confidence_pairs(rows: Sequence[Judged]) -> Pairs:
    """Confidence, and whether right (1 or 0), of everything that the model itself did not refuse to answer."""
    return [(row.confidence, float(row.said == "right")) for row in _spoken_up(rows)]


def _spoken_up(rows: Sequence[Judged]) -> list[Judged]:
    return [row for row in rows if row.said != "missing" and (row.answerable or row.said != "right")]


def calibration_bins(pairs: Pairs) -> list[tuple[float, float, int]]:
    """Mean prediction, mean truth and count of each of BINS equal ranges of predictions that is not empty."""
    values = np.array(pairs, float).reshape(-1, 2)
    numbers = np.minimum((values[:, 0] * BINS).astype(int), BINS - 1)
    chosen = [values[numbers == number] for number in range(BINS)]
    return [(float(one[:, 0].mean()), float(one[:, 1].mean()), len(one)) for one in chosen if len(one)]


def calibration_error(pairs: Pairs) -> float | None:
    """Expected calibration error: the mean gap between prediction and truth over the bins."""
    if not pairs:
        return None
    return round(sum(abs(said - true) * count for said, true, count in calibration_bins(pairs)) / len(pairs), 4)


def risk_coverage(rows: Sequence[Judged]) -> list[tuple[float, float]]:
    """Share of all questions answered, and share of wrong ones among these, as the confidence demanded falls."""
    ordered = sorted(confidence_pairs(rows), key=lambda pair: -pair[0])
    wrong = np.cumsum([1 - right for _, right in ordered])
    return [((at + 1) / len(rows), float(wrong[at]) / (at + 1)) for at in range(len(ordered))]


def risk_coverage_area(curve: Sequence[tuple[float, float]]) -> float | None:
    """Mean risk over the coverages that are reached; 0 is best."""
    return mean([risk for _, risk in curve])


def is_over(verdicts: Sequence[Verdict]) -> bool:
    """Whether a conversation has ended after these turns: the last STOP_AFTER were wrong or missing."""
    return len(verdicts) >= STOP_AFTER and "right" not in verdicts[-STOP_AFTER:]


def conversation_scores(talks: Sequence[Sequence[Verdict]], lengths: Sequence[int]) -> dict[str, float]:
    """Scores of conversations by CRAG-MM's rule: turns that were not reached are missing; each talk counts the same.

    talks : verdicts of the turns that were asked; lengths : how many turns each conversation has
    """
    each = [verdict_shares(with_unreached(talk, length)) for talk, length in zip(talks, lengths, strict=True)]
    return {f"conversation_{name}": mean([one[name] for one in each]) or 0.0 for name in each[0]} if each else {}


def with_unreached(talk: Sequence[Verdict], length: int) -> list[Verdict]:
    """The verdicts of all turns of a conversation: those that were not reached are missing."""
    missing: Verdict = "missing"
    return [*talk, *[missing] * (length - len(talk))]
