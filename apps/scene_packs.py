"""Packs of a split's made-up world, as a curator would build them: clean pictures of things and places."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.index.embedder import EmbedderId
from pixsearch.index.hits import View
from pixsearch.index.writer import PackWriter

if TYPE_CHECKING:
    from pixsearch.model.corpus import Materials
    from pixsearch.model.data.egoqa import Exam
    from pixsearch.model.data.knowledge import World
    from pixsearch.model.data.records import Entity, Place

LICENCE = "for evaluation only"


def write_scene_pack(folder: Path, materials: "Materials", embed: BundleEmbedder) -> Path:
    """Write a pack of a split's things (region views), places (whole pictures), companies, towns, people."""
    from pixsearch.model.data.views import reference_views

    with PackWriter(folder, name=folder.stem, embedder=_identity(embed), licence=LICENCE) as writer:
        for number, thing in enumerate(materials.things):
            row = _add(writer, materials.entities[thing.id], embed)
            for view, mask in reference_views(thing, number):
                writer.add_vector(row, embed.region(view, mask), view=View.REGION)
        _add_world(writer, materials.places, materials.world, embed)
    return folder


def write_exam_pack(folder: Path, exam: "Exam", embed: BundleEmbedder) -> Path:
    """Write the index of a benchmark: its catalogue, places, companies, towns, people."""
    from pixsearch.model.data.views import reference_view

    entries = exam.catalogue.entries()
    with (
        PackWriter(folder, name=folder.stem, embedder=_identity(embed), licence=LICENCE) as writer,
        click.progressbar(entries, label="index", file=sys.stderr, show_pos=True) as bar,
    ):
        for number, entry in enumerate(bar):
            row = _add(writer, entry.entity, embed, entry.aliases)
            for picture in entry.pictures:
                view, mask = reference_view(picture, number, entry.hue)
                writer.add_vector(row, embed.region(view, mask), view=View.REGION)
        _add_world(writer, exam.places, exam.world, embed)
    return folder


def _identity(embed: BundleEmbedder) -> EmbedderId:
    return EmbedderId(embed.id, embed.dimension, embed.text_dimension)


def _add_world(writer: PackWriter, places: "Iterable[Place]", world: "World", embed: BundleEmbedder) -> None:
    """Add places with their whole pictures, and what is known by words alone."""
    from pixsearch.model.data.views import place_view

    for number, place in enumerate(places):
        row = _add(writer, world.places[place.id], embed)
        view = place_view(place, np.random.default_rng(number))
        writer.add_vector(row, embed.region(view, None), view=View.IMAGE)
    for entity in world.background.values():
        _add(writer, entity, embed)


def _add(writer: PackWriter, entity: "Entity", embed: BundleEmbedder, aliases: Sequence[str] = ()) -> int:
    row = writer.add_entity(entity.id, entity.name, source=entity.source, aliases=aliases, facts=entity.facts)
    words = [entity.name, *aliases, *(f"{attribute}: {value}" for attribute, value in entity.facts.items())]
    writer.add_text_vector(row, embed.text(". ".join(words)))
    return row
