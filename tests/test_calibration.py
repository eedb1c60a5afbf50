"""What is fitted on the validation splits: chances, the threshold to answer, and the scale of prototype scores."""

import numpy as np
import pytest

from pixsearch.apps.calibrate import best_threshold, fit_logistic
from pixsearch.apps.everyday import fit_calibration
from pixsearch.contract.evidence import LIKELY_AT, SURE_AT


def test_the_fitted_chance_follows_what_tells_right_from_wrong() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(4000, 2))
    right = rng.random(4000) < 1 / (1 + np.exp(-(2 * features[:, 0] - 0.5)))
    first, second, bias = fit_logistic(features, right)
    assert first > 1 and abs(second) < 0.15
    shares = 1 / (1 + np.exp(-(features @ [first, second] + bias)))
    assert shares.mean() == pytest.approx(right.mean(), abs=0.01)  # the bias is not shrunk


@pytest.mark.parametrize(("confidence", "right", "low", "high"), [
    ([0.9, 0.8, 0.3, 0.2], [True, True, False, False], 0.3, 0.8),
    ([0.9, 0.8, 0.7, 0.6, 0.5], [True, False, True, True, False], 0.5, 0.6),
    ([0.9, 0.2], [False, False], 0.9, 1.0),
    ([0.9, 0.2], [True, True], 0.0, 0.2),
    ([], [], 0.0, 1.0),
])
def test_the_threshold_leaves_most_right_minus_wrong(
        confidence: list[float], right: list[bool], low: float, high: float) -> None:
    assert low <= best_threshold(np.array(confidence), np.array(right, bool)) <= high


def test_scores_of_prototypes_come_to_the_scale_of_evidence() -> None:
    rng = np.random.default_rng(1)
    cosines = rng.uniform(0.1, 0.5, 4000)
    right = rng.random(4000) < 1 / (1 + np.exp(-(cosines - 0.3) * 30))
    fitted = fit_calibration(cosines, right)
    scale = lambda cosine: cosine * fitted["gain"] + fitted["offset"]  # noqa: E731
    assert scale(0.3) == pytest.approx(LIKELY_AT, abs=0.1)
    assert scale(0.3 + np.log(4) / 30) == pytest.approx(SURE_AT, abs=0.1)


def test_scores_that_tell_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="not more often right"):
        fit_calibration(np.array([0.1, 0.2, 0.3, 0.4]), np.array([True, True, False, False]))


def test_rows_that_count_twice_weigh_as_two() -> None:
    rng = np.random.default_rng(3)
    features, right = rng.normal(size=(40, 2)), rng.random(40) < 0.5
    counts = np.where(np.arange(40) < 10, 2.0, 1.0)
    repeated = np.repeat(np.arange(40), counts.astype(int))
    expected = fit_logistic(features[repeated], right[repeated])
    assert np.allclose(fit_logistic(features, right, counts=counts), expected, atol=1e-8)
    assert not np.allclose(fit_logistic(features, right), expected, atol=1e-3)


def test_the_threshold_heeds_how_often_a_row_counts() -> None:
    confidence, right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, False, True])
    assert best_threshold(confidence, right) == pytest.approx(0.85)
    assert best_threshold(confidence, right, np.array([1.0, 1.0, 1.0, 3.0])) < 0.6
