"""The report page: what it points at, what it leaves in peace, and that it stands alone."""

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run, colour_pack
from PIL import Image
from test_pack_build import Histogram, a_folder, contents

from pixsearch.apps.pack_report import SHEET, report_of, report_while_building
from pixsearch.index import look_alikes
from pixsearch.index.build import build_pack
from pixsearch.index.look_alikes import MAX_QUERIES, resemblance
from pixsearch.index.odd_facts import Check, odd_facts
from pixsearch.index.pack import Pack, verify
from pixsearch.index.schema import DEFAULT_PRECISION, from_blobs, open_database

MANY = 12


def table(**changed: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of a table with nothing to look at again, but for the facts of entities that are changed by their key."""
    rows = []
    for number in range(MANY):
        facts = {"maker": ("Norvik", "Pellworks")[number % 2], "height": f"{10 + 3 * number} cm",
                 "year": str(1911 + 5 * number), "number": f"A-{100 + number}", "use": f"holds thing {number}"}
        key = f"e{number}"
        facts |= changed.get(key, {})
        rows.append({"id": key, "name": f"Jug {number}", "facts": {k: v for k, v in facts.items() if v is not None}})
    return rows


def findings(tmp_path: Path, rows: list[dict[str, Any]]) -> dict[Check, set[tuple[str, str]]]:
    """Keys and attributes that each check points at."""
    build_pack(a_folder(tmp_path / "rows", list(rows)), tmp_path / "p.pxpack", Histogram(), "p", "CC0-1.0")
    database = open_database(tmp_path / "p.pxpack" / "knowledge.sqlite")
    keys = dict(database.execute("SELECT id, key FROM entities"))
    found = odd_facts(database)
    database.close()
    return {check: {(keys[one.entity], one.attribute) for one in ones} for check, ones in found.items()}


def test_a_sound_table_has_nothing_to_look_at_again(tmp_path: Path) -> None:
    assert findings(tmp_path, table()) == {}


@pytest.mark.parametrize(("facts", "check", "attribute"), [
    ({"height": "2100 cm"}, Check.OUT_OF_LINE, "height"),
    ({"height": "0.2 cm"}, Check.OUT_OF_LINE, "height"),
    ({"year": "19877"}, Check.OUT_OF_LINE, "year"),
    ({"year": "1091"}, Check.OUT_OF_LINE, "year"),
    ({"height": "7 in"}, Check.ODD_UNIT, "height"),
    ({"height": "12"}, Check.ODD_UNIT, "height"),
    ({"height": "tall"}, Check.NO_NUMBER, "height"),
    ({"maker": "Norvick"}, Check.SPELLING, "maker"),
    ({"maker": "NORVIK"}, Check.SPELLING, "maker"),
    ({"maker": "n/a"}, Check.SAYS_NOTHING, "maker"),
    ({"maker": "?"}, Check.SAYS_NOTHING, "maker"),
    ({"use": "<b>tea</b>"}, Check.MARKUP, "use"),
    ({"use": "caf\u00c3\u00a9"}, Check.MARKUP, "use"),
    ({"use": "tea &amp; milk"}, Check.MARKUP, "use"),
    ({"number": "A-100"}, Check.SAME_VALUE, "number"),
    ({"use": "word " * 60}, Check.LONG, "use"),
    ({"maker": None}, Check.MISSING, "maker"),
    ({"maker": None, "Makr": "Norvik"}, Check.ATTRIBUTE_SPELLING, "Makr"),
    ({"colour": "red"}, Check.ONE_OFF, "colour"),
    ({"maker": None, "height": None, "year": None, "number": None, "use": None}, Check.NO_FACTS, ""),
])
def test_a_fact_unlike_the_others_is_pointed_at(
    tmp_path: Path, facts: dict[str, Any], check: Check, attribute: str
) -> None:
    found = findings(tmp_path, table(e5=facts))
    assert ("e5", attribute) in found[check]
    assert {key for ones in found.values() for key, _ in ones} <= {"e5", "e0"}


def test_entities_of_one_name_or_of_the_same_facts_are_pointed_at(tmp_path: Path) -> None:
    rows = table()
    rows[3]["name"], rows[7]["facts"] = "JUG 4", dict(rows[8]["facts"])
    found = findings(tmp_path, rows)
    assert found[Check.SAME_NAME] == {("e3", ""), ("e4", "")} and found[Check.SAME_FACTS] == {("e7", ""), ("e8", "")}


@pytest.mark.parametrize("value", ["1,250 kg", "1'250 kg", "1 250 kg", "about 1250 kg", "1250kg"])
def test_numbers_are_read_however_they_are_written(tmp_path: Path, value: str) -> None:
    rows = [{"id": f"e{at}", "name": f"{at}", "facts": {"mass": f"{1200 + 7 * at} kg"}} for at in range(MANY)]
    rows[4]["facts"] = {"mass": value}
    assert findings(tmp_path, rows) == {}


def a_reported_pack(tmp_path: Path) -> Path:
    """Two that look the same, one that does not, one without a picture, a bad row; hostile words."""
    rows: list[object] = [
        {"id": "r", "name": "<script>alert(1)</script>", "facts": {"<b>": "</style><search>"}, "images": ["red.png"]},
        {"id": "r2", "name": "Red twin", "images": ["red.png", "red.png"]},
        {"id": "b", "name": "Blue", "images": [{"file": "blue.png", "mask": "mask.png"}]},
        {"id": "w", "name": "Words alone"}, {"id": "bad"}]
    output = tmp_path / "p.pxpack"
    build_pack(a_folder(tmp_path / "rows", rows), output, Histogram(), "p", "unspecified", skip_bad=True,
               report=report_while_building)
    return output


class Page(HTMLParser):
    """Tags, addresses and words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_pack_carries_a_page_that_stands_alone_and_is_hashed(tmp_path: Path) -> None:
    pack = a_reported_pack(tmp_path)
    verify(pack)
    page = Page((pack / "report.html").read_text("utf-8"))
    assert not page.tags & {"script", "link", "iframe", "object", "search"}
    assert all(address.startswith(("data:image/webp;base64,", "#")) for address in page.addresses)
    assert "<script>alert(1)</script>" in page.words and str(tmp_path) not in page.words
    (pack / "report.html").write_text("another")
    with pytest.raises(Exception, match=r"report\.html"):
        verify(pack)


def test_the_page_says_what_to_look_at(tmp_path: Path) -> None:
    words = " ".join(Page((a_reported_pack(tmp_path) / "report.html").read_text("utf-8")).words.split())
    assert "No licence is given" in words
    assert "1 row left out" in words and "entities.jsonl:5: name: expected words" in words
    assert "of entities look so much alike" in words and words.count("Red twin") > 1
    assert "2 entities of which nothing was cut out" in words
    assert "1 entity without a picture" in words and "Words alone" in words
    assert "1 view dropped that repeated another" in words


def test_the_same_folder_gives_the_same_page(tmp_path: Path) -> None:
    assert contents(a_reported_pack(tmp_path / "a")) == contents(a_reported_pack(tmp_path / "b"))


def test_the_command_writes_the_page_of_any_pack_beside_it(run: Run, red_bundle: Path, tmp_path: Path) -> None:
    pack = colour_pack(tmp_path / "colours.pxpack", red_bundle)
    result = run("pack", "report", pack)
    assert result.stdout.strip() == str(tmp_path / "colours.report.html")
    page = Page((tmp_path / "colours.report.html").read_text("utf-8"))
    assert "owl" in page.words and "leaf" in page.words and len(page.addresses) >= 2
    (pack / "knowledge.sqlite").write_bytes(b"")
    assert run("pack", "report", pack).exit_code == 1


def test_build_writes_the_page_and_reports_what_was_cut_out(run: Run, photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "things"
    folder.mkdir()
    shutil.copy(photo, folder / "box.png")
    (folder / "entities.jsonl").write_text('{"id": "box", "name": "red box", "images": ["box.png"]}\n')
    assert run("pack", "build", folder, "-o", tmp_path / "p.pxpack").exit_code == 0
    assert "red box" in (tmp_path / "p.pxpack" / "report.html").read_text("utf-8")


def test_a_large_pack_has_a_page_of_bounded_size(tmp_path: Path) -> None:
    rows = [json.dumps({"id": str(at), "name": f"n{at}", "facts": {"a" * 190: "v" * 1900}}) for at in range(SHEET + 50)]
    output = tmp_path / "p.pxpack"
    build_pack(a_folder(tmp_path / "rows", list(rows)), output, Histogram(), "p", "CC0", report=report_while_building)
    page = (output / "report.html").read_text("utf-8")
    assert f"The first {SHEET} of {SHEET + 50} entities" in page and len(page) < 1_000_000


def test_views_find_their_own_entity_or_another(tmp_path: Path) -> None:
    """Three entities of two pictures; the second picture of one shows what another is."""
    folder = tmp_path / "rows"
    folder.mkdir()
    colours = {"red": [(250, 0, 0), (200, 0, 0)], "green": [(0, 250, 0), (0, 200, 0)],
               "odd": [(0, 0, 250), (0, 250, 60)]}
    rows = []
    for name, shades in colours.items():
        for number, shade in enumerate(shades):
            picture = np.full((40, 40, 3), shade, np.uint8)
            picture[:20 - 10 * number] = 128
            Image.fromarray(picture).save(folder / f"{name}{number}.png")
        rows.append({"id": name, "name": name, "images": [f"{name}0.png", f"{name}1.png"]})
    (folder / "entities.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build_pack(folder, tmp_path / "p.pxpack", Histogram(), "p", "CC0")
    database = open_database(tmp_path / "p.pxpack" / "knowledge.sqlite")
    found = resemblance(database, lambda blobs: from_blobs(blobs, 64, DEFAULT_PRECISION), 5)
    keys = dict(database.execute("SELECT id, key FROM entities"))
    database.close()
    first = found.pairs[0]
    assert {keys[first.entity], keys[first.other_entity]} == {"green", "odd"} and first.cosine > 0.9
    assert (found.compared, found.told_apart) == (6, 6) and found.recognised < 6
    with Pack.open(tmp_path / "p.pxpack", "histogram-4") as pack:
        assert len(pack.search_vectors(np.ones(64))) == 3
    assert found.compared <= MAX_QUERIES


def test_of_a_large_pack_a_sample_of_views_is_compared_with_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids of region and image views alternate: none of a kind must fall through the sample."""
    monkeypatch.setattr(look_alikes, "MAX_QUERIES", 3)
    monkeypatch.setattr(look_alikes, "ROWS_AT_A_TIME", 2)
    rows: list[object] = [{"id": str(at), "name": str(at), "images": [{"file": f"{colour}.png", "mask": "mask.png"}]}
                          for at, colour in enumerate(["red", "green", "blue", "red", "green", "blue"])]
    build_pack(a_folder(tmp_path / "rows", rows), tmp_path / "p.pxpack", Histogram(), "p", "CC0")
    database = open_database(tmp_path / "p.pxpack" / "knowledge.sqlite")
    found = resemblance(database, lambda blobs: from_blobs(blobs, 64, DEFAULT_PRECISION), 9)
    database.close()
    assert found.compared == 6 and {(pair.entity - pair.other_entity) % 3 for pair in found.pairs[:3]} == {0}


def test_an_unchanged_page_is_made_from_a_finished_pack_too(tmp_path: Path) -> None:
    """But for which rows were left out and which views, which only the build knows."""
    pack = a_reported_pack(tmp_path)
    page = Page(report_of(pack))
    assert "1 row left out" in " ".join(page.words.split()) and "1 view dropped" in " ".join(page.words.split())
