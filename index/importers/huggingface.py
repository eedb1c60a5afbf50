"""A Hugging Face image dataset saved locally: the Arrow files of `save_to_disk`, or the Parquet files of a download.

A row is a picture, or several, of what its name column says; rows of one name are views of one entity. Other columns of
words and numbers become facts.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixsearch.contract.faults import Fault
from pixsearch.contract.plain_text import plain
from pixsearch.index.importers.folder import Found, Imported, Picture, write_folder

if TYPE_CHECKING:
    import pyarrow as pa

NAMES = ("name", "title", "label", "class", "species", "category", "object")  # of name columns, likeliest first
MASKS = ("mask", "segmentation", "segmentation_mask", "annotation")
TEXTS = ("text", "description", "caption")
ROWS_AT_A_TIME = 64
MAX_INFO_BYTES = 64 << 20
Features = dict[str, Any]


@dataclass(frozen=True)
class Columns:
    """Which columns of a dataset hold what; `labels` the words of columns of class numbers."""

    image: str
    name: str
    mask: str | None
    text: str | None
    facts: tuple[str, ...]
    labels: Mapping[str, list[str]]


def import_huggingface(source: Path, output: Path, *, image: str | None = None, name: str | None = None,
                       skip_bad: bool = False) -> Imported:
    """Write the folder for `pack build` from a dataset; `image` and `name` say which columns hold what.

    Raises Fault; ModuleNotFoundError without the extra [import].
    """
    files = list(_files(source))
    if not files:
        raise Fault(f"source {source}", expected="a dataset as `save_to_disk` writes it, or Parquet files",
                    actual="none there", remedy="check the path, or save the dataset again")
    columns = _columns(source, files[0], image, name)
    return write_folder(output, _found(source, files, columns), label="importing dataset", length=_count(files),
                        skip_bad=skip_bad)


def _files(folder: Path) -> Iterator[Path]:
    """Data files in order: those that a state.json lists, those of all splits, or else all Parquet files."""
    if (splits := folder / "dataset_dict.json").is_file():
        for split in _listed(_json(splits).get("splits"), splits):
            yield from _files(_inside(folder, split))
    elif (state := folder / "state.json").is_file():
        for one in _listed(_json(state).get("_data_files"), state):
            yield _inside(folder, one.get("filename") if isinstance(one, dict) else None)
    else:
        yield from sorted(path for path in folder.rglob("*.parquet") if path.is_file())


def _count(files: list[Path]) -> int:
    return sum(batch.num_rows for path in files for batch in _batches(path, []))


def _batches(path: Path, columns: list[str] | None = None) -> Iterator["pa.RecordBatch"]:
    """The rows of a file, some at a time, memory-mapped; all columns for None. Raises Fault."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.suffix == ".parquet":
            with pq.ParquetFile(path, memory_map=True) as parquet:
                if columns == []:  # batches without columns have no length
                    columns = parquet.schema_arrow.names[:1]
                yield from parquet.iter_batches(ROWS_AT_A_TIME, columns=columns)
            return
        with pa.memory_map(str(path)) as mapped, pa.ipc.open_stream(mapped) as stream:
            for batch in stream:
                for start in range(0, batch.num_rows, ROWS_AT_A_TIME):
                    yield batch.slice(start, ROWS_AT_A_TIME)
    except (pa.ArrowException, OSError) as error:
        raise Fault(f"source {path}", expected="rows in Arrow's or Parquet's form", actual=plain(str(error))[:200],
                    remedy="save the dataset again") from error


def _found(source: Path, files: list[Path], columns: Columns) -> Iterator[Found | Fault]:
    homepage = _homepage(source)
    for path in files:
        number = 0
        wanted = list(dict.fromkeys(filter(None, (columns.image, columns.name, columns.mask, columns.text,
                                                  *columns.facts))))
        for batch in _batches(path, wanted if path.suffix == ".parquet" else None):
            for row in batch.select(wanted).to_pylist():
                number += 1
                place = f"{path.name}:{number}"
                try:
                    yield _row(source, place, row, columns, homepage)
                except Fault as fault:
                    yield Fault(f"{place}: {fault.what}", expected=fault.expected, actual=fault.actual,
                                remedy=fault.remedy)


def _row(source: Path, place: str, row: dict[str, Any], columns: Columns, homepage: str) -> Found:
    def words(column: str) -> str:
        value, labels = row[column], columns.labels.get(column)
        if labels is not None and isinstance(value, int):
            value = labels[value] if 0 <= value < len(labels) else None
        return "" if value is None else plain(str(value))

    name = words(columns.name)
    if not name:
        raise _wrong(f"column {columns.name!r}", "a name", "none")
    value = row[columns.image]
    images = value if isinstance(value, list) else [value]
    mask = None if columns.mask is None or row[columns.mask] is None else _content(source, row[columns.mask])
    pictures = [Picture(_content(source, one), mask if len(images) == 1 else None) for one in images]
    facts = {column.replace("_", " "): words(column) for column in columns.facts}
    return Found(place, name, name.replace("_", " "), text="" if columns.text is None else words(columns.text),
                 source=homepage, facts=facts, pictures=pictures, joins=True)


def _content(source: Path, value: object) -> Path | bytes:
    """A picture as the Image feature keeps it: {"bytes", "path"}; one without bytes lies below the source."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, dict):
        raise _wrong("image", "a picture", repr(value)[:60])
    if isinstance(content := value.get("bytes"), bytes):
        return content
    return _inside(source, value.get("path"))


def _columns(source: Path, file: Path, image: str | None, name: str | None) -> Columns:
    """Choose the columns by the dataset's own description, or else by their types. Raises Fault."""
    import pyarrow as pa

    first = next(_batches(file), None)
    if first is None:
        raise Fault(f"source {file}", expected="at least one row", actual="none", remedy="check the source")
    features = _features(source, first.schema)
    pictures = [column for column in first.schema.names if _is_image(features.get(column), first.schema.field(column))]
    labels = {column: list(map(str, feature["names"])) for column, feature in features.items()
              if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
              and isinstance(feature.get("names"), list)}
    scalar = [field.name for field in first.schema if field.name not in pictures and (
        pa.types.is_string(field.type) or pa.types.is_large_string(field.type) or pa.types.is_integer(field.type)
        or pa.types.is_floating(field.type) or pa.types.is_boolean(field.type))]
    masks = [column for column in pictures if column.lower() in MASKS]
    shown = _chosen("image", image, [column for column in pictures if column not in masks], pictures, source)
    likely = [column for wanted in NAMES for column in scalar if column.lower() == wanted] or list(labels)
    named = _chosen("name", name, likely[:1], scalar, source)
    text = next((column for column in scalar if column.lower() in TEXTS and column != named), None)
    return Columns(shown, named, next((column for column in masks if column != shown), None), text,
                   tuple(column for column in scalar if column not in (named, text)), labels)


def _chosen(what: str, asked: str | None, likely: list[str], all_of_them: list[str], source: Path) -> str:
    choice = [asked] if asked is not None and asked in all_of_them else likely if asked is None else []
    if len(choice) != 1:
        raise Fault(f"source {source}", expected=f"one column with the {what}",
                    actual=f"{asked!r}" if asked is not None else f"{', '.join(likely) or 'none that is called so'}",
                    remedy=f"choose with --{what} one of {', '.join(all_of_them)[:300] or 'none'}")
    return choice[0]


def _is_image(feature: object, field: "pa.Field") -> bool:
    import pyarrow as pa

    if isinstance(feature, list) and feature:
        feature = feature[0]
    if isinstance(feature, dict):
        inner = feature.get("feature")
        return feature.get("_type") == "Image" or (isinstance(inner, dict) and inner.get("_type") == "Image")
    kind = field.type.value_type if pa.types.is_list(field.type) else field.type
    return bool(pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0)


def _features(source: Path, schema: "pa.Schema") -> Features:
    """The dataset's description of its columns: in the file itself, or beside it; empty where there is none."""
    own = (schema.metadata or {}).get(b"huggingface")
    try:
        described = json.loads(own).get("info", {}) if own else _info(source)
        features = described.get("features")
    except (ValueError, AttributeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _info(source: Path) -> dict[str, Any]:
    path = next((path for path in (source / "dataset_info.json", *sorted(source.glob("*/dataset_info.json")))
                 if path.is_file()), None)
    return {} if path is None else _json(path)


def _homepage(source: Path) -> str:
    info = _info(source)
    return next((plain(value) for key in ("homepage", "dataset_name") if isinstance(value := info.get(key), str)
                 and value.strip()), "")


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_INFO_BYTES:
            raise ValueError(f"over {MAX_INFO_BYTES} bytes")
        value = json.loads(path.read_bytes())
        if not isinstance(value, dict):
            raise ValueError("no object")
    except (ValueError, RecursionError) as error:
        raise Fault(f"file {path}", expected="a JSON object", actual=str(error),
                    remedy="save the dataset again") from error
    return value


def _listed(value: object, path: Path) -> list[Any]:
    if not isinstance(value, list):
        raise Fault(f"file {path}", expected="a list of data files or splits", actual=repr(value)[:60],
                    remedy="save the dataset again")
    return value


def _inside(folder: Path, name: object) -> Path:
    """A path below a folder, links followed. Raises Fault."""
    path = (folder / name).resolve() if isinstance(name, str) and name and "\0" not in name else folder
    if folder.resolve() not in path.parents:
        raise _wrong("path", f"a file inside {folder.name}", repr(name)[:60])
    return path


def _wrong(what: str, expected: str, actual: str) -> Fault:
    return Fault(what, expected=expected, actual=actual, remedy="mend the row, or pass --skip-bad")
