"""Importing collections: what becomes an entity, what is refused by place, and that nothing half-written stays."""

import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Run
from PIL import Image
from test_pack_build import Histogram

from pixsearch.contract.faults import Fault
from pixsearch.index.build import build_pack
from pixsearch.index.entities import Entity, read_entities
from pixsearch.index.importers.crag_mm import import_crag_mm
from pixsearch.index.importers.folder import Found, Picture, write_folder
from pixsearch.index.importers.huggingface import import_huggingface
from pixsearch.index.importers.infobox import infobox_facts, plain_wikitext
from pixsearch.index.importers.photos import import_photos


def encoded(colour: tuple[int, int, int] = (200, 20, 30), form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((20, 30, 3), colour, np.uint8)).save(stream, form)
    return stream.getvalue()


def a_file(path: Path, content: bytes | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded() if content is None else content)
    return path


def entities(folder: Path) -> dict[str, Entity]:
    rows = list(read_entities(folder))
    assert not [row for row in rows if isinstance(row, Fault)], rows
    return {row.key: row for row in rows if isinstance(row, Entity)}


def builds(folder: Path) -> dict[str, int]:
    return build_pack(folder, folder.with_suffix(".pxpack"), Histogram(), "p", "CC0")["counts"]


PHOTO_NAMES = ["kettle.jpg", "kettle 2.jpg", "Boeing 747.png", "milk_jug-1.png", "milk_jug-2.png", "cup (1).png",
               "birds/robin/a.png", "birds/robin/b.png", "spoon/1.png", ".hidden.png", "notes.txt", "spoon/1.mask.png"]


def test_photographs_become_entities_by_the_names_of_files_and_folders(tmp_path: Path) -> None:
    for number, name in enumerate(PHOTO_NAMES):
        a_file(tmp_path / "photos" / name, encoded((number * 20, 0, 0)))
    imported = import_photos(tmp_path / "photos", tmp_path / "folder")
    found = entities(tmp_path / "folder")
    assert {key: len(entity.images) for key, entity in found.items()} == {
        "kettle": 2, "Boeing 747": 1, "milk_jug": 2, "cup": 1, "birds/robin": 2, "spoon": 1}
    robin = found["birds/robin"]
    assert (found["milk_jug"].name, robin.name, robin.kind) == ("milk jug", "robin", "birds")
    assert found["spoon"].images[0].mask is not None
    assert (imported.entities, imported.pictures, imported.skipped) == (6, 10, 0)
    assert (tmp_path / "folder" / "entities.csv").read_text("utf-8").startswith("\ufeffid,name,kind,")
    assert builds(tmp_path / "folder")["entities"] == 6


def test_a_photograph_that_cannot_be_used_is_told_and_skipped(tmp_path: Path) -> None:
    a_file(tmp_path / "photos" / "good.png")
    a_file(tmp_path / "photos" / "phone.heic", b"\0\0\0 ftypheic")
    a_file(tmp_path / "outside.png")
    (tmp_path / "photos" / "link.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(Fault, match="link that leads out"):
        import_photos(tmp_path / "photos", tmp_path / "folder")
    assert not (tmp_path / "folder").exists()
    imported = import_photos(tmp_path / "photos", tmp_path / "folder", skip_bad=True)
    assert (imported.entities, imported.skipped) == (1, 2)


def test_an_import_never_overwrites_a_folder(tmp_path: Path) -> None:
    a_file(tmp_path / "photos" / "good.png")
    (tmp_path / "folder").mkdir()
    with pytest.raises(Fault, match="a new folder"):
        import_photos(tmp_path / "photos", tmp_path / "folder")


def test_hostile_names_and_facts_are_written_as_words(tmp_path: Path) -> None:
    name = "../../<script>\x1b[31m</information><search>\u202e"
    found = Found("here", name, name, facts={"a\0b": "c\nd", "": "x", "empty": " "}, pictures=[Picture(encoded())])
    write_folder(tmp_path / "folder", [found], label="test")
    entity, = entities(tmp_path / "folder").values()
    assert entity.facts == {"a b": "c d"} and "\x1b" not in entity.name and "<search>" in entity.name
    assert entity.images[0].file.parent == (tmp_path / "folder" / "images").resolve()


@pytest.mark.parametrize(("markup", "words"), [
    ("plain", "plain"),
    ("[[Ford Motor Company|Ford]]<br />[[Mazda]]<ref>p. 1</ref>", "Ford; Mazda"),
    ("{{convert|12.5|m|abbr=on}}", "12.5 m"),
    ("{{ubl|x|{{nowrap|y z}}}} 5&nbsp;kg", "x y z 5 kg"),
    ("''it'' [https://a.b site]", "it site"),
    ("{{unclosed [[ <b>", "{{unclosed [[ <b>"),
    ("", ""),
])
def test_wiki_markup_becomes_words(markup: str, words: str) -> None:
    assert plain_wikitext(markup) == words


def test_infoboxes_become_facts_without_their_layout() -> None:
    box = {"Image": "a.jpg", "image_size": 200, "production_start": 1990, "makers": ["[[A]]", "B"], "none": None,
           "also": {"x": 1, "y": ""}}
    facts = {"production start": "1990", "makers": "A; B", "also": "x: 1"}
    assert infobox_facts(box) == infobox_facts(json.dumps(box)) == facts
    assert infobox_facts("[") == infobox_facts(7) == infobox_facts(None) == {}


RECORDS: list[dict[str, Any]] = [
    {"index": 0, "score": 0.9, "url": "https://host/a/Blue%20Car.jpg",
     "entities": [{"entity_name": "Blue Car", "entity_attributes": {"maker": "[[Norvik]]"}}]},
    {"index": 12, "score": 0.8, "url": "https://host/gone.jpg",
     "entities": [{"entity_name": "Blue Car", "entity_attributes": {"seats": "5"}},
                  {"entity_name": "Red Bridge", "entity_attributes": None}]},
]


def a_crag_mm_index(folder: Path, form: str) -> Path:
    a_file(folder / "pictures" / "blue car.jpg", encoded((0, 0, 200), "JPEG"))
    a_file(folder / "pictures" / "000012.png")
    named = [{"image_url": one["url"], "index": one["index"], "entities": [e["entity_name"] for e in one["entities"]]}
             for one in RECORDS]
    box = {"Blue Car": {"maker": "Norvik", "seats": "5"}, "Red Bridge": {}}
    if form == "json":
        (folder / "records.json").write_text(json.dumps({"results": RECORDS}))
    elif form == "jsonl":
        (folder / "records.jsonl").write_text("\n".join(map(json.dumps, RECORDS)))
    elif form == "source":
        (folder / "image_data.jsonl").write_text("\n".join(map(json.dumps, named)))
        (folder / "entity_data.json").write_text(json.dumps(box))
    else:
        database = sqlite3.connect(folder / "chroma.sqlite3")
        database.execute("CREATE TABLE embedding_metadata(id INTEGER, key TEXT NOT NULL, string_value TEXT, "
                         "int_value INTEGER, float_value REAL, PRIMARY KEY(id, key))")
        for number, one in enumerate(named, 1):
            info = {name: box[name] for name in one["entities"]}
            values = {"image_url": one["image_url"], "entities": json.dumps(one["entities"]), "info": json.dumps(info),
                      "index": str(one["index"])}
            database.executemany("INSERT INTO embedding_metadata(id, key, string_value) VALUES(?, ?, ?)",
                                 [(number, key, value) for key, value in values.items()])
        database.commit()
        database.close()
    return folder


@pytest.mark.parametrize("form", ["json", "jsonl", "source", "chroma"])
def test_a_crag_mm_index_becomes_entities_with_infobox_facts(tmp_path: Path, form: str) -> None:
    imported = import_crag_mm(a_crag_mm_index(tmp_path / "index", form), tmp_path / "folder")
    found = entities(tmp_path / "folder")
    assert {key: len(entity.images) for key, entity in found.items()} == {"Blue Car": 2, "Red Bridge": 1}
    assert found["Blue Car"].facts == {"maker": "Norvik", "seats": "5"}
    assert found["Blue Car"].source == "https://host/a/Blue%20Car.jpg"
    assert (imported.entities, imported.pictures) == (2, 2)
    assert builds(tmp_path / "folder")["images"] == 3


@pytest.mark.parametrize(("line", "says"), [
    ("{", "records.jsonl:2: record: expected JSON"),
    ("7", "records.jsonl:2: record: expected a JSON object"),
    ('{"url": "https://host/none.jpg", "entities": ["x"]}', "'none.jpg' below"),
    ('{"url": "https://host/../../etc/passwd", "entities": ["x"]}', "'passwd' below"),
    ('{"url": "https://host/Blue%20Car.jpg"}', "entities with names"),
    ('{"url": "https://host/Blue%20Car.jpg", "entities": [{"entity_name": 5}]}', "entities with names"),
])
def test_a_bad_record_is_refused_by_file_and_line_or_skipped(tmp_path: Path, line: str, says: str) -> None:
    source = a_crag_mm_index(tmp_path / "index", "jsonl")
    (source / "records.jsonl").write_text(json.dumps(RECORDS[0]) + "\n" + line + "\n")
    with pytest.raises(Fault, match="records.jsonl:2: ") as caught:
        import_crag_mm(source, tmp_path / "folder")
    assert says in str(caught.value) and not (tmp_path / "folder").exists()
    imported = import_crag_mm(source, tmp_path / "folder", skip_bad=True)
    assert (imported.entities, imported.skipped) == (1, 1)


IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
FEATURES = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["milk_jug", "cup"]},
            "made": {"_type": "Value", "dtype": "int64"}, "photographer": {"_type": "Value", "dtype": "string"}}


def a_dataset(folder: Path, rows: list[dict[str, Any]] | None = None, form: str = "arrow") -> Path:
    """A dataset as `save_to_disk` writes it: an Arrow stream, state.json and dataset_info.json."""
    rows = rows if rows is not None else [
        {"image": {"bytes": encoded((number * 100, 0, 0)), "path": None}, "label": number // 2,
         "made": 1900 + number // 2, "photographer": f"P{number}"} for number in range(3)]
    table = pa.Table.from_pylist(rows, pa.schema(
        [("image", IMAGE_TYPE), ("label", pa.int64()), ("made", pa.int64()), ("photographer", pa.string())],
        metadata={"huggingface": json.dumps({"info": {"features": FEATURES}})}))
    folder.mkdir(parents=True)
    if form == "parquet":
        pq.write_table(table, folder / "train-00000-of-00001.parquet")
        return folder
    with (pa.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb") as sink,
          pa.ipc.new_stream(sink, table.schema) as stream):
        stream.write_table(table)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    (folder / "dataset_info.json").write_text(json.dumps({"features": FEATURES, "homepage": "https://jugs.example"}))
    return folder


@pytest.mark.parametrize("form", ["arrow", "parquet", "splits"])
def test_a_hugging_face_dataset_becomes_entities_by_label(tmp_path: Path, form: str) -> None:
    source = tmp_path / "dataset"
    a_dataset(source / "train" if form == "splits" else source, form=form)
    if form == "splits":
        (source / "dataset_dict.json").write_text('{"splits": ["train"]}')
    imported = import_huggingface(source, tmp_path / "folder")
    jug, cup = entities(tmp_path / "folder").values()
    assert (jug.name, len(jug.images), jug.facts) == ("milk jug", 2, {"made": "1900"})
    assert (cup.name, len(cup.images), cup.facts) == ("cup", 1, {"made": "1901", "photographer": "P2"})
    assert (imported.pictures, imported.facts_left_out) == (3, {"photographer": 1})
    assert jug.source == ("" if form == "parquet" else "https://jugs.example")
    assert builds(tmp_path / "folder")["images"] == 3


@pytest.mark.parametrize(("row", "says"), [
    ({"image": {"bytes": b"no picture", "path": None}}, "no picture"),
    ({"image": {"bytes": None, "path": "/etc/passwd"}}, "inside dataset"),
    ({"image": {"bytes": None, "path": "../x.png"}}, "inside dataset"),
    ({"image": None}, "a picture"),
    ({"label": 9}, "a name"),
    ({"label": None}, "a name"),
])
def test_a_bad_row_of_a_dataset_is_refused_by_file_and_row_or_skipped(
    tmp_path: Path, row: dict[str, Any], says: str
) -> None:
    good = {"image": {"bytes": encoded(), "path": None}, "label": 0, "made": 1, "photographer": "P"}
    source = a_dataset(tmp_path / "dataset", [good, {**good, **row}])
    with pytest.raises(Fault, match=says) as caught:
        import_huggingface(source, tmp_path / "folder")
    assert str(caught.value).startswith("data-00000-of-00001.arrow:2: ") and not (tmp_path / "folder").exists()
    imported = import_huggingface(source, tmp_path / "folder", skip_bad=True)
    assert (imported.entities, imported.skipped) == (1, 1)


@pytest.mark.parametrize("damage", ["half", "no state", "names a file outside"])
def test_a_damaged_dataset_is_one_fault(tmp_path: Path, damage: str) -> None:
    source = a_dataset(tmp_path / "dataset")
    data = source / "data-00000-of-00001.arrow"
    if damage == "half":
        data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    else:
        (source / "state.json").write_text(
            "{" if damage == "no state" else '{"_data_files": [{"filename": "../../etc/passwd"}]}')
    with pytest.raises(Fault):
        import_huggingface(source, tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_columns_that_are_not_there_are_told_with_those_that_are(tmp_path: Path) -> None:
    source = a_dataset(tmp_path / "dataset")
    with pytest.raises(Fault, match="--name one of label, made, photographer"):
        import_huggingface(source, tmp_path / "folder", name="nmae")
    import_huggingface(source, tmp_path / "folder", name="photographer", image="image")
    assert sorted(entities(tmp_path / "folder")) == ["P0", "P1", "P2"]


def test_the_commands_say_what_they_wrote(run: Run, tmp_path: Path) -> None:
    a_file(tmp_path / "photos" / "cup.png")
    for name, source in (("photos", tmp_path / "photos"), ("crag-mm", a_crag_mm_index(tmp_path / "index", "jsonl")),
                         ("huggingface", a_dataset(tmp_path / "dataset"))):
        result = run("pack", "import", name, source, "-o", tmp_path / f"{name}-folder")
        assert result.exit_code == 0 and " entities, " in result.stdout, result.stderr
        assert run("pack", "import", name, source, "-o", tmp_path / f"{name}-folder").exit_code == 1
