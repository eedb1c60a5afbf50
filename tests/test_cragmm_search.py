"""CRAG-MM's search interface: our packs through it, our assistant over it, and its indices as packs of ours."""

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import Run
from cragmm_builders import png
from edge_builders import GREEN, RED, TEXT_SCRIPT, a_bundle, a_frame
from PIL import Image

from pixsearch.apps.cragmm.agent import PixSearchAgent
from pixsearch.apps.cragmm.importer import import_index, main, read_index
from pixsearch.apps.cragmm.search import PackSearch, PipelineAssistant, attributes, hits_of, passages, readable
from pixsearch.apps.directed import Planned
from pixsearch.contract.faults import Fault
from pixsearch.contract.grammar import Modality
from pixsearch.edge.assistant import Assistant
from pixsearch.index.search import Library

PAGE = {"index": "https://example.org/owls_chunk_2", "score": 0.57, "page_name": "Owls", "page_url": "https://e.org/o",
        "page_snippet": "Owls hunt at night. They turn their heads by 270 degrees."}


class Recorded:
    """A pipeline that notes what it is asked: the size of pictures, or words."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def __call__(self, query, k: int):
        self.asked.append(query if isinstance(query, str) else query.size)
        if isinstance(query, str):
            return [PAGE]
        return [{"index": 7, "score": 0.9, "url": "https://e.org/owl.jpg", "entities": [
            {"entity_name": "Snowy owl", "entity_attributes": {"status": "[[IUCN|least concern]]", "x": "{{a}}"}}]}]


def test_packs_answer_like_the_pipeline(red_assistant: Assistant) -> None:
    search = PackSearch(red_assistant.bundle, red_assistant.library)
    words = search("owl", k=1)
    assert [set(one) for one in words] == [{"index", "score", "page_name", "page_snippet", "page_url"}]
    assert words[0]["page_name"] == "owl" and "colour: red" in words[0]["page_snippet"]
    assert hits_of(words[0])[0].entity == "owl"
    for picture in (Image.fromarray(a_frame()), a_frame()):
        assert isinstance(search(picture, k=2), list)


def test_region_searches_send_the_cut_out_and_image_searches_the_frame(red_assistant: Assistant) -> None:
    pipeline = Recorded()
    assistant = PipelineAssistant(red_assistant, pipeline)
    answer = assistant.ask(a_frame(), "What is this?")
    (record,) = answer.searches
    assert record.modality is Modality.REGION and record.hits[0].entity == "Snowy owl" and record.mask
    width, height = pipeline.asked[0]
    assert 60 <= width <= 80 and 60 <= height <= 80  # the red box of 60 x 60 and a margin
    assert "status: least concern" in record.evidence and "{{" not in record.evidence
    Planned(assistant, (Modality.IMAGE,)).ask(a_frame(), "What is this?")
    assert pipeline.asked[1:] == [(300, 200)]
    assert assistant.library.has_name("snowy owl") and not assistant.library.has_name("leaf owl")


def test_text_searches_send_the_model_s_words(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "bundle", TEXT_SCRIPT)
    pipeline = Recorded()
    own = PixSearchAgent(pipeline, bundle=bundle)
    own.batch_generate_response(["What do owls do?"], [Image.fromarray(a_frame())], [[]])
    assert pipeline.asked == ["bal"]
    assert "Owls hunt at night." in own.answers[0].searches[0].evidence


@pytest.mark.parametrize(("given", "words"), [
    ("8 Spruce Street<br />(New York by Gehry)", "8 Spruce Street (New York by Gehry)"),
    ("[[Mixed-use development|Mixed-use]], [[Manhattan]]", "Mixed-use, Manhattan"),
    ("{{coord|40|{{a|b}}|N}}", ""), ("'''bold''' <ref name=x>note</ref>text", "bold text"), (None, ""), (76, "76")])
def test_markup_of_a_wiki_is_left_out(given: object, words: str) -> None:
    assert readable(given) == words


def test_facts_are_bounded_and_pages_are_cut_where_sentences_end() -> None:
    assert len(attributes({f"a{n}": "x" * 9000 for n in range(500)})) == 40
    pieces = passages("Owls hunt at night. " + "word " * 400 + "Owls hunt at night.")
    assert pieces["text 1"] == "Owls hunt at night." and all(len(piece) <= 80 for piece in pieces.values())
    assert len(set(pieces.values())) == len(pieces) <= 40
    assert hits_of({"index": 1, "score": None, "url": None, "entities": [{"entity_name": ""}]}) == []


def write_chroma(folder: Path, rows: list[dict[str, str]]) -> Path:
    """A Chroma folder as far as metadata goes."""
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / "chroma.sqlite3") as database:
        database.execute("CREATE TABLE embedding_metadata (id INTEGER, key TEXT NOT NULL, string_value TEXT, "
                         "int_value INTEGER, float_value REAL, bool_value INTEGER, PRIMARY KEY (id, key))")
        database.executemany("INSERT INTO embedding_metadata (id, key, string_value) VALUES (?, ?, ?)",
                             [(number, key, value) for number, row in enumerate(rows) for key, value in row.items()])
    database.close()
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "the owl.png").write_bytes(png(RED))
    (folder / "leaf.png").write_bytes(png(GREEN))
    return folder


OWL = {"image_url": "https://e.org/a/the%20owl.png", "entities": '["Snowy owl"]',
       "info": json.dumps({"Snowy owl": {"status": "[[least concern]]"}})}
LEAF = {"image_url": "https://e.org/leaf.png", "entities": '["Leaf"]', "info": json.dumps({"Leaf": None})}
GONE = {"image_url": "https://e.org/gone.png", "entities": '["Leaf"]', "info": json.dumps({"Leaf": {}})}
WEB = {key: str(value) for key, value in PAGE.items() if key not in ("index", "score")}


def test_an_image_index_becomes_a_pack_that_is_searched(tmp_path: Path, images: Path, run: Run) -> None:
    index = write_chroma(tmp_path / "index", [OWL, LEAF, GONE, WEB, {**WEB, "page_snippet": "A second chunk."}])
    counts = import_index(index, tmp_path / "folder", images)
    assert counts == {"entities": 3, "pictures": 2, "missing": 1}
    built = run("pack", "build", tmp_path / "folder", "-o", tmp_path / "kg.pxpack", "--licence", "CC-BY-NC-4.0")
    assert built.exit_code == 0, built.output
    found = json.loads(run("pack", "search", tmp_path / "kg.pxpack", "--text", "snowy owl status", "--json").stdout)
    assert found[0]["entity"] == "Snowy owl" and found[0]["facts"] == ["status: least concern"]
    seen = json.loads(run("pack", "search", tmp_path / "kg.pxpack", "--image", images / "leaf.png", "--json").stdout)
    assert seen[0]["entity"] == "Leaf"


def test_the_files_that_an_index_is_made_from_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "image_data.jsonl").write_text(json.dumps({"image_url": OWL["image_url"], "entities": ["Snowy owl"]}))
    (tmp_path / "entity_data.json").write_text(json.dumps({"Snowy owl": {"status": "rare"}}))
    (thing,) = read_index(tmp_path).values()
    assert thing.name == "Snowy owl" and thing.facts == {"status": "rare"} and thing.pictures == [OWL["image_url"]]


def test_pages_of_several_chunks_are_one_entity(tmp_path: Path) -> None:
    index = write_chroma(tmp_path / "web", [WEB, {**WEB, "page_snippet": "A second chunk."}])
    (page,) = read_index(index).values()
    assert "A second chunk." in page.facts.values() or "Owls hunt at night." in page.facts.values()
    assert set(page.facts.values()) >= {"A second chunk.", "Owls hunt at night."}


@pytest.mark.parametrize("content", [b"no database", b""])
def test_an_index_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "chroma.sqlite3").write_bytes(content)
    ended = CliRunner().invoke(main, [str(tmp_path), "-o", str(tmp_path / "out")])
    assert ended.exit_code == 1 and "docs/crag-mm.md" in ended.stderr and not (tmp_path / "out").exists()
    with pytest.raises(Fault, match="neither"):
        read_index(tmp_path / "nowhere")


def test_a_library_without_packs_can_stand_behind_a_pipeline(red_bundle: Path) -> None:
    from pixsearch.edge.bundle import Bundle

    bare = Assistant(Bundle.load(red_bundle, threads=1), Library([]))
    answer = PipelineAssistant(bare, Recorded()).ask(np.ascontiguousarray(a_frame()), "What is this?")
    assert answer.searches[0].hits[0].source == "https://e.org/owl.jpg"
