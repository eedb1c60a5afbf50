"""A pack's report page: what a curator sees in a minute before it goes out. One self-contained file."""

import base64
import io
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from pixsearch.apps.page import render_template
from pixsearch.contract.evidence import LIKELY_AT, SURE_AT
from pixsearch.contract.images import MAX_FILE_BYTES
from pixsearch.index import manifest as manifests
from pixsearch.index.build import BuildNotes
from pixsearch.index.look_alikes import LookAlike, Resemblance, resemblance
from pixsearch.index.odd_facts import Finding, odd_facts
from pixsearch.index.schema import (
    DATABASE_NAME,
    FILE_NAME,
    FIRST_PRECISION,
    THUMBNAIL_FOLDER,
    from_blobs,
    open_database,
)
from pixsearch.index.writer import PackWriter

TEMPLATE = "pack.html.j2"
UNSPECIFIED = "unspecified"
SHEET, PICTURES_A_CARD = 400, 3
PAIRS, FINDINGS_SHOWN, SKIPPED_SHOWN, NAMES_SHOWN = 24, 8, 40, 60
VALUE_CHARS = 160
THUMBNAIL_SIDE, THUMBNAIL_QUALITY = 112, 60  # pixels
WELL_RECOGNISED = 0.9  # of views
FEWEST_TOLD_APART = 10  # views below which a share of them says nothing
SAME_AT = 0.95  # cosine from which two views are likely one picture, or two of one thing


@dataclass(frozen=True)
class Inspected:
    """What a report is made from: a pack's folder, its manifest so far, an open database, and notes of its build."""

    folder: Path
    manifest: dict[str, Any]
    database: sqlite3.Connection
    notes: BuildNotes = field(default_factory=BuildNotes)


def report_while_building(writer: PackWriter, notes: BuildNotes) -> str:
    """The page of a pack that is being written; an `index.build.Reporter`."""
    manifest = {**writer.manifest, "counts": dict(writer.more_counts)}
    return render_report(Inspected(writer.folder, manifest, writer.database, notes))


def report_of(folder: Path) -> str:
    """The page of a finished pack, checked first. What its build left out is told by numbers alone. Raises Fault."""
    manifest = manifests.checked_manifest(folder)
    manifests.verify_pack_files(folder, manifest)
    database = open_database(folder / DATABASE_NAME)
    try:
        return render_report(Inspected(folder, manifest, database))
    finally:
        database.close()


def render_report(pack: Inspected) -> str:
    """The page as text. The same pack gives the same page."""
    counts = _counts(pack)
    decode = partial(from_blobs, dimension=pack.manifest["embedder"]["dimension"],
                     precision=pack.manifest.get("precision", FIRST_PRECISION))
    alike = resemblance(pack.database, decode, PAIRS)
    thumbnails = _Thumbnails(pack)
    findings = {check: (found[:FINDINGS_SHOWN], len(found)) for check, found in odd_facts(pack.database).items()}
    names = _names(pack, [*(pair.entity for pair in alike.pairs), *(pair.other_entity for pair in alike.pairs),
                          *(one.entity for found, _ in findings.values() for one in found)])
    views = _views_of_entities(pack.database)
    licence = pack.manifest["licence"]
    return render_template(
        TEMPLATE, title=f"{pack.manifest['name']}, version {pack.manifest['version']}",
        summary={"licence": licence, "entities": counts["entities"], "facts": counts["facts"],
                 "views": counts["views"], "model": pack.manifest["embedder"]["id"]},
        sentences=_sentences(pack, counts, alike, sum(number for _, number in findings.values()), views),
        skipped=pack.notes.skipped[:SKIPPED_SHOWN], skipped_count=_left_out(pack, "skipped", len(pack.notes.skipped)),
        pairs=[_pair(pair, names, thumbnails) for pair in alike.pairs if pair.cosine >= LIKELY_AT],
        sure_at=SURE_AT, likely_at=LIKELY_AT, same_at=SAME_AT,
        findings=[(check.value, [_finding(one, names) for one in found], number)
                  for check, (found, number) in findings.items()],
        views=views, cards=_cards(pack, thumbnails), entities=counts["entities"])


@dataclass(frozen=True)
class _Listed:
    """Some names, and how many there are in all."""

    names: list[str]
    count: int


@dataclass(frozen=True)
class _Views:
    """Entities without a picture, with a single one, and with whole pictures of which nothing was cut out."""

    none: _Listed
    one: _Listed
    uncut: _Listed


def _counts(pack: Inspected) -> dict[str, int]:
    tables = {"entities": "entities", "facts": "facts", "views": "vectors"}
    return {name: pack.database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for name, table in tables.items()}


def _left_out(pack: Inspected, name: str, noted: int) -> int:
    return noted or int(pack.manifest["counts"].get(name, 0))


def _sentences(pack: Inspected, counts: dict[str, int], alike: Resemblance, findings: int,
               views: _Views) -> list[tuple[bool, str, str]]:
    """The page in short: whether it needs a look, what, and the section that shows it."""
    skipped = _left_out(pack, "skipped", len(pack.notes.skipped))
    repeated = _left_out(pack, "repeated", sum(pack.notes.repeated.values()))
    confusable = sum(pair.cosine >= SURE_AT for pair in alike.pairs)
    more = "or more " if confusable == PAIRS else ""
    lines = [
        (pack.manifest["licence"] == UNSPECIFIED, "No licence is given: --licence says under which others may use it."
         if pack.manifest["licence"] == UNSPECIFIED else f"Licence: {pack.manifest['licence']}.", ""),
        (skipped > 0, f"{_number(skipped, 'row')} left out as faulty.", "skipped"),
        (confusable > 0, f"{_number(confusable, 'pair')} {more}of entities look so much alike that one may be answered "
                         "for the other.", "alike"),
        (views.none.count > 0, f"{_number(views.none.count, 'entity')} without a picture: found by words alone.",
         "views"),
        (views.uncut.count > 0, f"{_number(views.uncut.count, 'entity')} of which nothing was cut out.", "views"),
        (views.one.count > 0, f"{_number(views.one.count, 'entity')} with a single view.", "views"),
        (findings > 0, f"{_number(findings, 'fact')} to look at again.", "facts"),
        (False, f"{_number(repeated, 'view')} dropped that repeated another.", ""),
    ]
    if alike.told_apart >= FEWEST_TOLD_APART:
        share = alike.recognised / alike.told_apart
        lines.append((share < WELL_RECOGNISED, f"{share:.0%} of {alike.told_apart} views find another of their own "
                                               "entity before any other entity.", "alike"))
    return sorted(lines, key=lambda line: not line[0])


def _number(count: int, what: str) -> str:
    plural = {"entity": "entities"}.get(what, what + "s")
    return f"{count:,} {what if count == 1 else plural}" if count else f"No {what}"


def _names(pack: Inspected, entities: Iterable[int]) -> dict[int, tuple[str, str]]:
    """Name and key by row id."""
    wanted = list(dict.fromkeys(entities))
    marks = ", ".join("?" * len(wanted))
    return {row: (name, key) for row, name, key in
            pack.database.execute(f"SELECT id, name, key FROM entities WHERE id IN ({marks})", wanted)}


def _pair(pair: LookAlike, names: dict[int, tuple[str, str]], thumbnails: "_Thumbnails") -> dict[str, Any]:
    return {"cosine": pair.cosine,
            "sides": [(*names[entity], thumbnails.of_view(view))
                      for entity, view in ((pair.entity, pair.view), (pair.other_entity, pair.other_view))]}


def _finding(one: Finding, names: dict[int, tuple[str, str]]) -> dict[str, str]:
    name, key = names[one.entity]
    value = one.value if len(one.value) <= VALUE_CHARS else one.value[:VALUE_CHARS] + "…"
    return {"entity": name, "key": key, "attribute": one.attribute, "value": value, "why": one.why}


def _views_of_entities(database: sqlite3.Connection) -> _Views:
    """A picture's region and its whole count as one view."""
    none = "SELECT id, name FROM entities WHERE id NOT IN (SELECT entity FROM vectors)"
    seen = ("SELECT entities.id AS id, name, sum(view != 'image') AS things, sum(view = 'image') AS wholes "
            "FROM entities JOIN vectors ON vectors.entity = entities.id GROUP BY entities.id")

    def listed(sql: str) -> _Listed:
        count = database.execute(f"SELECT count(*) FROM ({sql})").fetchone()[0]
        rows = database.execute(f"SELECT name FROM ({sql}) ORDER BY id LIMIT ?", (NAMES_SHOWN,))
        return _Listed([name for (name,) in rows], count)

    return _Views(listed(none), listed(f"{seen} HAVING max(things, wholes) = 1"), listed(f"{seen} HAVING things = 0"))


def _cards(pack: Inspected, thumbnails: "_Thumbnails") -> list[dict[str, Any]]:
    """The contact sheet: the first entities with a few pictures, and all their facts."""
    cards = []
    for row, key, name, kind, source in pack.database.execute(
            "SELECT id, key, name, kind, source FROM entities ORDER BY id LIMIT ?", (SHEET,)).fetchall():
        views: Sequence[tuple[int, str, str | None]] = pack.database.execute(
            "SELECT id, view, thumbnail FROM vectors WHERE entity = ? ORDER BY view = 'image', id", (row,)).fetchall()
        shown = [thumbnails.of_file(thumbnail) for _, _, thumbnail in views[:PICTURES_A_CARD]]
        facts = pack.database.execute("SELECT attribute, value FROM facts WHERE entity = ? ORDER BY rowid", (row,))
        cards.append({"key": key, "name": name, "kind": kind, "source": source, "pictures": list(filter(None, shown)),
                      "views": len(views), "facts": facts.fetchall(), "repeated": pack.notes.repeated.get(key, 0)})
    return cards


class _Thumbnails:
    """Pictures of a pack as small data URIs."""

    def __init__(self, pack: Inspected) -> None:
        self._folder, self._database = pack.folder, pack.database

    def of_view(self, view: int) -> str | None:
        """The picture of a vector, by row id."""
        row = self._database.execute("SELECT thumbnail FROM vectors WHERE id = ?", (view,)).fetchone()
        return self.of_file(row[0] if row else None)

    def of_file(self, name: str | None) -> str | None:
        """A thumbnail by its file name, smaller still; None where there is none."""
        inside = f"{THUMBNAIL_FOLDER}/{name}"
        if name is None or not FILE_NAME.fullmatch(inside):
            return None
        path = self._folder / inside
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            return None
        with Image.open(path, formats=("WEBP",)) as image:
            image.load()
            image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
            buffer = io.BytesIO()
            image.save(buffer, "WEBP", quality=THUMBNAIL_QUALITY)
        return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
