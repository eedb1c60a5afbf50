"""`python -m pixsearch.apps.cragmm.importer INDEX -o FOLDER`: CRAG-MM's search indices as a folder for `pack build`.

INDEX is what the benchmark's search library reads: a Chroma folder (`chroma.sqlite3`) of pictures with their entities
or of web pages, or the files that such a one is made from (`image_data.jsonl` with `entity_data.json`). Pictures are
copied from a local folder, where a file has the last part of the picture's address as its name; nothing is fetched.
"""

import hashlib
import json
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import click

from pixsearch.apps.console import PATH, OneCommand
from pixsearch.apps.cragmm.search import MAX_NAME_CHARS, attributes, numbered, passages, readable
from pixsearch.contract.faults import Fault
from pixsearch.contract.files import atomic_directory
from pixsearch.index.entities import MAX_IMAGES, MAX_VALUE_LENGTH

DATABASE, PICTURES, ENTITIES = "chroma.sqlite3", "image_data.jsonl", "entity_data.json"
_ROWS = "SELECT id, key, string_value FROM embedding_metadata WHERE string_value IS NOT NULL ORDER BY id"
_REMEDY = "give the folder of an index that cragmm-search-pipeline reads, see docs/crag-mm.md"


@dataclass
class Thing:
    """An entity or a page, with the addresses of its pictures."""

    name: str
    facts: Mapping[str, str]
    source: str = ""
    pictures: list[str] = field(default_factory=list)


def import_index(index: Path, output: Path, images: Path | None = None) -> dict[str, int]:
    """Write the folder; returns how many entities it has, how many pictures, and how many pictures were missing."""
    things = read_index(index)
    counts = {"entities": len(things), "pictures": 0, "missing": 0}
    with (atomic_directory(output) as folder, (folder / "entities.jsonl").open("w", encoding="utf-8") as lines,
          click.progressbar(things.items(), label="entities", file=sys.stderr, show_pos=True) as bar):
        for key, thing in bar:
            files = [_copied(address, images, folder) for address in thing.pictures[:MAX_IMAGES]]
            counts["pictures"] += len(found := [name for name in files if name])
            counts["missing"] += len(files) - len(found)
            lines.write(json.dumps({"id": key, "name": thing.name, "facts": dict(thing.facts),
                                    "source": thing.source[:MAX_VALUE_LENGTH], "images": sorted(set(found))},
                                   ensure_ascii=False) + "\n")
    return counts


def read_index(index: Path) -> dict[str, Thing]:
    """Entities and pages by their ids. Raises Fault for a folder that is no index, or that cannot be read."""
    if not (index / DATABASE).is_file() and not (index / PICTURES).is_file():
        raise Fault(f"index {index}", expected=f"{DATABASE} or {PICTURES}", actual="neither", remedy=_REMEDY)
    things: dict[str, Thing] = {}
    try:
        for row in _chroma_rows(index / DATABASE) if (index / DATABASE).is_file() else _plain_rows(index):
            _take(row, things)
    except (sqlite3.DatabaseError, ValueError, TypeError, AttributeError) as error:
        raise Fault(f"index {index}", expected="rows as the search library writes them", actual=str(error),
                    remedy=_REMEDY) from error
    return things


def _chroma_rows(path: Path) -> Iterator[dict[str, str]]:
    """The metadata of each embedding."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
        current, row = None, dict[str, str]()
        for number, key, value in database.execute(_ROWS):
            if number != current and row:
                yield row
                row = {}
            current = number
            row[key] = value
        if row:
            yield row


def _plain_rows(index: Path) -> Iterator[dict[str, str]]:
    told = json.loads((index / ENTITIES).read_text("utf-8")) if (index / ENTITIES).is_file() else {}
    with (index / PICTURES).open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                row = json.loads(line)
                info = {name: told.get(name) or {} for name in row["entities"]}
                yield {"image_url": row["image_url"], "info": json.dumps(info)}


def _take(row: Mapping[str, str], things: dict[str, Thing]) -> None:
    """Add what a row of an index holds."""
    if "page_url" in row:
        address = row["page_url"]
        name = readable(row.get("page_name"))[:MAX_NAME_CHARS] or address[:MAX_NAME_CHARS]
        page = things.setdefault(_key("page", address), Thing(name, {}, address))
        page.facts = numbered([*page.facts.values(), *passages(row.get("page_snippet") or "").values()])
        return
    for name, told in json.loads(row.get("info") or "{}").items():
        if words := readable(name)[:MAX_NAME_CHARS]:
            facts: Any = told if isinstance(told, Mapping) else {}
            thing = things.setdefault(_key("entity", name), Thing(words, attributes(facts), row["image_url"]))
            thing.pictures.append(row["image_url"])


def _key(kind: str, name: str) -> str:
    return f"{kind}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _copied(address: str, images: Path | None, folder: Path) -> str | None:
    """A picture's file in the folder, named by its address."""
    source = images / Path(unquote(urlsplit(address).path)).name if images else None
    if source is None or not source.is_file():
        return None
    name = f"{hashlib.sha256(address.encode()).hexdigest()[:16]}{source.suffix.lower()}"
    if not (folder / name).exists():
        shutil.copyfile(source, folder / name)
    return name


@click.command(cls=OneCommand)
@click.argument("index", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, help="The folder to write, for `pixsearch pack build`.")
@click.option("--images", type=PATH, help="Local copies of the pictures, named as their addresses end.")
def main(index: Path, output: Path, images: Path | None) -> None:
    """Turn one of CRAG-MM's search indices into a folder for `pixsearch pack build`."""
    click.echo(json.dumps(import_index(index, output, images)))


if __name__ == "__main__":
    main(prog_name="python -m pixsearch.apps.cragmm.importer")
