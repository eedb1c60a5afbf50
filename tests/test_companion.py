"""The wearer's own: what is told is kept and found again, turns know of each other, the cloud is asked by word."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from cloud_servers import completion, http, raw_server, sends
from conftest import Run
from edge_builders import GREEN, a_frame
from PIL import Image

from pixsearch.contract.faults import Fault
from pixsearch.contract.grammar import Modality, parse
from pixsearch.contract.masks import decode_mask
from pixsearch.edge.assistant import Assistant, open_assistant
from pixsearch.edge.cloud import Cloud
from pixsearch.edge.cloud_settings import Allow, CloudSettings
from pixsearch.edge.companion import Companion
from pixsearch.edge.conversation import FORGOTTEN_AFTER_S, Conversation, named, refers_back
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.edge.live import Loop, LoopOptions
from pixsearch.edge.memories import Memories, is_sighting, picture_of
from pixsearch.edge.outbound_log import OutboundLog
from pixsearch.index.memory import MemoryLimits, MemoryPack

SHED = "Remember this, it is my spare key for the shed"
BLUE = (0, 0, 255)


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def companion(red_bundle: Path, red_pack: Path, tmp_path: Path, clock: Clock):
    assistant = open_assistant(red_bundle, [red_pack], threads=1)
    pack = MemoryPack.open(tmp_path / "memory", BundleEmbedder(assistant.bundle))
    with Companion(assistant, Memories(pack, assistant.bundle, clock)) as opened:
        yield opened


def test_what_is_told_is_on_the_disk_with_region_words_time_and_picture(
    companion: Companion, clock: Clock, tmp_path: Path
) -> None:
    answer = companion.ask(a_frame(), SHED)
    assert answer.answer == "I will remember your spare key for the shed." and not answer.abstained
    (search,) = answer.searches
    assert search.modality is Modality.REGION and decode_mask(search.mask)[70, 90]
    companion.close()
    bundle = companion.bundle
    with MemoryPack.open(tmp_path / "memory", BundleEmbedder(bundle)) as pack:
        (item,) = pack.items()
        assert (item.entity, item.facts["said"], item.time) == (
            "spare key for the shed", "it is my spare key for the shed", clock.time)
        (hit,) = pack.search_vectors(BundleEmbedder(bundle).region(a_frame(), a_frame()[..., 1] == 0))
        assert hit.entity == item.entity and hit.score > 0.99
        picture = Image.open(io.BytesIO(pack.picture(item.id) or b""))
        shown = np.array(picture.convert("RGBA"))
        assert max(picture.size) <= 480 and shown[70, 90, 3] == 255 and shown[10, 10, 3] < 128


def test_what_was_said_about_a_thing_comes_back_with_picture_and_time(companion: Companion, clock: Clock) -> None:
    companion.ask(a_frame(), SHED)
    clock.time += timedelta(days=2)
    for question in ("What did I say about this?", "What did I tell you about my key?"):
        answer = companion.ask(a_frame(box=(100, 60, 160, 120)), question)
        assert 'you said: "it is my spare key for the shed"' in answer.answer and "26 November" in answer.answer
        (found,) = answer.memory
        assert found.words == "it is my spare key for the shed" and found.picture and not answer.abstained
        told = json.loads(json.dumps(answer.to_json()))["memory"][0]
        assert told["picture"].startswith("data:image/webp;base64,") and told["time"].startswith("2026-11-26T12:00")
        parse(answer.trace)


def test_a_remembered_thing_is_known_by_its_look_in_ordinary_questions(companion: Companion) -> None:
    companion.ask(a_frame(), SHED)
    answer = companion.ask(a_frame(), "What is this?")
    assert answer.searches[0].hits[0].entity == "spare key for the shed"
    assert "said: it is my spare key for the shed" in answer.searches[0].evidence


@pytest.mark.parametrize("question", ["What did I say about this?", "What did I say about my bicycle?",
                                      "Where did I last see my bicycle?"])
def test_nothing_is_made_up_about_what_was_never_told(companion: Companion, question: str) -> None:
    answer = companion.ask(a_frame(), question)
    assert answer.abstained and "told me nothing about" in answer.answer and answer.memory == ()


def test_another_thing_is_not_taken_for_the_one_that_was_told(companion: Companion) -> None:
    companion.ask(a_frame(), SHED)
    companion.conversation.clear()
    other = companion.ask(a_frame(GREEN), "What did I say about this?", box=(60, 40, 120, 100))
    assert other.abstained and other.memory == ()


def test_the_last_place_is_where_it_was_seen_last_even_unasked(companion: Companion, clock: Clock) -> None:
    companion.ask(a_frame(), SHED)
    first = companion.memories.pack.items()[0]
    for hours, left in ((1, 100), (2, 200)):
        clock.time += timedelta(hours=hours)
        companion.ask(a_frame(box=(left, 40, left + 60, 100)), "What is this?")
    items = companion.memories.pack.items()
    assert [is_sighting(item) for item in items] == [True, False] and items[1] == first
    answer = companion.ask(a_frame(GREEN), "Where did I last see my key?")
    assert answer.memory[0].time == clock.time and answer.memory[0].words == first.facts["said"]
    shown = np.array(Image.open(io.BytesIO(answer.memory[0].picture)).convert("RGBA"))
    assert shown[70, 230, 3] == 255 and shown[70, 90, 3] < 128
    companion.ask(a_frame(), "What is this?")
    assert len(companion.memories.pack.items()) == 2  # not again within minutes


def test_where_my_things_are_is_asked_of_the_picture_when_the_memory_has_none(companion: Companion) -> None:
    assert companion.ask(a_frame(), "Where is my owl?").searches[0].modality is Modality.REGION
    companion.ask(a_frame(), "Remember this, it is my owl")
    assert "You last saw your owl on" in companion.ask(a_frame(), "Where is my owl?").answer


def test_forgetting_by_name_forgets_one_thing_with_its_sightings(companion: Companion, clock: Clock) -> None:
    companion.ask(a_frame(), SHED)
    clock.time += timedelta(hours=1)
    companion.ask(a_frame(), "What is this?")
    companion.ask(a_frame(GREEN), "Remember this, it is the key of the car", box=(60, 40, 120, 100))
    asked = companion.ask(a_frame(), "Forget my key")
    assert "Which one" in asked.answer and len(companion.memories.told()) == 2
    assert companion.ask(a_frame(), "Forget the key for the shed").answer == "I have forgotten spare key for the shed."
    assert [item.entity for item in companion.memories.pack.items()] == ["key of the car"]
    assert companion.ask(a_frame(GREEN), "forget this", box=(60, 40, 120, 100)).answer.startswith("I have forgotten")
    assert len(companion.memories.pack) == 0
    assert companion.ask(a_frame(), "What do you remember?").answer == "I remember nothing so far."


def test_without_words_a_thing_goes_by_what_the_packs_call_it(companion: Companion) -> None:
    assert companion.ask(a_frame(), "Remember this").answer == "I will remember the owl."
    assert companion.ask(a_frame(), "What do you remember?").answer == "I remember 1 thing: owl."


def test_a_point_says_what_is_meant(companion: Companion) -> None:
    frame = a_frame(BLUE)
    answer = companion.ask(frame, "Remember this, it is my cup", box=(60, 40, 120, 100))
    assert answer.searches[0].box == (60, 40, 120, 100)


def test_without_a_memory_it_says_so(red_assistant: Assistant) -> None:
    answer = Companion(red_assistant).ask(a_frame(), SHED)
    assert answer.abstained and "remember nothing" in answer.answer
    assert Companion(red_assistant).ask(a_frame(), "What is this?").answer == "It owl"


def test_it_means_what_was_asked_about_where_that_is_now_or_was(
    companion: Companion, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = []
    ask = companion.assistant.ask

    def listening(frame, question, point=None, box=None, **options):
        heard.append((frame, question, point))
        return ask(frame, question, point, box, **options)

    monkeypatch.setattr(companion.assistant, "ask", listening)
    first, moved, gone = a_frame(), a_frame(box=(180, 40, 240, 100)), a_frame(GREEN)
    companion.ask(first, "What is this?")
    in_view = companion.ask(moved, "How old is it?")
    frame, question, point = heard[1]
    assert frame is moved and question == "How old is it?" and 180 <= point[0] < 240 and in_view.searches[0].mask
    out_of_view = companion.ask(gone, "Who made it?")
    frame, question, point = heard[2]
    assert frame is moved and question == "Who made the owl?" and 180 <= point[0] < 240
    assert out_of_view.searches[0].hits[0].entity == "owl" and out_of_view.searches[0].mask is None
    companion.ask(gone, "How big is the first one?")
    assert heard[3][0] is first and heard[3][1] == "How big is the owl?"
    companion.ask(gone, "Who made it?", point=(90, 70))
    assert heard[4] == (gone, "Who made it?", (90, 70))
    companion.ask(gone, "never mind")
    companion.ask(gone, "How old is it?")
    assert heard[5] == (gone, "How old is it?", None)


@pytest.mark.parametrize(
    ("question", "back"),
    [("How old is it?", True), ("What's its name?", True), ("Who makes them?", True), ("What is this?", False),
     ("Where is the cup?", False), ("Is it raining?", False), ("What time is it?", False), ("Italy or item?", False)],
)
def test_which_questions_refer_back(question: str, back: bool) -> None:
    assert refers_back(question) == back


def test_a_conversation_ends_with_a_long_silence_and_keeps_names_in_order(red_assistant: Assistant) -> None:
    now = 0.0
    conversation = Conversation(lambda: now)
    owl = red_assistant.ask(a_frame(), "What is this?")
    hit = replace(owl.searches[0].hits[0], entity="leaf")
    leaf = replace(owl, answer="It leaf", searches=(replace(owl.searches[0], hits=(hit,)),))
    for answer in (owl, leaf):
        conversation.add("What is this?", answer, a_frame())
    assert conversation.entities() == ["owl", "leaf"]
    for question, entity in (("Is the first one old?", "owl"), ("the last thing?", "leaf"), ("the other one?", "owl"),
                             ("How old is it?", "leaf"), ("And the one before?", "owl")):
        assert conversation.meant(question).entity == entity
    assert conversation.meant("Is the third one old?") is None and conversation.meant("What is this?") is None
    now = FORGOTTEN_AFTER_S + 1
    assert conversation.turns == () and conversation.meant("Who made it?") is None


@pytest.mark.parametrize(
    ("question", "told"),
    [("What does its beak do?", "What does the owl's beak do?"), ("Is the first one old?", "Is the owl old?"),
     ("I think it's old, is it?", "I think the owl is old, is it?"), ("Who was the first man?",) * 2],
)
def test_names_take_the_place_of_pronouns(question: str, told: str) -> None:
    assert named(question, "owl") == told


@pytest.mark.loopback
def test_the_cloud_is_asked_and_kept_away_by_word(companion: Companion, tmp_path: Path) -> None:
    assert "No server" in companion.ask(a_frame(), "ask the cloud").answer
    with raw_server(sends(http(completion("A toy owl.")))) as server:
        settings = CloudSettings(f"http://127.0.0.1:{server.port}/v1", below=1.0, allow=Allow.ASKED)
        companion.cloud = Cloud(settings, OutboundLog(tmp_path / "log"), ["memory"])
        assert companion.ask(a_frame(), "ask the cloud").abstained
        local = companion.ask(a_frame(), "What is this?")
        assert local.cloud is None and not server.received
        word = companion.ask(a_frame(GREEN), "Ask the cloud, please")
        assert (word.answer, word.cloud.words) == (local.answer, "A toy owl.")
        assert b"What is this?" in server.received[0]
        assert "127.0.0.1" in companion.ask(a_frame(), "You may ask the cloud from now on").answer
        assert companion.ask(a_frame(), "What is this?").cloud.words == "A toy owl."
        companion.ask(a_frame(), SHED)
        companion.ask(a_frame(), "What is this?")
        assert b"shed" not in b"".join(server.received)  # memories stay here
        companion.ask(a_frame(), "keep it on the device")
        assert companion.ask(a_frame(), "What is this?").cloud is None and len(server.received) == 3


def test_a_picture_of_any_frame_and_mask_fits_the_memory() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), np.uint8)
    tiny = np.zeros((1080, 1920), bool)
    tiny[500, 900] = True
    for mask in (None, tiny, np.ones((1080, 1920), bool)):
        content = picture_of(frame, mask)
        assert len(content) < 256 << 10 and max(Image.open(io.BytesIO(content)).size) <= 480


def test_the_commands_remember_list_export_encrypt_and_forget(
    run: Run, photo: Path, red_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = ("ask", photo, "--pack", red_pack)
    assert run("memory", "list").exit_code == 1 and not (tmp_path / "home").exists()
    assert "told me nothing" not in run(*ask, "What is this?").stdout and not (tmp_path / "home").exists()
    assert "I will remember your spare key" in run(*ask, SHED).stdout
    assert "memory    1: spare key for the shed" in run(*ask, "What did I say about this?").stdout
    listed = run("memory", "list").stdout
    assert '"it is my spare key for the shed"' in listed and "1 of 20000 things" in listed
    (item,) = json.loads(run("memory", "list", "--json").stdout)["items"]
    assert item["entity"] == "spare key for the shed" and not item["seen_again"]
    out = tmp_path / "out"
    assert run("memory", "export", "-o", out).exit_code == 0 and run("memory", "export", "-o", out).exit_code == 1
    built = run("pack", "build", out, "-o", tmp_path / "told.pxpack")
    assert built.exit_code == 0, built.stderr
    assert "spare key" in run("ask", photo, "--pack", tmp_path / "told.pxpack", "--no-memory", "What is this?").stdout
    monkeypatch.setenv("PIXSEARCH_PASSPHRASE", "correct horse battery")
    assert "encrypt" in run("memory", "list").stderr
    assert run("memory", "encrypt").exit_code == 0 and "spare key" in run("memory", "list").stdout
    monkeypatch.delenv("PIXSEARCH_PASSPHRASE")
    refused = run("memory", "list")
    assert refused.exit_code == 1 and "passphrase" in refused.stderr and refused.stderr.count("\n") == 1
    monkeypatch.setenv("PIXSEARCH_PASSPHRASE", "correct horse battery")
    assert run("memory", "forget", "7").exit_code == 1
    assert "forgotten: spare key" in run("memory", "forget", "1").stdout
    assert "0 of 20000 things" in run("memory", "list").stdout


@pytest.mark.parametrize("megabytes", ["0", "many", "-1"])
def test_a_size_limit_that_cannot_be_is_one_line(
    run: Run, photo: Path, red_pack: Path, monkeypatch: pytest.MonkeyPatch, megabytes: str
) -> None:
    monkeypatch.setenv("PIXSEARCH_MEMORY_MB", megabytes)
    ended = run("ask", photo, SHED, "--pack", red_pack)
    assert ended.exit_code == 1 and "PIXSEARCH_MEMORY_MB" in ended.stderr


def test_a_full_memory_says_so_loses_nothing_and_goes_on_answering(companion: Companion, clock: Clock) -> None:
    companion.memories.pack.limits = MemoryLimits(items=1)
    companion.ask(a_frame(), SHED)
    with pytest.raises(Fault, match="forget something first"):
        companion.ask(a_frame(), "Remember this, it is my lamp")
    clock.time += timedelta(hours=1)
    assert companion.ask(a_frame(), "What is this?").answer  # there is no room for the sighting
    assert [item.entity for item in companion.memories.pack.items()] == ["spare key for the shed"]


def test_the_glasses_loop_remembers_and_recalls(companion: Companion, tmp_path: Path) -> None:
    Image.fromarray(a_frame()).save(tmp_path / "0.png")
    with Loop(companion, str(tmp_path), LoopOptions(repeat=True)) as loop:
        assert loop.ask(SHED).result(20).answer == "I will remember your spare key for the shed."
        found = loop.ask("What did I say about this?").result(20)
    assert found.memory[0].words == "it is my spare key for the shed"
