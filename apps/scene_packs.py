"""Packs of a split's made-up world, as a curator would build them: a clean picture of each side of a thing."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.index.embedder import EmbedderId
from pixsearch.index.hits import View
from pixsearch.index.writer import PackWriter

if TYPE_CHECKING:
    from pixsearch.model.corpus import Materials
    from pixsearch.model.data.records import Entity

LICENCE = "for evaluation only"


def write_scene_pack(folder: Path, materials: "Materials", embed: BundleEmbedder) -> Path:
    """Write a pack of a split's things (region views), places (whole pictures), companies, towns, people."""
    from pixsearch.model.data.views import place_view, reference_views

    identity = EmbedderId(embed.id, embed.dimension, embed.text_dimension)
    with PackWriter(folder, name=folder.stem, embedder=identity, licence=LICENCE) as writer:
        for number, thing in enumerate(materials.things):
            row = _add(writer, materials.entities[thing.id], embed)
            for view, mask in reference_views(thing, number):
                writer.add_vector(row, embed.region(view, mask), view=View.REGION)
        for number, place in enumerate(materials.places):
            row = _add(writer, materials.world.places[place.id], embed)
            view = place_view(place, np.random.default_rng(number))
            writer.add_vector(row, embed.region(view, None), view=View.IMAGE)
        _add_all(writer, materials.world.background.values(), embed)
    return folder


def _add_all(writer: PackWriter, entities: "Iterable[Entity]", embed: BundleEmbedder) -> None:
    for entity in entities:
        _add(writer, entity, embed)


def _add(writer: PackWriter, entity: "Entity", embed: BundleEmbedder) -> int:
    row = writer.add_entity(entity.id, entity.name, source=entity.source, facts=entity.facts)
    words = [entity.name, *(f"{attribute}: {value}" for attribute, value in entity.facts.items())]
    writer.add_text_vector(row, embed.text(". ".join(words)))
    return row
