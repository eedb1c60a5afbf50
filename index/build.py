"""`pack build`: from a curator's folder of rows and pictures to a sealed pack."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.contract.images import read_image, read_image_with_alpha
from pixsearch.index.embedder import Embedder, EmbedderId, Vector
from pixsearch.index.entities import Box, Entity, EntityImage, at_place, count_lines, entity_file, read_entities
from pixsearch.index.hits import View
from pixsearch.index.words import described
from pixsearch.index.writer import PackWriter, shrink

OPAQUE = 128  # of 255: at least half opaque counts as object


@dataclass(frozen=True)
class _EntityView:
    view: View
    vector: Vector
    thumbnail: NDArray[np.uint8]


def build_pack(folder: Path, output: Path, embed: Embedder, name: str, licence: str, *,
               skip_bad: bool = False, version: int = 1) -> dict[str, Any]:
    """Build a pack from a folder and return its manifest.

    A cut-out with alpha gives a region vector; a photo with mask or box a region and an image vector; a plain
    photo an image vector. A bad row, picture included, raises a Fault "file:line: …"; with `skip_bad` it is
    printed on stderr, left out whole, and counted under "skipped".
    """
    embedder = EmbedderId(embed.id, embed.dimension, embed.text_dimension)
    rows = count_lines(entity_file(folder))
    with (PackWriter(output, name=name, embedder=embedder, licence=licence, version=version) as writer,
          click.progressbar(read_entities(folder), rows, label="building pack", file=sys.stderr) as bar):
        for row in bar:
            try:
                if isinstance(row, Fault):
                    raise row
                views = _views(row, embed)
            except Fault as fault:
                if not skip_bad:
                    raise
                click.echo(f"skipped {fault}", err=True)
                writer.skipped += 1
            else:
                _write(writer, row, views, embed)
    return writer.manifest


def _write(writer: PackWriter, entity: Entity, views: list[_EntityView], embed: Embedder) -> None:
    row = writer.add_entity(entity.key, entity.name, kind=entity.kind, text=entity.text, source=entity.source,
                            aliases=entity.aliases, facts=entity.facts)
    for view in views:
        writer.add_vector(row, view.vector, view.view, view.thumbnail)
    words = described(entity.name, entity.aliases, entity.kind, entity.facts, entity.text)
    writer.add_text_vector(row, embed.text(words))


def _views(entity: Entity, embed: Embedder) -> list[_EntityView]:
    """Embed all pictures of an entity. Raises Fault with file and line."""
    try:
        return [view for image in entity.images for view in _views_of(image, embed)]
    except Fault as fault:
        raise at_place(entity.place, fault) from fault


def _views_of(image: EntityImage, embed: Embedder) -> list[_EntityView]:
    rgb, alpha = read_image_with_alpha(image.file)
    whole = _EntityView(View.IMAGE, embed.region(rgb, None), shrink(rgb)) if alpha is None else None
    if image.mask is not None:
        mask = read_image(image.mask).max(axis=2) >= OPAQUE
        if mask.shape != rgb.shape[:2]:
            raise _bad(image, f"a mask of {rgb.shape[:2]} pixels", str(mask.shape))
    elif image.box is not None:
        mask = _box_mask(image, image.box, rgb.shape[:2])
    elif alpha is not None:
        mask = alpha >= OPAQUE
    else:
        mask = None
    if mask is None:
        return [view for view in (whole,) if view]
    if not mask.any():
        raise _bad(image, "a mask with at least one pixel set", "an empty one")
    region = _EntityView(View.REGION, embed.region(rgb, mask), shrink(_crop(rgb, mask)))
    return [view for view in (region, whole) if view]


def _box_mask(image: EntityImage, box: Box, size: tuple[int, ...]) -> NDArray[np.bool_]:
    x0, y0, x1, y1 = (round(edge) for edge in box)
    if x1 > size[1] or y1 > size[0]:
        raise _bad(image, f"a box inside {size[1]} x {size[0]} pixels", str(list(box)))
    mask = np.zeros(size, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def _crop(rgb: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The smallest rectangle around a mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.ascontiguousarray(rgb[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1])


def _bad(image: EntityImage, expected: str, actual: str) -> Fault:
    return Fault(f"image {image.file.name}", expected=expected, actual=actual,
                 remedy="mend the row, or pass --skip-bad")
