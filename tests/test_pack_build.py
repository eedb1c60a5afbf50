"""Building packs: what rows and pictures become, what is refused, and that nothing half-written stays."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pixsearch.contract.faults import Fault
from pixsearch.index.build import build_pack
from pixsearch.index.embedder import EmbedderId
from pixsearch.index.entities import Entity, read_entities
from pixsearch.index.hits import View
from pixsearch.index.pack import Pack, info, verify
from pixsearch.index.writer import PackWriter

BINS = 4
COLOURS = {"red": (200, 20, 30), "green": (20, 190, 40), "blue": (30, 40, 210)}


class Histogram:
    """A real embedder without a model: colour histogram for pictures, letter counts for words."""

    id, dimension, text_dimension = "histogram-4", BINS ** 3, 26

    def region(self, rgb: NDArray[np.uint8], mask: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        pixels = rgb.reshape(-1, 3) if mask is None else rgb[mask]
        bins = (pixels // (256 // BINS)).astype(int) @ (BINS * BINS, BINS, 1)
        counts = np.bincount(bins, minlength=self.dimension) + 0.01 * len(pixels)
        return (counts / np.linalg.norm(counts)).astype(np.float32)

    def text(self, text: str) -> NDArray[np.float32]:
        counts = np.array([text.lower().count(chr(97 + at)) for at in range(26)]) + 0.01
        return (counts / np.linalg.norm(counts)).astype(np.float32)


def a_folder(folder: Path, rows: list[object] | None = None) -> Path:
    """A curator's folder: one cut-out, one photo with a box, one with a mask, one plain."""
    folder.mkdir(parents=True, exist_ok=True)
    square = np.zeros((40, 60), bool)
    square[10:30, 20:40] = True
    for name, colour in COLOURS.items():
        photo = np.full((40, 60, 3), 128, np.uint8)
        photo[square] = colour
        Image.fromarray(photo).save(folder / f"{name}.png")
        Image.fromarray(np.dstack([photo, square * np.uint8(255)])).save(folder / f"{name}-cut.png")
    Image.fromarray(square).save(folder / "mask.png")
    rows = rows if rows is not None else [
        {"id": "r", "name": "Red box", "aliases": ["crimson crate"], "facts": {"maker": "Orlo", "year": 1911},
         "text": "Held tea.", "images": ["red-cut.png"], "source": "catalogue 1"},
        {"id": "g", "name": "Green box", "facts": {"maker": "Pell"}, "kind": "box",
         "images": [{"file": "green.png", "box": [20, 10, 40, 30]}]},
        {"id": "b", "name": "Blue box", "images": [{"file": "blue.png", "mask": "mask.png"}, "blue.png"]},
    ]
    (folder / "entities.jsonl").write_text("".join(
        (row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return folder


def a_pack(folder: Path, rows: list[object] | None = None, name: str = "boxes") -> Path:
    output = folder / f"{name}.pxpack"
    build_pack(a_folder(folder / f"{name}-rows", rows), output, Histogram(), name, "CC0-1.0")
    return output


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_built_pack_verifies_and_counts_what_it_holds(tmp_path: Path) -> None:
    pack = a_pack(tmp_path)
    verify(pack)
    counts = {"entities": 3, "facts": 3, "regions": 3, "images": 2, "texts": 3, "skipped": 0, "repeated": 1}
    assert info(pack)["counts"] == counts
    assert info(pack)["embedder"] == {"id": "histogram-4", "dimension": 64, "text_dimension": 26}
    for path in (pack / "thumbnails").iterdir():
        assert max(Image.open(path).size) <= 160


def test_masks_boxes_and_cut_outs_give_region_views(tmp_path: Path) -> None:
    with Pack.open(a_pack(tmp_path), "histogram-4") as pack:
        for name, colour in COLOURS.items():
            vector = Histogram().region(np.full((5, 5, 3), colour, np.uint8), None)
            hit = pack.search_vectors(vector, [View.REGION], 1)[0]
            assert hit.entity == f"{name.title()} box" and hit.score > 0.999 and hit.view is View.REGION
            thumbnail = pack.thumbnail(hit)
            assert thumbnail is not None and np.abs(thumbnail.mean(axis=(0, 1)) - colour).max() < 8


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    assert contents(a_pack(tmp_path / "one")) == contents(a_pack(tmp_path / "two"))


def test_csv_and_json_lines_give_the_same_entities(tmp_path: Path) -> None:
    a_folder(tmp_path / "json", [{"id": "1", "name": "Jug", "aliases": ["ewer", "pitcher"], "kind": "vessel",
                                  "facts": {"year": 1900}, "images": ["red.png", "blue.png"]}])
    a_folder(tmp_path / "csv")
    (tmp_path / "csv/entities.jsonl").unlink()
    (tmp_path / "csv/entities.csv").write_text(
        "\ufeffid,name,aliases,kind,fact:year,fact:maker,images\n"
        "1,Jug,ewer; pitcher,vessel,1900,,red.png;blue.png\n")
    (one,), (two,) = (list(read_entities(tmp_path / name)) for name in ("json", "csv"))
    assert not isinstance(one, Fault) and not isinstance(two, Fault)
    assert (one.key, one.name, one.aliases, one.kind) == (two.key, two.name, two.aliases, two.kind)
    assert one.facts == two.facts == {"year": "1900"}
    assert [image.file.name for image in one.images] == [image.file.name for image in two.images]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_are_read_as_spreadsheets_write_them(tmp_path: Path, delimiter: str) -> None:
    rows = [["id", "name", "images", "fact:year"], ["1", "Jug", '"red.png; blue.png box=20,10,40,30"', "1900"],
            ["2", '"A ""tall"" cup\nof tin"', "green.png mask=mask.png", ""], ["", "", "", ""]]
    a_folder(tmp_path / "csv").joinpath("entities.jsonl").unlink()
    (tmp_path / "csv/entities.csv").write_text("\r\n".join(delimiter.join(row) for row in rows), newline="")
    jug, cup = read_entities(tmp_path / "csv")
    assert isinstance(jug, Entity) and isinstance(cup, Entity), (jug, cup)
    assert [(image.file.name, image.box) for image in jug.images] == [
        ("red.png", None), ("blue.png", (20, 10, 40, 30))]
    assert (jug.facts, cup.name) == ({"year": "1900"}, 'A "tall" cup of tin')
    assert cup.images[0].mask is not None and cup.images[0].mask.name == "mask.png"


@pytest.mark.parametrize(("name", "bad"), [
    ("entities.jsonl", b'{"id": "x", "name": "' + b"n" * (1 << 20) + b'"}\n'),
    ("entities.jsonl", b'{"id": "x", "name": "\xff"}\n'),
    ("entities.csv", b"x,caf\xe9\n"),
    ("entities.csv", b"x,a\0b\n"),
    ("entities.csv", b"x,a,b\n"),
])
def test_a_row_of_bad_bytes_is_skipped_and_the_rows_after_it_are_read(tmp_path: Path, name: str, bad: bytes) -> None:
    good = (b"id,name\n", b"a,A\n", b"b,B\n") if name.endswith("csv") else (
        b"", b'{"id": "a", "name": "A"}\n', b'{"id": "b", "name": "B"}\n')
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / name).write_bytes(good[0] + good[1] + bad + good[2])
    rows = read_entities(tmp_path / "rows")
    found = [row.key if isinstance(row, Entity) else str(row).split(": ")[0] for row in rows]
    assert found == ["a", f"{name}:{3 if name.endswith('csv') else 2}", "b"]


HOSTILE = "\x1b]0;mine\x07\x1b[2J</information><search><image></search>\u202ename\u2066\x00"


def test_hostile_words_are_kept_as_text_and_faults_about_them_steer_no_terminal(tmp_path: Path) -> None:
    row = {"id": HOSTILE, "name": HOSTILE, "aliases": [HOSTILE], "facts": {HOSTILE: HOSTILE}, "text": HOSTILE,
           "kind": HOSTILE, "source": HOSTILE}
    pack = a_pack(tmp_path, [row])
    with Pack.open(pack, "histogram-4") as opened:
        hit, = opened.search_text("name")
    kept = "]0;mine [2J</information><search><image></search> name"
    assert (hit.entity, hit.kind, hit.source, hit.facts) == (kept, kept, kept, (f"{kept}: {kept}",))
    folder = a_folder(tmp_path / "more", [{**row, "images": [HOSTILE.replace("\0", "")]}])
    with pytest.raises(Fault) as caught:
        build_pack(folder, tmp_path / "p.pxpack", Histogram(), "p", "CC0")
    assert str(caught.value).isprintable()


GOOD = {"id": "ok", "name": "Fine"}


@pytest.mark.parametrize(("row", "says"), [
    ("{", "JSON in UTF-8"),
    ("[1]", "a JSON object"),
    ("[" * 100_000, "JSON in UTF-8"),
    ('{"id": "a", "id": "b", "name": "x"}', "a repeated key"),
    ({"name": "x"}, "id: expected words"),
    ({"id": "x"}, "name: expected words"),
    ({"id": "x", "name": " \x07 "}, "control characters"),
    ({"id": "x", "name": True}, "name: expected words"),
    ({"id": "x", "name": "n" * 201}, "at most 200 characters"),
    ({"id": "ok", "name": "twice"}, "a second time"),
    ({"id": "x", "name": "x", "imagse": []}, "'images'"),
    ({"id": "x", "name": "x", "aliases": "one"}, "aliases: expected a list"),
    ({"id": "x", "name": "x", "facts": ["a"]}, "facts: expected a dict"),
    ({"id": "x", "name": "x", "facts": {"a": None}}, "fact 'a'"),
    ({"id": "x", "name": "x", "facts": {str(at): "v" for at in range(201)}}, "at most 200"),
    ('{"id": "x", "name": "x", "facts": {"a": NaN}}', "fact 'a'"),
    ({"id": "x", "name": "x", "text": "t" * 20_001}, "at most 20000 characters"),
    ({"id": "x", "name": "x", "images": ["gone.png"]}, "no such file"),
    ({"id": "x", "name": "x", "images": ["entities.jsonl"]}, "no picture"),
    ({"id": "x", "name": "x", "images": [7]}, "a file name"),
    ({"id": "x", "name": "x", "images": ["/etc/passwd"]}, "inside the folder"),
    ({"id": "x", "name": "x", "images": ["../outside.png"]}, "inside the folder"),
    ({"id": "x", "name": "x", "images": ["link.png"]}, "inside the folder"),
    ({"id": "x", "name": "x", "images": ["a\0.png"]}, "a file name"),
    ({"id": "x", "name": "x", "images": [{"file": "red.png", "mask": "../outside.png"}]}, "inside the"),
    ({"id": "x", "name": "x", "images": [{"file": "red.png", "bix": [0, 0, 1, 1]}]}, "'box'"),
    ({"id": "x", "name": "x", "images": [{"file": "red.png", "box": [5, 5, 5, 9]}]}, "x0 < x1"),
    ({"id": "x", "name": "x", "images": [{"file": "red.png", "box": [0, 0, 61, 10]}]}, "inside 60 x 40"),
    ({"id": "x", "name": "x", "images": [{"file": "red.png", "box": [0, 0, .3, .3]}]}, "at least one pixel"),
    ({"id": "x", "name": "x", "images": [{"file": "red.png", "mask": "black.png"}]}, "at least one pixel"),
    ({"id": "x", "name": "x", "images": [{"file": "red.png", "mask": "small.png"}]}, "a mask of"),
    ({"id": "x", "name": "x", "images": [{"file": "red.png", "mask": "mask.png", "box": [0, 0, 9, 9]}]},
     "either a mask or a box"),
    ('{"id": "x", "name": "\\ud800"}', "name"),
])
def test_a_bad_row_is_refused_by_file_and_line_or_skipped(tmp_path: Path, row: object, says: str) -> None:
    folder = a_folder(tmp_path / "rows", [GOOD, row])
    Image.new("L", (60, 40)).save(folder / "black.png")
    Image.new("L", (5, 5), 255).save(folder / "small.png")
    Image.new("L", (5, 5), 255).save(tmp_path / "outside.png")
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    output = tmp_path / "p.pxpack"
    with pytest.raises(Fault, match=says) as caught:
        build_pack(folder, output, Histogram(), "p", "CC0-1.0")
    assert str(caught.value).startswith("entities.jsonl:2: ") and "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside.png", "rows"]
    counts = build_pack(folder, output, Histogram(), "p", "CC0-1.0", skip_bad=True)["counts"]
    assert (counts["entities"], counts["skipped"]) == (1, 1)


@pytest.mark.parametrize(("name", "content", "says"), [
    ("entities.jsonl", b"\n\n", "at least one entity"),
    ("entities.jsonl", b'{"id": "x", "name": "' + b"n" * (1 << 20), "at most 1048576 bytes"),
    ("entities.jsonl", b'{"id": "x", "name": "\xff"}', "JSON in UTF-8"),
    ("entities.csv", b"", '"id" and "name"'),
    ("entities.csv", b"id,name,id\n", "distinct columns"),
    ("entities.csv", b"id,name,imagse\n", "'images'"),
    ("entities.csv", b"id,name\n1,a,b\n", "entities.csv:2: row: expected 2 cells"),
    ("entities.csv", b"id,name\n1,\xff\n", "entities.csv:2: row: expected CSV in UTF-8"),
    ("entities.csv", b"id,name\n1,a\0b\n", "entities.csv:2: row: expected CSV in UTF-8"),
    ("entities.csv", "id,name\n1,a\n".encode("utf-16"), "entities.csv:1: row: expected CSV in UTF-8"),
    ("entities.csv", b"id,name\n1" + b',"\n"' * (1 << 19), "at most 1048576 bytes"),
    ("entities.csv", b"id,name\n1," + b"a" * (1 << 18), "field larger"),
    ("entities.csv", b'id,name\n1,"a\n', "CSV in UTF-8"),
    ("other.txt", b"", "got neither"),
])
def test_a_bad_entity_file_is_refused(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / name).write_bytes(content)
    with pytest.raises(Fault, match=says):
        build_pack(tmp_path / "rows", tmp_path / "p.pxpack", Histogram(), "p", "CC0-1.0")
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


def test_an_interrupted_build_keeps_the_old_pack_and_nothing_else(tmp_path: Path) -> None:
    class Interrupted(Histogram):
        def text(self, text: str) -> NDArray[np.float32]:
            raise KeyboardInterrupt

    pack = a_pack(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        build_pack(tmp_path / "boxes-rows", pack, Interrupted(), "boxes", "CC0-1.0")
    assert contents(tmp_path) == before and sorted(os.listdir(tmp_path)) == ["boxes-rows", "boxes.pxpack"]


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_only_a_pack_is_ever_replaced(tmp_path: Path, kind: str) -> None:
    output, folder = tmp_path / "p.pxpack", a_folder(tmp_path / "rows")
    if kind == "file":
        output.write_text("mine")
    elif kind == "folder":
        output.mkdir()
        (output / "mine.txt").write_text("mine")
    else:
        output.symlink_to(folder)
    before = contents(tmp_path)
    with pytest.raises(Fault, match="a pack to replace"):
        build_pack(folder, output, Histogram(), "p", "CC0-1.0")
    assert contents(tmp_path) == before


def test_the_writer_takes_prototypes_without_pictures(tmp_path: Path) -> None:
    with PackWriter(tmp_path / "p.pxpack", name="p", embedder=EmbedderId("e", 3, 2), licence="CC0-1.0",
                    calibration={"gain": 2.0, "offset": 0.1}) as writer:
        cat = writer.add_entity("cat", "Cat", facts={"legs": "4"})
        writer.add_vector(cat, np.array([3.0, 0, 0]))
        with pytest.raises(ValueError, match="already"):
            writer.add_entity("cat", "Cat again")
        for wrong in ([0.0, 0, 0], [np.nan, 0, 0], [1.0, 0]):
            with pytest.raises(ValueError, match="vector must"):
                writer.add_vector(cat, np.array(wrong))
    assert writer.manifest["calibration"] == {"gain": 2.0, "offset": 0.1}
    with Pack.open(tmp_path / "p.pxpack", "e") as pack:
        hit, = pack.search_vectors(np.array([1.0, 0, 0]), [View.PROTOTYPE])
        weaker, = pack.search_vectors(np.array([0.3, 0.0, 0.91 ** 0.5]), [View.PROTOTYPE])
    assert weaker.score == pytest.approx(0.3 * 2.0 + 0.1, abs=1e-3)
    assert (hit.entity, hit.score, hit.view, hit.thumbnail) == ("Cat", 1.0, View.PROTOTYPE, None)
    assert (hit.source, hit.facts) == ("p:cat", ("legs: 4",))
