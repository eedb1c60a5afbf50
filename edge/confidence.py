"""How sure an answer is: a logistic function of what the searches and the decoder said."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from pixsearch.contract.grammar import Modality
from pixsearch.edge.answer import SearchRecord
from pixsearch.edge.calibration import FEATURES, Calibration


def features(searches: Sequence[SearchRecord], log_probabilities: Sequence[float]) -> dict[str, float]:
    """What confidence is made of.

    score   : of the best hit of the first visual search, or else of the first search; 0 without hits
    margin  : by how much it beats the best hit of another name; the score itself when there is none
    logprob : mean log-probability of the answer's tokens among those allowed, 0 for none
    iou     : predicted IoU of the first region search's mask; 1 when nothing was cut out
    """
    logprob = float(np.mean(log_probabilities)) if len(log_probabilities) else 0.0
    iou = next((record.iou for record in searches if record.iou is not None), 1.0)
    visual = [record for record in searches if record.modality is not Modality.TEXT]
    decisive = (visual or list(searches))[:1]
    hits = decisive[0].hits if decisive else ()
    if not hits:
        return {"score": 0.0, "margin": 0.0, "logprob": logprob, "iou": iou}
    others = [hit.score for hit in hits if hit.entity.casefold() != hits[0].entity.casefold()]
    return {"score": hits[0].score, "margin": hits[0].score - max(others, default=0.0),
            "logprob": logprob, "iou": iou}


def confidence(calibration: Calibration, values: Mapping[str, float], searched: bool) -> float:
    """How likely the answer is right, 0..1. Without a search: the mean probability of its tokens alone."""
    if not searched:
        return min(1.0, math.exp(values["logprob"]))
    sum_ = calibration.bias + sum(calibration.weights[name] * values[name] for name in FEATURES)
    return 1 / (1 + math.exp(-float(np.clip(sum_, -60, 60))))
