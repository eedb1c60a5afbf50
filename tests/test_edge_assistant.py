"""From a frame and a question to an answer with its sources, on real graphs that see red."""

import json
from pathlib import Path

import numpy as np
import pytest
from edge_builders import (
    CALIBRATION,
    GREEN,
    IMAGE_SCRIPT,
    NAMED_SCRIPT,
    PLAIN_SCRIPT,
    RED,
    REGION_SCRIPT,
    TEXT_SCRIPT,
    a_bundle,
    a_frame,
)

from pixsearch.contract.faults import Fault
from pixsearch.contract.grammar import Modality, Search, parse
from pixsearch.contract.masks import decode_mask
from pixsearch.edge import retrieval
from pixsearch.edge.assistant import Assistant, open_assistant, spoken
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.edge.tracking import RegionTracker
from pixsearch.index.embedder import EmbedderId
from pixsearch.index.hits import View
from pixsearch.index.search import Library
from pixsearch.index.writer import PackWriter


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("edge")
    says = {
        "region": REGION_SCRIPT,
        "image": IMAGE_SCRIPT,
        "text": TEXT_SCRIPT,
        "plain": PLAIN_SCRIPT,
        "named": NAMED_SCRIPT,
    }
    return {name: a_bundle(root / name, ids) for name, ids in says.items()} | {
        "pack": a_pack(root / "pack", root / "region")
    }


def a_pack(folder: Path, bundle: Path, embedder: str = "red-1") -> Path:
    embed = BundleEmbedder(Bundle.load(bundle, threads=1))
    with PackWriter(folder, name="colours", embedder=EmbedderId(embedder, 3, 3), licence="CC0") as pack:
        for key, colour, facts in (("ball", RED, {"maker": "Norvik"}), ("leaf", GREEN, {"tree": "oak"})):
            entity = pack.add_entity(key, f"the {key}", kind="thing", facts=facts)
            pack.add_vector(entity, embed.region(np.full((50, 50, 3), colour, np.uint8), None), View.REGION)
            pack.add_vector(entity, embed.region(np.full((50, 50, 3), colour, np.uint8), None), View.IMAGE)
            pack.add_text_vector(entity, embed.text(key))
    return folder


@pytest.fixture
def ask(folders):
    opened = []

    def run(name: str, *arguments, **options):
        assistant = open_assistant(folders[name], [folders["pack"]], threads=1)
        opened.append(assistant)
        return assistant.ask(*arguments, **options)

    yield run
    for assistant in opened:
        assistant.close()


def test_a_region_search_cuts_out_the_thing_and_finds_its_entity(ask) -> None:
    answer = ask("region", a_frame(), "What is this?")
    (search,) = answer.searches
    truth = (a_frame() == RED).all(axis=2)
    cut = decode_mask(search.mask)
    assert (cut & truth).sum() / (cut | truth).sum() > 0.9
    assert search.modality is Modality.REGION and search.hits[0].entity == "the ball" and search.words == "It"
    assert "maker: Norvik" in search.evidence and "(sure)" in search.evidence
    assert answer.answer == "It owl" and not answer.abstained and answer.confidence > 0.9
    assert [segment.modality for segment in parse(answer.trace) if isinstance(segment, Search)] == ["region"]


def test_the_index_tells_how_the_thing_looks_that_is_named(ask) -> None:
    frame = a_frame()
    frame[120:180, 200:260] = GREEN
    (search,) = ask("named", frame, "Where does it grow?").searches
    cut, truth = decode_mask(search.mask), (frame == GREEN).all(axis=2)
    assert search.words == "leaf" and (cut & truth).sum() / (cut | truth).sum() > 0.9
    assert search.hits[0].entity == "the leaf" and search.segment.looks.shape == (1, 3)
    (other,) = ask("region", frame, "What is this?").searches  # "It" names nothing
    assert other.hits[0].entity == "the ball" and other.segment.looks.shape == (0, 3)


def test_a_mask_that_is_probably_wrong_is_not_searched_with_unless_it_was_pointed_at(
    ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval, "TRUSTED_MASK", 1.1)
    (search,) = ask("region", a_frame(), "What is this?").searches
    assert search.mask is None and search.box is None and search.segment is not None
    (image,) = ask("image", a_frame(), "What is this?").searches
    assert [hit.key for hit in search.hits] == [hit.key for hit in image.hits]
    rows, columns = np.nonzero((a_frame() == RED).all(axis=2))
    point = (float(columns.mean()), float(rows.mean()))
    (pointed,) = ask("region", a_frame(), "What is this?", point=point).searches
    assert pointed.mask is not None and pointed.hits[0].entity == "the ball"


def test_the_json_form_keeps_the_contract(ask) -> None:
    shown = json.loads(json.dumps(ask("region", a_frame(), "What is this?").to_json()))
    assert {"answer", "abstained", "confidence", "searches", "trace", "timings_ms"} <= set(shown)
    assert {"modality", "query", "mask", "box", "hits"} <= set(shown["searches"][0])
    assert shown["searches"][0]["mask"]["size"] == [200, 300] and len(shown["searches"][0]["box"]) == 4
    assert {"entity", "score", "source", "facts"} <= set(shown["searches"][0]["hits"][0])
    assert {"vision", "language", "mask", "region", "search", "total"} <= set(shown["timings_ms"])
    stages = sum(shown["timings_ms"][name] for name in ("vision", "language", "mask", "region", "search"))
    assert stages <= shown["timings_ms"]["total"] + 0.01


def test_an_image_search_uses_the_whole_frame_and_has_no_mask(ask) -> None:
    (search,) = ask("image", np.full((90, 90, 3), GREEN, np.uint8), "Where am I?").searches
    assert search.modality is Modality.IMAGE and search.mask is None and search.iou is None
    assert search.hits[0].entity == "the leaf"


def test_a_text_search_carries_its_words(ask) -> None:
    (search,) = ask("text", a_frame(), "Who makes it?").searches
    assert search.modality is Modality.TEXT and search.query == "bal" and search.hits
    assert "sure" not in search.evidence  # text scores do not compare with cosines


def test_without_a_search_the_answer_stands_on_its_words(ask) -> None:
    answer = ask("plain", a_frame(), "Which colour is it?")
    assert answer.answer == "Red" and answer.searches == () and answer.confidence > 0.5


def test_no_search_is_made_with_an_empty_budget(ask) -> None:
    answer = ask("region", a_frame(), "What is this?", budget=0)
    assert answer.searches == () and "<search>" not in answer.trace


def test_no_search_is_made_after_the_deadline(folders) -> None:
    ticks = iter(range(0, 10_000, 10))
    with Library([]) as library:
        answer = Assistant(
            Bundle.load(folders["region"], threads=1), library, clock=lambda: float(next(ticks))
        ).ask(a_frame(), "What is this?")
    assert answer.searches == ()


def test_below_the_threshold_it_says_what_it_did_see(tmp_path: Path, folders) -> None:
    doubting = a_bundle(tmp_path / "doubting", calibration=CALIBRATION | {"bias": -50.0})
    with open_assistant(doubting, [folders["pack"]], threads=1) as assistant:
        answer = assistant.ask(a_frame(), "What is this?")
        assert answer.abstained and answer.answer == "I don't know. My best guess is the ball."
    with open_assistant(doubting, [], threads=1) as assistant:
        assert assistant.ask(a_frame(), "What is this?").answer == "I don't know."


@pytest.mark.parametrize(
    ("pointing", "box"),
    [({}, None), ({"point": (50, 60)}, (30, 40, 71, 81)), ({"box": (10, 20, 30, 50)}, (10, 20, 30, 50))],
)
def test_an_empty_mask_falls_back_to_what_was_pointed_at(ask, pointing, box) -> None:
    (search,) = ask("region", a_frame(GREEN), "What is this?", **pointing).searches
    assert search.box == box and (search.mask is None) == (box is None)
    assert search.iou == (None if box is None else 0)


def test_a_frame_is_encoded_once_for_several_questions(folders) -> None:
    with open_assistant(folders["region"], [folders["pack"]], threads=1) as assistant:
        seen = assistant.perceive(a_frame())
        first, second = (assistant.ask(a_frame(), "What is this?", perception=seen) for _ in range(2))
    assert first.timings.vision == 0 and first.searches == second.searches and first.trace == second.trace


def test_a_pack_of_another_embedder_is_refused_by_name(tmp_path: Path, folders) -> None:
    with pytest.raises(Fault, match="other-7"):
        open_assistant(
            folders["region"], [a_pack(tmp_path / "other", folders["region"], "other-7")], threads=1
        )


@pytest.mark.parametrize("pointing", [{"point": (300, 10)}, {"box": (10, 10, 10, 20)}])
def test_pointing_outside_the_picture_is_refused(ask, pointing) -> None:
    with pytest.raises(Fault, match="inside the picture"):
        ask("region", a_frame(), "What is this?", **pointing)


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        ("The cat<search><region></search><information>x</information> is one .", "The cat is one."),
        ("This<search><region></search><information></information>is it", "This is it"),
        ("This<search><region></search><information></information> is a Egyptian Mau.", "This is an Egyptian Mau."),
    ],
)
def test_the_spoken_answer_leaves_searches_out(trace: str, expected: str) -> None:
    assert spoken(parse(trace)) == expected


def test_a_region_is_followed_lost_and_found_again(folders) -> None:
    with open_assistant(folders["region"], [folders["pack"]], threads=1) as assistant:
        segment = assistant.ask(a_frame(), "What is this?").searches[0].segment
        tracker = RegionTracker(assistant.bundle, a_frame(), segment)
        see = assistant.perceive
    for left in (70, 90):
        mask = tracker.update(see(a_frame(box=(left, 40, left + 60, 100)))).mask
        assert mask is not None and abs(np.flatnonzero(mask.any(axis=0))[0] - left) <= 4
    assert tracker.update(see(a_frame(GREEN))).lost
    assert not tracker.update(see(a_frame())).lost
    with pytest.raises(ValueError, match="must be"):
        tracker.update(see(a_frame(height=100)))
