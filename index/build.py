"""`pack build`: from a curator's folder of rows and pictures to a sealed pack."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from pixsearch.contract.faults import Fault
from pixsearch.index.duplicates import distinct
from pixsearch.index.embedder import Embedder, EmbedderId
from pixsearch.index.entities import Entity, at_place, count_lines, entity_file, read_entities
from pixsearch.index.views import Cutter, EmbeddedView, ViewMaker
from pixsearch.index.words import described
from pixsearch.index.work import Work
from pixsearch.index.writer import PackWriter

WORK_SUFFIX = ".work"


@dataclass
class BuildNotes:
    """What a build left out, for its report: rows at fault, and how many views repeated another, by entity key."""

    skipped: list[str] = field(default_factory=list)
    repeated: dict[str, int] = field(default_factory=dict)


Reporter = Callable[[PackWriter, BuildNotes], str]  # makes the report page from what was written


def build_pack(folder: Path, output: Path, embed: Embedder, name: str, licence: str, *,
               skip_bad: bool = False, version: int = 1, cutter: Cutter | None = None, work: Path | None = None,
               report: Reporter | None = None) -> dict[str, Any]:
    """Build a pack from a folder and return its manifest; the same input gives the same bytes.

    A cut-out with alpha gives a region vector; a photo with mask or box a region and an image vector; a plain
    photo an image vector, and a region vector of what `cutter` finds in it. Views that repeat an earlier one of
    their entity are dropped, and counted under "repeated". A bad row, picture included, raises a Fault
    "file:line: …"; with `skip_bad` it is printed on stderr, left out whole, and counted under "skipped".

    work   : folder that keeps what was embedded, so that an interrupted build goes on there; see `work_folder`
    report : makes the page that the pack carries as report.html
    """
    identity = EmbedderId(embed.id, embed.dimension, embed.text_dimension)
    maker, notes = ViewMaker(embed, cutter), BuildNotes()
    with (PackWriter(output, name=name, embedder=identity, licence=licence, version=version) as writer,
          Work(work, identity.dimension, identity.text_dimension) as kept):
        with _progress(folder, kept) as rows:
            for row in rows:
                try:
                    if isinstance(row, Fault):
                        raise row
                    views = _views(row, maker, kept)
                except Fault as fault:
                    if not skip_bad:
                        raise
                    click.echo(f"skipped {fault}", err=True)
                    notes.skipped.append(str(fault))
                else:
                    _write(writer, row, views, embed, kept, notes)
        writer.more_counts = {"skipped": len(notes.skipped), "repeated": sum(notes.repeated.values())}
        if report is not None:
            writer.add_report(report(writer, notes))
    return writer.manifest


def work_folder(output: Path) -> Path:
    """Where a build of `output` keeps what it embedded: beside it."""
    return output.with_name(output.name + WORK_SUFFIX)


@contextmanager
def _progress(folder: Path, kept: Work) -> Iterator[Iterator[Entity | Fault]]:
    """The rows of a folder under a bar that shows place, time left, and how many things are embedded a second."""
    started = time.monotonic()

    def rate(_: object) -> str:
        return f"{kept.made / max(time.monotonic() - started, 1e-3):.1f}/s"

    with click.progressbar(read_entities(folder), count_lines(entity_file(folder)), label="building pack",
                           file=sys.stderr, show_pos=True, show_percent=True, item_show_func=rate) as bar:
        yield iter(bar)


def _views(entity: Entity, maker: ViewMaker, kept: Work) -> list[EmbeddedView]:
    """Embed all pictures of an entity. Raises Fault with file and line."""
    try:
        return [view for image in entity.images
                for view in kept.views(maker.key(image), lambda image=image: maker.views(image))]  # type: ignore[misc]
    except Fault as fault:
        raise at_place(entity.place, fault) from fault


def _write(writer: PackWriter, entity: Entity, views: list[EmbeddedView], embed: Embedder, kept: Work,
           notes: BuildNotes) -> None:
    row = writer.add_entity(entity.key, entity.name, kind=entity.kind, text=entity.text, source=entity.source,
                            aliases=entity.aliases, facts=entity.facts)
    different = distinct(views)
    for view in different:
        writer.add_vector(row, view.vector, view.view, view.thumbnail)
    if repeated := len(views) - len(different):
        notes.repeated[entity.key] = repeated
    words = described(entity.name, entity.aliases, entity.kind, entity.facts, entity.text)
    writer.add_text_vector(row, kept.text(embed.id, words, lambda: embed.text(words)))
