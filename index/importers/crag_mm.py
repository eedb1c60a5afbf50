"""A CRAG-MM image index: records of pictures and of the entities in them, with their infobox attributes.

Three published forms are read: search results, `{"index", "url", "entities": [{"entity_name", "entity_attributes"}]}`,
as JSON or JSON lines; the source of an index, lines of `{"image_url", "entities": [name, …]}` with the attributes of
all entities in entity_data.json or kg.json; and the index itself, a Chroma database (chroma.sqlite3). The pictures are
files anywhere below the source, called as their addresses end, or by the record's index.
"""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pixsearch.contract.faults import Fault
from pixsearch.index.entities import at_place
from pixsearch.index.importers.folder import Found, Imported, Picture, write_folder
from pixsearch.index.importers.infobox import infobox_facts
from pixsearch.index.importers.photos import SUFFIXES

DATABASE = "chroma.sqlite3"
ATTRIBUTES = ("entity_data.json", "kg.json")
MAX_JSON_BYTES = 2 << 30
MAX_LINE_BYTES = 16 << 20
Record = tuple[str, dict[str, Any] | Fault]  # its place, and what it says or what is wrong with it


@dataclass
class _Gathered:
    place: str
    facts: dict[str, str] = field(default_factory=dict)
    pictures: dict[Path, str] = field(default_factory=dict)  # with the address of each


def import_crag_mm(source: Path, output: Path, *, skip_bad: bool = False) -> Imported:
    """Write the folder for `pack build` from an index and its pictures; an entity has all pictures that show it.

    Raises Fault, for a record without a picture below `source` too, which `skip_bad` leaves out.
    """
    if not source.is_dir():
        raise Fault(f"source {source}", expected="a folder with records and pictures", actual="none there",
                    remedy="check the path")
    entities, faults = _gathered(source)
    found: list[Found | Fault] = [*faults, *(_entity(name, one) for name, one in entities.items())]
    return write_folder(output, found, label="importing index", length=len(found), skip_bad=skip_bad)


def _entity(name: str, one: _Gathered) -> Found:
    source = next((address for address in one.pictures.values() if address), "")
    return Found(one.place, name, name, facts=one.facts, source=source,
                 pictures=[Picture(path) for path in one.pictures])


def _gathered(source: Path) -> tuple[dict[str, _Gathered], list[Fault]]:
    """Entities by name, in the order of the records, and what is wrong with records."""
    attributes, pictures = _attributes(source), _Pictures(source)
    entities, faults = dict[str, _Gathered](), list[Fault]()
    for place, record in _records(source):
        try:
            if isinstance(record, Fault):
                raise record
            address = record.get("url") or record.get("image_url") or ""
            picture = pictures.of(address, record.get("index"))
            named = list(_entities(record, attributes))
        except Fault as fault:
            faults.append(at_place(place, fault))
            continue
        for name, facts in named:
            one = entities.setdefault(name, _Gathered(place))
            one.facts = {**facts, **one.facts}
            one.pictures.setdefault(picture, str(address))
    return entities, faults


def _entities(record: dict[str, Any], attributes: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """Name and facts of every entity of a record."""
    listed = record.get("entities")
    if isinstance(listed, str):  # Chroma keeps lists as JSON
        listed = _json(listed.encode(), "entities")
    if isinstance(info := record.get("info"), str):
        info = _json(info.encode(), "info")
    for entity in listed if isinstance(listed, list) else [listed]:
        name = entity.get("entity_name") if isinstance(entity, dict) else entity
        if not isinstance(name, str) or not name.strip():
            raise _wrong("entities", "a list of entities with names", repr(entity)[:60])
        own = entity.get("entity_attributes") if isinstance(entity, dict) else None
        known = info.get(name) if isinstance(info, dict) else None
        yield name, infobox_facts(own or known or attributes.get(name))


def _records(source: Path) -> Iterator[Record]:
    if (database := source / DATABASE).is_file():
        yield from _chroma(database)
        return
    files = [path for path in sorted(source.iterdir())
             if path.suffix in (".jsonl", ".json") and path.name not in ATTRIBUTES and path.is_file()]
    if len(files) != 1:
        raise Fault(f"source {source}", expected=f"one file of records (.jsonl, .json) or {DATABASE}",
                    actual=f"{len(files)} files of records", remedy="keep one there")
    yield from (_lines(files[0]) if files[0].suffix == ".jsonl" else _whole(files[0]))


def _lines(path: Path) -> Iterator[Record]:
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise at_place(f"{path.name}:{number}", _wrong("line", f"at most {MAX_LINE_BYTES} bytes", "more"))
            if line.strip():
                yield from _checked(f"{path.name}:{number}", line)


def _checked(place: str, content: bytes) -> Iterator[Record]:
    """The records in some JSON: an object, a list of them, or search results as {"results": […]}."""
    try:
        value = _json(content, "record")
    except Fault as fault:
        yield place, fault
        return
    if isinstance(value, dict) and isinstance(value.get("results"), list):
        value = value["results"]
    records = value if isinstance(value, list) else [value]
    for number, record in enumerate(records):
        at = f"{place}[{number}]" if len(records) > 1 else place
        yield at, record if isinstance(record, dict) else _wrong("record", "a JSON object", type(record).__name__)


def _whole(path: Path) -> Iterator[Record]:
    return _checked(path.name, _bounded(path))


def _chroma(path: Path) -> Iterator[Record]:
    """The metadata of every picture of a Chroma database."""
    try:
        database = sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1", uri=True)
        try:
            rows = database.execute("SELECT id, key, string_value FROM embedding_metadata ORDER BY id, key")
            record: dict[str, Any] = {}
            last = None
            for number, key, value in rows:
                if last is not None and number != last:
                    yield f"{path.name}:{last}", record
                    record = {}
                last, record[str(key)] = number, value
            if last is not None:
                yield f"{path.name}:{last}", record
        finally:
            database.close()
    except sqlite3.Error as error:
        raise Fault(f"source {path}", expected="a Chroma database", actual=str(error),
                    remedy="download the index again") from error


def _attributes(source: Path) -> dict[str, Any]:
    for path in (source / name for name in ATTRIBUTES):
        if path.is_file():
            value = _json(_bounded(path), path.name)
            if not isinstance(value, dict):
                raise _wrong(path.name, "attributes by entity name", type(value).__name__)
            return value
    return {}


class _Pictures:
    """The picture files below a folder, by name in lower case. Links are left out."""

    def __init__(self, source: Path) -> None:
        self._source = source
        self._files: dict[str, Path] = {}
        for path in sorted(source.rglob("*")):
            if path.suffix.lower() in SUFFIXES and path.is_file() and not path.is_symlink():
                self._files.setdefault(path.name.lower(), path)
                if path.stem.isdecimal():
                    self._files.setdefault(f"#{int(path.stem)}", path)

    def of(self, address: object, index: object) -> Path:
        """The picture of a record. Raises Fault."""
        name = unquote(urlsplit(address).path).rsplit("/", 1)[-1] if isinstance(address, str) else ""
        found = self._files.get(name.lower()) or self._files.get(f"#{index}")
        if found is None:
            raise _wrong("picture", f"a file {name[:80]!r} below {self._source}", "none there")
        if self._source.resolve() not in found.resolve().parents:
            raise _wrong("picture", "a file inside the source", repr(found.name))
        return found


def _bounded(path: Path) -> bytes:
    if (size := path.stat().st_size) > MAX_JSON_BYTES:
        raise _wrong(path.name, f"at most {MAX_JSON_BYTES} bytes", str(size))
    return path.read_bytes()


def _json(content: bytes, place: str) -> Any:
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _wrong(place, "JSON in UTF-8", str(error)) from error


def _wrong(what: str, expected: str, actual: str) -> Fault:
    return Fault(what, expected=expected, actual=actual, remedy="mend the record, or pass --skip-bad")
