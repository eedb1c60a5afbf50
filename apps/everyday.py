"""Writing the everyday pack: `python -m pixsearch.apps.everyday MODEL BUNDLE -o PACK` (part of `make export`).

Cosines with a prototype are smaller than with a picture of the thing. The pack's calibration brings them to the scale
of pictures: it is fitted to the first hits of the validation photographs.
"""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from pixsearch.apps.calibrate import best_threshold, fit_logistic
from pixsearch.apps.eval_photos import photo_answers
from pixsearch.contract.evidence import LIKELY_AT, SURE_AT
from pixsearch.contract.grammar import Modality
from pixsearch.export.bundle import embedder_id
from pixsearch.export.everyday import everyday_entries
from pixsearch.index.embedder import EmbedderId
from pixsearch.index.hits import View
from pixsearch.index.writer import PackWriter
from pixsearch.model.checkpoint import Checkpoint, load_model
from pixsearch.model.region import CLASSES

LICENCE = "facts: WordNet 3.0 licence; prototypes: from EfficientNet-Lite0's classifier, Apache-2.0"
SOURCE = "WordNet 3.0 {}"
RIDGE = 0.005  # only so much that a clean cut among few photographs does not become a step
SURE = 0.8  # chance of a first hit to be right at which evidence calls it so


def build_everyday_pack(checkpoint: Checkpoint, data: Path, output: Path,
                        calibration: Mapping[str, float] | None = None) -> dict[str, Any]:
    """Write the everyday pack for a model's region space; returns its manifest."""
    size = checkpoint.model.size
    embedder = EmbedderId(embedder_id(checkpoint.model), size.region, size.text)
    with PackWriter(output, name="everyday", embedder=embedder, licence=LICENCE,
                    calibration=calibration) as writer, click.progressbar(
            everyday_entries(checkpoint, data), length=CLASSES, label="everyday pack", file=sys.stderr) as entries:
        for entry in entries:
            entity = entry.entity
            row = writer.add_entity(entity.id, entity.name, kind=entity.category, text=entry.gloss,
                                    source=SOURCE.format(entity.id), aliases=entry.aliases, facts=entity.facts)
            writer.add_vector(row, entry.prototype, view=View.PROTOTYPE)
            writer.add_text_vector(row, entry.text_vector)
    return writer.manifest


def fit_calibration(cosines: NDArray[np.float64], right: NDArray[np.bool_]) -> dict[str, float]:
    """Gain and offset that bring a pack's cosines to the scale of `LIKELY_AT` and `SURE_AT`.

    cosines (n,) of first hits, right (n,) whether they were. A hit is likely from the cosine on from which answering
    with it leaves most right minus wrong, and sure from where a logistic function of the cosine gives SURE.
    Raises ValueError where higher cosines are not more often right.
    """
    centre, spread = float(cosines.mean()), float(cosines.std()) or 1.0
    slope, bias = fit_logistic(((cosines - centre) / spread)[:, None], right, RIDGE)
    likely = best_threshold(cosines, right)
    if slope <= 0 or (sure := centre + spread * (np.log(SURE / (1 - SURE)) - bias) / slope) <= likely:
        raise ValueError("first hits with a higher cosine are not more often right")
    gain = (SURE_AT - LIKELY_AT) / (sure - likely)
    return {"gain": round(float(gain), 4), "offset": round(float(LIKELY_AT - gain * likely), 4)}


def first_hits(bundle: Path, pack: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores of the first hit of every validation photograph's first search with pixels, and whether it was right."""
    scores, right = [], []
    for asked, answer in photo_answers(bundle, pack, "validation"):
        found = [search.hits[0] for search in answer.searches if search.hits and search.modality is not Modality.TEXT]
        if found:
            scores.append(found[0].score)
            right.append(found[0].key in asked.accepted_ids)
    return np.array(scores), np.array(right)


def write_everyday_pack(model: Path, bundle: Path, data: Path, output: Path) -> str:
    """Write the everyday pack of a trained model's folder, calibrated with its bundle; returns what was found."""
    checkpoint = load_model(model)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "everyday.pxpack"
        build_everyday_pack(checkpoint, data, plain)
        scores, right = first_hits(bundle, plain)
    calibration = fit_calibration(scores, right)
    build_everyday_pack(checkpoint, data, output, calibration)
    return f"{right.sum()} of {len(right)} first hits right; {calibration}"


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The pack to write.")
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
def main(model: Path, bundle: Path, output: Path, data: Path) -> None:
    """Write the everyday pack of a trained MODEL folder, calibrated with the BUNDLE that was exported from it."""
    click.echo(write_everyday_pack(model, bundle, data, output))


if __name__ == "__main__":
    main()
