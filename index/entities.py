"""The curator's folder: `entities.jsonl` or `entities.csv`, read row by row, each row checked."""

import csv
import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pixsearch.contract.faults import Fault
from pixsearch.contract.plain_text import plain

KEYS = ("id", "name", "kind", "aliases", "facts", "text", "images", "source")
IMAGE_KEYS = ("file", "mask", "box")
FACT_COLUMN = "fact:"
LIST_SEPARATOR = ";"
DELIMITERS = (",", ";", "\t")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

MAX_ROWS = 1_000_000
MAX_ROW_BYTES = 1 << 20
MAX_NAME_LENGTH = 200
MAX_VALUE_LENGTH = 2_000
MAX_TEXT_LENGTH = 20_000
MAX_ALIASES = 100
MAX_FACTS = 200
MAX_IMAGES = 256

Box = tuple[float, float, float, float]
_PICTURE = re.compile(r"(?P<file>.+?)(?: +mask=(?P<mask>.+)| +box=(?P<box>[^=]+))?", re.DOTALL)


@dataclass(frozen=True)
class EntityImage:
    """A picture of an entity; at most one of `mask` (a picture of its size) and `box` (x0, y0, x1, y1)."""

    file: Path
    mask: Path | None = None
    box: Box | None = None


@dataclass(frozen=True)
class Entity:
    """One checked row. `place` is its "file:line" for messages."""

    place: str
    key: str
    name: str
    kind: str = ""
    text: str = ""
    source: str = ""
    aliases: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    images: tuple[EntityImage, ...] = ()


def entity_file(folder: Path) -> Path:
    """The one entity file of a folder. Raises Fault when there is none or there are two."""
    found = [path for name in ("entities.jsonl", "entities.csv") if (path := folder / name).is_file()]
    if len(found) != 1:
        raise Fault(f"folder {folder}", expected="either entities.jsonl or entities.csv",
                    actual="both" if found else "neither", remedy="see `pixsearch pack build --help`")
    return found[0]


def count_lines(path: Path) -> int:
    """Number of line breaks: at least the number of rows but one. For progress bars."""
    with path.open("rb") as stream:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(MAX_ROW_BYTES), b""))


def read_entities(folder: Path) -> Iterator[Entity | Fault]:
    """Every row as an Entity, or as the Fault that says what is wrong with it.

    Raises Fault when the file as a whole cannot be read: no file, an endless line, a bad CSV header.
    """
    path = entity_file(folder)
    seen: set[str] = set()
    for number, read in (_csv_rows(path) if path.suffix == ".csv" else _json_rows(path)):
        place = f"{path.name}:{number}"
        try:
            entity = parse_entity(place, read(), folder)
            if entity.key in seen:
                raise _wrong("id", "an id of its own", f"{entity.key!r} a second time")
            if len(seen) >= MAX_ROWS:
                raise _wrong("row", f"at most {MAX_ROWS} rows", "more")
            seen.add(entity.key)
            yield entity
        except Fault as fault:
            yield at_place(place, fault)


def at_place(place: str, fault: Fault) -> Fault:
    """The same fault with file and line in front."""
    return Fault(f"{place}: {fault.what}", expected=fault.expected, actual=fault.actual, remedy=fault.remedy)


Row = Callable[[], dict[str, Any]]


def _lines(path: Path) -> Iterator[bytes | Fault]:
    """Lines with their breaks; one that is too long is a Fault in its place."""
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(MAX_ROW_BYTES + 1):
            number += 1
            if len(line) > MAX_ROW_BYTES:
                while line and not line.endswith(b"\n"):
                    line = stream.readline(MAX_ROW_BYTES)
                yield _wrong("line", f"at most {MAX_ROW_BYTES} bytes", "more")
            else:
                yield line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line


def _json_rows(path: Path) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(_lines(path), 1):
        if isinstance(line, Fault) or line.strip():
            yield number, lambda line=line: _json_object(line)  # type: ignore[misc]


def _json_object(line: bytes | Fault) -> dict[str, Any]:
    if isinstance(line, Fault):
        raise line
    try:
        row = json.loads(line.decode("utf-8"), object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise _wrong("row", "JSON in UTF-8", str(error)) from error
    if not isinstance(row, dict):
        raise _wrong("row", "a JSON object", type(row).__name__)
    return row


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(row := dict(pairs)) != len(pairs):
        raise _wrong("row", "each key once", "a repeated key")
    return row


class _TableLines:
    """The lines of a table as text; bytes that are not UTF-8 become surrogates, so that only their row is at fault.

    `row_bytes` counts until the reader of rows sets it to 0: an open quote must not swallow the rest of the file.
    """

    def __init__(self, path: Path) -> None:
        self._lines, self.row_bytes = _lines(path), 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            if isinstance(line, Fault):
                raise line
            self.row_bytes += len(line)
            if self.row_bytes > MAX_ROW_BYTES:
                raise _wrong("row", f"at most {MAX_ROW_BYTES} bytes", "more")
            yield line.decode("utf-8", "surrogateescape")


def _csv_rows(path: Path) -> Iterator[tuple[int, Row]]:
    lines = _TableLines(path)
    reader = csv.reader(lines, delimiter=_delimiter(path), strict=True)
    try:
        header = next(reader, [])
        _refuse_foreign_letters(header)
        columns = [name for name in header if not name.startswith(FACT_COLUMN)]
        if len(set(header)) != len(header) or not {"id", "name"} <= set(columns):
            raise _wrong("header", 'distinct columns with "id" and "name" among them', ", ".join(header)[:200])
        _refuse_unknown(columns, KEYS)
        lines.row_bytes = 0
        for cells in reader:
            lines.row_bytes = 0
            if any(cells):  # spreadsheets leave rows of empty cells behind
                yield reader.line_num, lambda cells=cells: _csv_object(header, cells)  # type: ignore[misc]
    except csv.Error as error:
        raise at_place(f"{path.name}:{reader.line_num}", _wrong("line", "CSV in UTF-8", str(error))) from error
    except Fault as fault:
        raise at_place(f"{path.name}:{reader.line_num}", fault) from fault


def _delimiter(path: Path) -> str:
    """What separates cells: the first that finds the columns that must be there. Some spreadsheets write semicolons."""
    with path.open("rb") as stream:
        line = stream.readline(MAX_ROW_BYTES).removeprefix(BYTE_ORDER_MARK).decode("utf-8", "replace")
    return next((sign for sign in DELIMITERS if {"id", "name"} <= {cell.strip('" \r\n') for cell in line.split(sign)}),
                DELIMITERS[0])


def _refuse_foreign_letters(cells: list[str]) -> None:
    """Refuse what no UTF-8 table holds: an old code page's letters, and the zeros of UTF-16."""
    for cell in cells:
        if "\0" in cell or any("\udc80" <= letter <= "\udcff" for letter in cell):
            raise Fault("row", expected="CSV in UTF-8", actual=_brief(cell),
                        remedy='save the table as "CSV UTF-8", or pass --skip-bad')


def _csv_object(header: list[str], cells: list[str]) -> dict[str, Any]:
    _refuse_foreign_letters(cells)
    if len(cells) != len(header):
        raise _wrong("row", f"{len(header)} cells", str(len(cells)))
    filled = {name: cell for name, cell in zip(header, cells, strict=True) if cell.strip()}
    row: dict[str, Any] = {name: cell for name, cell in filled.items() if not name.startswith(FACT_COLUMN)}
    for name in {"aliases", "images"} & set(row):
        row[name] = [part.strip() for part in row[name].split(LIST_SEPARATOR) if part.strip()]
    row["images"] = [_image_object(words) for words in row.get("images", [])]
    row["facts"] = {name.removeprefix(FACT_COLUMN): cell for name, cell in filled.items()
                    if name.startswith(FACT_COLUMN)}
    return row


def image_words(image: str | Mapping[str, Any]) -> str:
    """A picture as a cell of a table names it: "a.jpg", "a.jpg mask=b.png" or "a.jpg box=10,20,110,90"."""
    if isinstance(image, str):
        return image
    box = ",".join(f"{edge:g}" for edge in image.get("box") or ())
    return image["file"] + (f" mask={image['mask']}" if image.get("mask") else f" box={box}" if box else "")


def _image_object(words: str) -> dict[str, Any]:
    """What `image_words` wrote, as the object that a line of JSON holds."""
    match = _PICTURE.fullmatch(words)
    if match is None or match["box"] is None:
        return {"file": words} if match is None else {"file": match["file"], "mask": match["mask"]}
    try:
        box = [float(edge) for edge in match["box"].split(",")]
    except ValueError as error:
        raise _wrong("box", "x0,y0,x1,y1 in pixels", _brief(match["box"])) from error
    return {"file": match["file"], "box": box}


def parse_entity(place: str, row: dict[str, Any], folder: Path) -> Entity:
    """Check a row, as JSON gives it. Raises Fault, without the place."""
    _refuse_unknown(list(row), KEYS)
    aliases, facts = row.get("aliases") or [], row.get("facts") or {}
    images = row.get("images") or []
    for name, value, kind, limit in (("aliases", aliases, list, MAX_ALIASES),
                                     ("facts", facts, dict, MAX_FACTS), ("images", images, list, MAX_IMAGES)):
        if not isinstance(value, kind) or len(value) > limit:
            raise _wrong(name, f"a {kind.__name__} of at most {limit}", _brief(value))
    return Entity(
        place=place,
        key=_words("id", row.get("id"), MAX_NAME_LENGTH),
        name=_words("name", row.get("name"), MAX_NAME_LENGTH),
        kind=_words("kind", row.get("kind") or "", MAX_NAME_LENGTH, optional=True),
        text=_words("text", row.get("text") or "", MAX_TEXT_LENGTH, optional=True),
        source=_words("source", row.get("source") or "", MAX_VALUE_LENGTH, optional=True),
        aliases=tuple(_words("alias", alias, MAX_NAME_LENGTH) for alias in aliases),
        facts={_words("attribute", name, MAX_NAME_LENGTH): _words(f"fact {name!r}", value, MAX_VALUE_LENGTH)
               for name, value in facts.items()},
        images=tuple(_image(image, folder) for image in images))


def _words(name: str, value: Any, limit: int, optional: bool = False) -> str:
    """A string or number as one line of printable words; control characters become spaces."""
    if _is_number(value):
        value = str(value)
    if not isinstance(value, str) or (not optional and not value.strip()):
        raise _wrong(name, "words", _brief(value))
    words = plain(value)
    if len(words) > limit:
        raise _wrong(name, f"at most {limit} characters", str(len(words)))
    if not optional and not words:
        raise _wrong(name, "words", "control characters alone")
    return words


def _image(value: Any, folder: Path) -> EntityImage:
    fields = {"file": value} if isinstance(value, str) else value
    if not isinstance(fields, dict) or "file" not in fields:
        raise _wrong("image", 'a file name, or an object with "file"', _brief(value))
    _refuse_unknown(list(fields), IMAGE_KEYS)
    mask, box = fields.get("mask"), fields.get("box")
    if mask is not None and box is not None:
        raise _wrong("image", "either a mask or a box", "both")
    return EntityImage(_inside(folder, fields["file"]), None if mask is None else _inside(folder, mask),
                       None if box is None else _box(box))


def _inside(folder: Path, name: Any) -> Path:
    """A path below `folder`, symbolic links followed."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise _wrong("image", "a file name", _brief(name))
    try:
        path = (folder / name).resolve()
    except (OSError, RuntimeError, UnicodeError) as error:
        raise _wrong("image", "a file name", str(error)) from error
    if folder.resolve() not in path.parents:
        raise _wrong("image", "a file inside the folder", repr(name))
    return path


def _box(value: Any) -> Box:
    if not isinstance(value, list) or len(value) != 4 or not all(map(_is_number, value)):
        raise _wrong("box", "[x0, y0, x1, y1] in pixels", _brief(value))
    if not (0 <= value[0] < value[2] and 0 <= value[1] < value[3]):
        raise _wrong("box", "[x0, y0, x1, y1] in pixels with x0 < x1 and y0 < y1", _brief(value))
    return value[0], value[1], value[2], value[3]


def _refuse_unknown(names: list[str], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name[:MAX_NAME_LENGTH], known, 1)
            expected = f"{near[0]!r}" if near else f"one of {', '.join(known)}"
            raise _wrong("key", expected, repr(name[:MAX_NAME_LENGTH]))


def _is_number(value: Any) -> bool:
    """A finite number; abs() keeps whole numbers of a thousand digits, which float() cannot hold, out."""
    return type(value) in (int, float) and abs(value) < 1e18


def _brief(value: Any) -> str:
    return repr(value)[:60]


def _wrong(what: str, expected: str, actual: str) -> Fault:
    return Fault(what, expected=expected, actual=actual, remedy="mend the row, or pass --skip-bad")
