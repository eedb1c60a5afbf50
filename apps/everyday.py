"""Writing the everyday pack: `python -m pixsearch.apps.everyday MODEL -o PACK` (part of `make export`)."""

import sys
from pathlib import Path
from typing import Any

import click

from pixsearch.export.bundle import embedder_id
from pixsearch.export.everyday import everyday_entries
from pixsearch.index.embedder import EmbedderId
from pixsearch.index.hits import View
from pixsearch.index.writer import PackWriter
from pixsearch.model.checkpoint import Checkpoint, load_model
from pixsearch.model.region import CLASSES

LICENCE = "facts: WordNet 3.0 licence; prototypes: from EfficientNet-Lite0's classifier, Apache-2.0"
SOURCE = "WordNet 3.0 {}"
# cosines with a prototype are smaller than with a picture of the thing: .25 becomes .55, about where evidence is
# called likely, and .36 becomes .75, sure. Set by eye on whole photographs; not fitted yet.
CALIBRATION = {"gain": 1.82, "offset": 0.095}


def build_everyday_pack(checkpoint: Checkpoint, data: Path, output: Path) -> dict[str, Any]:
    """Write the everyday pack for a model's region space; returns its manifest."""
    size = checkpoint.model.size
    embedder = EmbedderId(embedder_id(checkpoint.model), size.region, size.text)
    with PackWriter(output, name="everyday", embedder=embedder, licence=LICENCE,
                    calibration=CALIBRATION) as writer, click.progressbar(
            everyday_entries(checkpoint, data), length=CLASSES, label="everyday pack", file=sys.stderr) as entries:
        for entry in entries:
            entity = entry.entity
            row = writer.add_entity(entity.id, entity.name, kind=entity.category, text=entry.gloss,
                                    source=SOURCE.format(entity.id), aliases=entry.aliases, facts=entity.facts)
            writer.add_vector(row, entry.prototype, view=View.PROTOTYPE)
            writer.add_text_vector(row, entry.text_vector)
    return writer.manifest


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The pack to write.")
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
def main(model: Path, output: Path, data: Path) -> None:
    """Write the everyday pack of a trained MODEL folder."""
    build_everyday_pack(load_model(model), data, output)


if __name__ == "__main__":
    main()
