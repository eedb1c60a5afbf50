"""Fitting a bundle's confidence on the validation splits: `python -m pixsearch.apps.calibrate BUNDLE`.

Every validation question, of photographs and of composed scenes, is answered with nothing held back. A logistic
function of the answer's signals is fitted to whether it was right, and the threshold is the one with the best mean of
right minus wrong; photographs and scenes count the same, however many there are of each. The bundle's manifest is
rewritten; its graphs stay as they are.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from pixsearch.apps.defaults import EVERYDAY_PACK
from pixsearch.apps.eval_photos import judge_photo, photo_answers
from pixsearch.apps.eval_scenes import scene_answers
from pixsearch.apps.scores import Verdict
from pixsearch.contract.files import atomic_directory, read_manifest, write_manifest
from pixsearch.edge.answer import Answer
from pixsearch.edge.bundle import KIND
from pixsearch.edge.calibration import FEATURES, Calibration

SCENES = 150
RIDGE = 0.02  # keeps weights small where answers are few
NEWTON_STEPS = 50
Rows = NDArray[np.float64]


def fit_logistic(
    features: Rows, right: NDArray[np.bool_], ridge: float = RIDGE, counts: Rows | None = None
) -> Rows:
    """Weights and, last, the bias of a ridge logistic regression, by Newton's method.

    features (n, d), right (n,); counts (n,): how often each row counts, once unless given
    """
    counts = np.ones(len(features)) if counts is None else counts
    inputs = np.column_stack([features, np.ones(len(features))])
    penalty = ridge * counts.sum() * np.diag([*np.ones(features.shape[1]), 0.0])
    weights = np.zeros(inputs.shape[1])
    for _ in range(NEWTON_STEPS):
        share = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        gradient = inputs.T @ (counts * (share - right)) + penalty @ weights
        steepness = counts * share * (1 - share)
        curvature = (inputs * steepness[:, None]).T @ inputs + penalty + 1e-9 * np.eye(len(weights))
        weights -= np.linalg.solve(curvature, gradient)
    return weights


def best_threshold(confidence: Rows, right: NDArray[np.bool_], counts: Rows | None = None) -> float:
    """The confidence below which to hold an answer back, for the most right minus wrong ones; arguments (n,)."""
    order = np.argsort(-confidence)
    counts = np.ones(len(confidence)) if counts is None else counts
    gain = np.cumsum(np.where(right, counts, -counts)[order])
    if not len(gain) or gain.max() <= 0:
        return 1.0
    last = int(gain.argmax())
    after = confidence[order[last + 1]] if last + 1 < len(order) else 0.0
    return float((confidence[order[last]] + after) / 2)


def calibrate(folder: Path, data: Path, scenes: int = SCENES, pack: Path = EVERYDAY_PACK) -> dict[str, Any]:
    """Fit and store the calibration of a bundle; returns it. `pack` : the everyday pack of its embedder"""
    manifest = read_manifest(folder, KIND)
    open_ended = {**manifest["calibration"], "threshold": 0.0}
    _store(folder, manifest, open_ended)
    judged = [one for one in _answers(folder, data, scenes, pack) if one[0].searches and not one[0].abstained]
    features = np.array([[answer.signals[name] for name in FEATURES] for answer, _, _ in judged])
    right = np.array([verdict == "right" for _, verdict, _ in judged])
    sources = [source for _, _, source in judged]
    counts = np.array([len(sources) / sources.count(source) for source in sources])
    *weights, bias = fit_logistic(features, right, counts=counts)
    confidence = 1 / (1 + np.exp(-(features @ np.array(weights) + bias)))
    fitted = Calibration(dict(zip(FEATURES, map(float, weights), strict=True)), float(bias),
                         best_threshold(confidence, right, counts), open_ended["sure"], open_ended["likely"])
    calibration = asdict(fitted)
    _store(folder, manifest, calibration)
    return calibration


def _answers(folder: Path, data: Path, scenes: int, pack: Path) -> Iterator[tuple[Answer, Verdict, str]]:
    """Answers with their verdicts and where they are from."""
    for asked, answer in photo_answers(folder, pack, "validation"):
        yield answer, judge_photo(answer, asked), "photos"
    for answer, verdict in scene_answers(folder, "validation", scenes, data, pack):
        yield answer, verdict, "scenes"


def _store(folder: Path, manifest: dict[str, Any], calibration: dict[str, Any]) -> None:
    own = {key: value for key, value in manifest.items() if key not in ("files", "checksum")}
    with atomic_directory(folder) as temporary:
        for name in manifest["files"]:
            shutil.copyfile(folder / name, temporary / name)
        write_manifest(temporary, {**own, "calibration": calibration})


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
@click.option("--scenes", type=click.IntRange(min=1), default=SCENES, show_default=True)
def main(bundle: Path, data: Path, scenes: int) -> None:
    """Fit the confidence of BUNDLE on the validation splits and store it in its manifest."""
    click.echo(json.dumps(calibrate(bundle, data, scenes), indent=1))


if __name__ == "__main__":
    main()
