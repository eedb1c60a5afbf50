"""CRAG-MM's published columns, read from local parquet files or a folder that `datasets` saved.

A row is one session: a picture, its turns, and their answers. Nothing is fetched: a session whose picture is only
named by an address needs a local copy of it.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from pixsearch.contract.faults import Fault
from pixsearch.contract.images import Pixels, read_image

ROWS_AT_ONCE = 8  # a row holds a picture of some megabytes
MAX_TURNS = 20
MAX_QUERY_CHARS, MAX_ANSWER_CHARS, MAX_ID_CHARS = 4_000, 20_000, 200
PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True)
class TurnRow:
    """One question of a session with its reference answer; the labels are the benchmark's own."""

    id: str
    query: str
    answer: str
    domain: str = ""
    category: str = ""
    dynamism: str = ""
    quality: str = ""


@dataclass(frozen=True)
class Session:
    """One picture with its turns.

    place : "file:row" for messages; address : where the picture was published, if that; content : the picture
    """

    id: str
    turns: tuple[TurnRow, ...]
    place: str
    address: str | None = None
    content: bytes | Path | None = field(default=None, repr=False)

    def picture(self) -> Pixels:
        """The picture as uint8 RGB (H, W, 3). Raises Fault."""
        if self.content is None:
            raise Fault(f"{self.place}: picture of session {self.id}", expected="a picture, or a local copy of it",
                        actual=f"only the address {self.address}" if self.address else "none",
                        remedy="put it into the folder of --images, named by the session or as the address ends")
        return read_image(self.content, f"{self.place}: picture")

    def without_picture(self) -> "Session":
        """The session as scores need it."""
        return replace(self, content=None)


class Dataset:
    """The sessions of one split in their order."""

    def __init__(self, folder: Path, split: str = "validation", images: Path | None = None) -> None:
        """images : local copies of pictures that the rows name by address. Raises Fault for a folder without data."""
        self.folder, self._images = folder, images
        self.files = _files(folder, split)

    def __len__(self) -> int:
        return sum(_count(path) for path in self.files)

    def __iter__(self) -> Iterator[Session]:
        """All sessions, one row group of pictures in memory at a time. Raises Fault with file and row."""
        for path in self.files:
            number = 0
            for batch in _batches(path):
                labels = class_labels(batch.schema)
                for row in batch.to_pylist():
                    number += 1
                    yield self._session(row, f"{path.name}:{number}", labels)

    def _session(self, row: Mapping[str, Any], place: str, labels: Mapping[str, list[str]]) -> Session:
        session = _text(row.get("session_id"), f"{place}: session_id", MAX_ID_CHARS)
        turns, answers = (_structs(row.get(key), f"{place}: {key}") for key in ("turns", "answers"))
        if not 1 <= len(turns) <= MAX_TURNS:
            raise _fault(f"{place}: turns", f"1 to {MAX_TURNS}", str(len(turns)))
        told = {one.get("interaction_id"): one.get("ans_full") for one in answers}
        rows = tuple(_turn({"image_quality": row.get("image_quality"), **turn}, told, place, labels) for turn in turns)
        if len({turn.id for turn in rows}) != len(rows):
            raise _fault(f"{place}: turns", "an interaction_id of its own for each", "one twice")
        address = row.get("image_url") or None
        return Session(session, rows, place, address, self._content(row.get("image"), session, address, place))

    def _content(self, image: Any, session: str, address: str | None, place: str) -> bytes | Path | None:
        inline, name = (image.get("bytes"), image.get("path")) if isinstance(image, Mapping) else \
            (image, None) if isinstance(image, bytes) else (None, image)
        if inline:
            return bytes(inline)
        if name:
            return _inside(self.folder, str(name), place)
        if self._images is None:
            return None
        names = [f"{session}{ending}" for ending in PICTURE_ENDINGS]
        names += [Path(unquote(urlsplit(address).path)).name] if address else []
        return next((path for one in names if (path := self._images / Path(one).name).is_file()), None)


def class_labels(schema: pa.Schema) -> dict[str, list[str]]:
    """Names of the columns that `datasets` stores as numbers of classes, wherever in the rows they are."""
    told = (schema.metadata or {}).get(b"huggingface")
    found: dict[str, list[str]] = {}

    def visit(value: Any) -> None:
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(one, dict) and one.get("_type") == "ClassLabel":
                found[str(key)] = list(one["names"])
            elif isinstance(one, dict | list):
                visit(one)

    visit(json.loads(told) if told else {})
    return found


def _files(folder: Path, split: str) -> list[Path]:
    if not folder.is_dir():
        raise _fault(f"data {folder}", "a folder with CRAG-MM's parquet or arrow files", "no folder")
    found = sorted(path for path in folder.rglob("*") if path.suffix in (".parquet", ".arrow")
                   and not path.name.startswith("cache-"))
    own = [path for path in found if path.stem.split("-")[0] == split or path.parent.name == split]
    if not own:
        splits = sorted({path.parent.name if path.stem.startswith("data-") else path.stem.split("-")[0]
                         for path in found})
        raise _fault(f"data {folder}", f"files of the split {split!r}, such as data/{split}-00000-of-00001.parquet",
                     f"the splits {', '.join(splits)}" if splits else "no parquet or arrow file")
    return own


def _count(path: Path) -> int:
    if path.suffix == ".parquet":
        with _reading(path):
            return int(pq.ParquetFile(path).metadata.num_rows)
    return sum(batch.num_rows for batch in _batches(path))


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with _reading(path):
        if path.suffix == ".parquet":
            yield from pq.ParquetFile(path).iter_batches(ROWS_AT_ONCE)
            return
        with pa.memory_map(str(path)) as source:
            for batch in pa.ipc.open_stream(source):
                yield from (batch.slice(at, ROWS_AT_ONCE) for at in range(0, batch.num_rows, ROWS_AT_ONCE))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns what the library says of a damaged file into one line."""
    try:
        yield
    except pa.ArrowException as error:
        raise _fault(f"data {path}", "a whole file", str(error)[:200]) from error


def _structs(value: Any, name: str) -> list[dict[str, Any]]:
    """A list of objects, or the object of lists that `datasets` makes of it, as a list of objects."""
    if isinstance(value, Mapping):
        columns = {key: column for key, column in value.items() if isinstance(column, list)}
        if len({len(column) for column in columns.values()}) != 1:
            raise _fault(name, "lists of one length", str({key: len(one) for key, one in columns.items()}))
        return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    if isinstance(value, list) and all(isinstance(one, Mapping) for one in value):
        return [dict(one) for one in value]
    raise _fault(name, "a list of objects", type(value).__name__)


def _turn(turn: Mapping[str, Any], told: Mapping[Any, Any], place: str, labels: Mapping[str, list[str]]) -> TurnRow:
    id = _text(turn.get("interaction_id"), f"{place}: interaction_id", MAX_ID_CHARS)
    if id not in told:
        raise _fault(f"{place}: answers", f"one for the interaction {id}", "none")
    named = {key: _label(turn.get(key), labels.get(key, []), f"{place}: {key}")
             for key in ("domain", "query_category", "dynamism", "image_quality")}
    return TurnRow(id, _text(turn.get("query"), f"{place}: query", MAX_QUERY_CHARS),
                   _text(told[id], f"{place}: ans_full", MAX_ANSWER_CHARS), named["domain"], named["query_category"],
                   named["dynamism"], named["image_quality"])


def _label(value: Any, names: list[str], name: str) -> str:
    if isinstance(value, int):
        if not 0 <= value < len(names):
            raise _fault(name, f"a class from 0 to {len(names) - 1}", str(value))
        return names[value]
    return str(value or "")[:MAX_ID_CHARS]


def _text(value: Any, name: str, limit: int) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _fault(name, "words", repr(value)[:60])
    if len(value) > limit:
        raise _fault(name, f"at most {limit} characters", str(len(value)))
    return value.strip()


def _inside(folder: Path, name: str, place: str) -> Path | None:
    path = (folder / name).resolve()
    if folder.resolve() not in path.parents:
        raise _fault(f"{place}: image", "a file inside the data's folder", repr(name)[:100])
    return path


def _fault(what: str, expected: str, actual: str) -> Fault:
    return Fault(what, expected=expected, actual=actual, remedy="see docs/crag-mm.md for the layout")
