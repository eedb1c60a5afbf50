"""Scores of judged answers and masks, as shares from 0 to 1 (CRAG-MM's truthfulness: from -1 to 1)."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.grammar import MalformedTrace, parse

Verdict = Literal["right", "missing", "wrong"]
Mask = NDArray[np.bool_]


def share(values: Iterable[bool]) -> float | None:
    """The share that is true; None for no values."""
    items = list(values)
    return round(sum(items) / len(items), 4) if items else None


def mean(values: Sequence[float]) -> float | None:
    """The mean, None for no values."""
    return round(float(np.mean(values)), 4) if len(values) else None


def verdict_scores(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """Accuracy, missing, hallucination, and truthfulness: right counts 1, missing 0, wrong -1."""
    return {name: round(value, 4) for name, value in verdict_shares(verdicts).items()}


def verdict_shares(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """The same, not yet rounded, for means over several of them."""
    if not verdicts:
        raise ValueError("no verdicts to score")
    right, missing, wrong = (verdicts.count(name) for name in ("right", "missing", "wrong"))
    count = len(verdicts)
    return {"accuracy": right / count, "missing": missing / count, "hallucination": wrong / count,
            "truthfulness": (right - wrong) / count}


def overlap(found: Mask | None, true: Mask) -> tuple[int, int]:
    """Pixels in both masks (H, W) and in either; a missing mask is empty."""
    if found is None:
        return 0, int(true.sum())
    return int((found & true).sum()), int((found | true).sum())


def mask_scores(overlaps: Sequence[tuple[int, int]]) -> dict[str, float | None]:
    """RefCOCO's gIoU, the mean of each mask's IoU, and cIoU, all intersections over all unions."""
    if not overlaps:
        return {"giou": None, "ciou": None}
    both, either = np.array(overlaps, dtype=np.float64).T
    return {
        "giou": mean(list(both / np.maximum(either, 1))),
        "ciou": round(float(both.sum() / max(1, either.sum())), 4),
    }


def precision_recall(searched: Sequence[bool], needed: Sequence[bool]) -> dict[str, float | None]:
    """Of the questions that were searched for, how many needed it; of those that needed it, how many were."""
    pairs = list(zip(searched, needed, strict=True))
    return {
        "search_precision": share(need for did, need in pairs if did),
        "search_recall": share(did for did, need in pairs if need),
    }


def is_well_formed(trace: str) -> bool:
    """Whether the grammar derives a trace."""
    try:
        parse(trace)
    except MalformedTrace:
        return False
    return True


def applying(metrics: dict[str, Any]) -> dict[str, Any]:
    """The metrics without those that have no value, since nothing was asked that they measure."""
    return {name: value for name, value in metrics.items() if value is not None}


def benchmark(
    name: str, count: int, bundle: str, seconds: float, metrics: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """The object that `eval --json` prints."""
    return {
        "benchmark": name,
        "n": count,
        "bundle": bundle,
        "seconds": round(seconds, 1),
        "metrics": metrics,
        **more,
    }
