"""Writing a curator's folder: a row an entity, checked as `pack build` will, and its pictures beside."""

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import atomic_directory
from pixsearch.contract.images import picture_suffix, read_image_file, read_image_with_alpha
from pixsearch.contract.plain_text import plain
from pixsearch.index.entities import (
    FACT_COLUMN,
    LIST_SEPARATOR,
    MAX_FACTS,
    MAX_IMAGES,
    MAX_NAME_LENGTH,
    MAX_TEXT_LENGTH,
    MAX_VALUE_LENGTH,
    at_place,
    image_words,
    parse_entity,
)

PICTURES = "images"
COLUMNS = ("id", "name", "kind", "aliases", "images", "source", "text")
_NOT_IN_FILE_NAMES = re.compile(r"[^a-z0-9]+")
SLUG_LENGTH = 40


@dataclass(frozen=True)
class Picture:
    """A picture to be copied, a file or its content, with a mask if there is one."""

    content: Path | bytes
    mask: Path | bytes | None = None


@dataclass(frozen=True)
class Found:
    """What an importer found of an entity. `place` is where, for messages; words may be of any length and kind.

    One that `joins` adds its pictures to the entity of its key, if there is one already; facts that the two disagree
    about are those of a picture, not of the entity, and are dropped.
    """

    place: str
    key: str
    name: str
    kind: str = ""
    text: str = ""
    source: str = ""
    aliases: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    pictures: Sequence[Picture] = ()
    joins: bool = False


@dataclass
class Imported:
    """What an import wrote and left out: rows at fault, pictures beyond what an entity may have, facts by attribute."""

    entities: int = 0
    pictures: int = 0
    skipped: int = 0
    pictures_left_out: int = 0
    facts_left_out: dict[str, int] = field(default_factory=dict)


def write_folder(output: Path, found: Iterable[Found | Fault], *, label: str, length: int | None = None,
                 skip_bad: bool = False, as_csv: bool = False) -> Imported:
    """Write the folder that `pack build` takes, whole or not at all.

    A fault among what was found is raised, or with `skip_bad` printed on stderr and counted. Raises Fault also where
    `output` exists already: what a curator has changed there is never overwritten.
    """
    if output.exists() or output.is_symlink():
        raise Fault(f"output {output}", expected="a new folder", actual="one that exists",
                    remedy="choose another output, or remove it")
    with atomic_directory(output) as folder:
        writer = _Writer(folder)
        with click.progressbar(found, length, label=label, file=sys.stderr, show_pos=True) as bar:
            for item in bar:
                try:
                    if isinstance(item, Fault):
                        raise item
                    writer.add(item)
                except Fault as fault:
                    if not skip_bad:
                        raise
                    click.echo(f"skipped {fault}", err=True)
                    writer.imported.skipped += 1
        if not writer.rows:
            raise Fault(f"import into {output}", expected="at least one entity", actual="none",
                        remedy="check the source")
        name, content = ("entities.csv", _csv(writer.rows)) if as_csv else ("entities.jsonl", _json_lines(writer.rows))
        (folder / name).write_text(content, "utf-8", newline="")
    return writer.imported


class _Writer:
    def __init__(self, folder: Path) -> None:
        self._folder, self._copied = folder, dict[Path, str]()
        self._rows: dict[str, dict[str, Any]] = {}
        self._disputed: set[tuple[str, str]] = set()  # key and attribute
        self.imported = Imported()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What has been added, as rows of an entity file."""
        return [{key: value for key, value in row.items() if value} for row in self._rows.values()]

    def add(self, found: Found) -> None:
        """Copy the pictures of an entity and add or join its row. Raises Fault with its place."""
        try:
            row = self._rows.get(found.key)
            if row is not None and not found.joins:
                raise Fault("id", expected="an id of its own", actual=repr(found.key[:60]) + " a second time",
                            remedy="rename one of them")
            new = self._checked(found)
            room = MAX_IMAGES - (len(row["images"]) if row else 0)
            self.imported.pictures_left_out += max(0, len(found.pictures) - room)
            pictures = [self._picture(new["name"], picture) for picture in found.pictures[:room]]
        except Fault as fault:
            raise at_place(found.place, fault) from fault
        if row is None:
            self._rows[found.key] = {**new, "images": pictures}
            self.imported.entities += 1
        else:
            row["images"] += pictures
            self._join(found.key, row["facts"], new["facts"])

    def _checked(self, found: Found) -> dict[str, Any]:
        """The row of an entity, without pictures. Raises Fault for what `pack build` would refuse."""
        facts = {plain(name)[:MAX_NAME_LENGTH]: cut(value) for name, value in found.facts.items()
                 if plain(name) and plain(value)}
        row: dict[str, Any] = {
            "id": found.key, "name": found.name, "kind": found.kind, "aliases": list(found.aliases),
            "facts": dict(list(facts.items())[:MAX_FACTS]), "text": cut(found.text, MAX_TEXT_LENGTH),
            "source": cut(found.source)}
        entity = parse_entity(found.place, row, self._folder)
        return {**row, "id": entity.key, "name": entity.name}

    def _join(self, key: str, facts: dict[str, str], more: Mapping[str, str]) -> None:
        for name, value in more.items():
            if (key, name) not in self._disputed and facts.setdefault(name, value) != value:
                del facts[name]
                self._disputed.add((key, name))
                self.imported.facts_left_out[name] = self.imported.facts_left_out.get(name, 0) + 1

    def _picture(self, name: str, picture: Picture) -> str | dict[str, str]:
        file = self._copy(name, picture.content, "")
        return file if picture.mask is None else {"file": file, "mask": self._copy(name, picture.mask, "-mask")}

    def _copy(self, name: str, source: Path | bytes, ending: str) -> str:
        """Copy a picture that can be read, once, under a name that is safe everywhere."""
        if isinstance(source, Path) and source in self._copied:
            return self._copied[source]
        title = str(source) if isinstance(source, Path) else "of this row"
        content = read_image_file(source, title)
        read_image_with_alpha(content, title)
        slug = _NOT_IN_FILE_NAMES.sub("-", name.lower()).strip("-")[:SLUG_LENGTH].strip("-") or "picture"
        self.imported.pictures += 1
        file = f"{PICTURES}/{slug}-{self.imported.pictures:06d}{ending}{picture_suffix(content)}"
        (self._folder / PICTURES).mkdir(exist_ok=True)
        (self._folder / file).write_bytes(content)
        if isinstance(source, Path):
            self._copied[source] = file
        return file


def cut(words: str, limit: int = MAX_VALUE_LENGTH) -> str:
    """Words on one line, at most `limit` characters: sources may hold whole articles as one value."""
    words = plain(words)
    return words if len(words) <= limit else words[:limit - 1].rsplit(" ", 1)[0] + "…"


def _json_lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _csv(rows: list[dict[str, Any]]) -> str:
    """The rows as a table that a spreadsheet opens: a column a fact."""
    attributes = list(dict.fromkeys(name for row in rows for name in row.get("facts", {})))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([*COLUMNS, *(FACT_COLUMN + name for name in attributes)])
    for row in rows:
        lists = {"aliases": row.get("aliases", []), "images": [image_words(one) for one in row.get("images", [])]}
        cells = [f"{LIST_SEPARATOR} ".join(lists[name]) if name in lists else row.get(name, "") for name in COLUMNS]
        writer.writerow([*cells, *(row.get("facts", {}).get(name, "") for name in attributes)])
    return "\ufeff" + buffer.getvalue()  # without the mark some spreadsheets take UTF-8 for an old code page
