"""The voice: real speech through the microphone's path, answers spoken, devices that go and come back."""

import queue
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from edge_builders import a_frame
from PIL import Image
from spoken import Devices, Dialogue, Plays, Reads, say

from pixsearch.apps.voice import listen
from pixsearch.contract.faults import Fault
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.live import Loop, LoopOptions
from pixsearch.edge.live.capture import Backoff
from pixsearch.edge.voice import capture as capturing
from pixsearch.edge.voice import player as playing
from pixsearch.edge.voice.audio import FRAME_S, SAMPLE_RATE, read_sound, wav_bytes
from pixsearch.edge.voice.capture import Back, Capture, Lost, Over, Sound
from pixsearch.edge.voice.endpoint import EndPointer, Patience, Turn
from pixsearch.edge.voice.engines import Engines
from pixsearch.edge.voice.events import Replied, Unanswered, Understood, VoiceEvent, VoiceState, Woken
from pixsearch.edge.voice.player import Player, Utterance
from pixsearch.edge.voice.session import SORRY, Session, Wake
from pixsearch.edge.voice.sound_files import FileLoudspeaker, SoundMicrophone
from pixsearch.edge.voice.speech import clauses
from pixsearch.edge.voice.wake import WakeWord

LONG = "This is an owl. It lives in the woods, and it hunts at night, and sleeps by day."
SOON = Backoff(first_s=0.01, longest_s=0.05)


@pytest.fixture(scope="module")
def engines() -> Engines:
    return Engines()


@pytest.mark.parametrize("speech,turns", [
    ("." * 300, [Turn.NOBODY]),
    ("##########" + "." * 40, [Turn.BEGAN, Turn.PAUSED, Turn.ENDED]),
    ("##########......##########" + "." * 20, [Turn.BEGAN, Turn.PAUSED, Turn.WENT_ON, Turn.PAUSED, Turn.ENDED]),
    ("#####..#####" + "." * 20, [Turn.BEGAN, Turn.PAUSED, Turn.ENDED]),
    ("#" + "." * 20, [Turn.BEGAN, Turn.PAUSED, Turn.NOBODY]),  # a click
    ("#" * 400, [Turn.BEGAN, Turn.ENDED]),  # somebody who never stops
])
def test_a_question_ends_after_its_last_word(speech: str, turns: list[Turn]) -> None:
    ends, found = EndPointer(Patience()), []
    for letter in speech:
        if turn := ends.feed(float(letter == "#")):
            found.append(turn)
        if found[-1:] in ([Turn.ENDED], [Turn.NOBODY]):
            break
    assert found == turns


@pytest.mark.parametrize("text,pieces", [
    ("I don't know. My best guess is an owl.", ["I don't know.", "My best guess is an owl."]),
    ("Yes, it is.", ["Yes, it is."]),
    ("a" * 40 + ", and so on.", ["a" * 40 + ",", "and so on."]),
    ("An [owl](/x/) \x1b[0m <search>", ["An owl ( x ) 0m search"]),
    ("…", []),
])
def test_text_is_spoken_in_clauses_without_signs(text: str, pieces: list[str]) -> None:
    assert clauses(text) == pieces
    assert sum(map(len, clauses("word " * 1000))) <= 600


@pytest.mark.parametrize(("parts", "question"), [
    (("Hey Jarvis.", "Which bird is this?", 1.0), "which bird is this"), (("Hey Jarvis.", 1.0), "")])
def test_the_word_that_wakes_is_no_part_of_the_question(engines: Engines, parts: tuple, question: str) -> None:
    heard = engines.transcriber(say(engines.speech, 0.3, *parts), "Hey Jarvis.").words
    assert heard.lower().strip(" .?!") == question


def test_a_lost_microphone_is_told_once_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capturing, "SILENT_S", 0.2)
    first, silent, last = Reads(3, OSError("unplugged")), Reads(2, None), Reads(1, EOFError())
    gone = OSError("no device")
    microphone = Devices(gone, gone, lambda: first, gone, gone, lambda: silent, lambda: last)
    told: queue.Queue[object] = queue.Queue()
    capture = Capture(microphone, told.put, SOON)
    capture.start()
    heard = []
    while not isinstance(message := told.get(timeout=5), Over):
        heard.append(type(message) if not isinstance(message, Lost) else message.cause)
    capture.close()
    assert heard == ["no device", Back, Sound, Sound, Sound, "unplugged", Back, Sound, Sound,
                     "test device gave nothing for 0.2 s", Back, Sound]
    assert first.closed and silent.closed and last.closed


def test_what_is_spoken_stops_at_once() -> None:
    loudspeaker, ended = FileLoudspeaker(), queue.Queue[Utterance]()
    player = Player(loudspeaker, 24_000, ended.put)
    player.start()
    player.say([np.ones(24_000 * 60, np.int16)])
    while not len(loudspeaker.spoken()):
        time.sleep(0.01)
    player.hush()
    utterance = ended.get(timeout=5)
    player.close()
    assert not utterance.whole and utterance.first_at and len(loudspeaker.spoken()) < 24_000 * 5


def test_a_lost_loudspeaker_costs_one_answer_and_not_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playing, "GIVE_UP_S", 0.0)
    sound = np.ones(2400, np.int16)
    good, gone = Plays(), OSError("no device")
    loudspeaker, ended = Devices(lambda: Plays(1), gone, lambda: good), queue.Queue[Utterance]()
    player = Player(loudspeaker, 24_000, ended.put)
    player.start()
    for _ in range(3):
        player.say([sound])
    results = [ended.get(timeout=5) for _ in range(3)]
    player.close()
    assert [one.trouble for one in results] == ["unplugged", "no device", ""]
    assert results[-1].whole and good.played == len(sound) and good.closed


def test_a_question_after_the_word_is_answered_and_a_second_one_breaks_in(engines: Engines) -> None:
    microphone, loudspeaker = Dialogue(), FileLoudspeaker()
    events, asked, before = queue.Queue[VoiceEvent](), list[str](), threading.active_count()

    def ask(question: str) -> Future[str]:
        reply: Future[str] = Future()
        reply.set_result("It is two years old." if asked else LONG)
        asked.append(question)
        return reply

    word = WakeWord("hey jarvis")
    with Session(microphone, loudspeaker, ask, str, events.put, engines=engines, wake=word):
        microphone.hear(say(engines.speech, 0.5, "Hey Jarvis.", "Which bird is this?", 1.0))
        while np.count_nonzero(loudspeaker.spoken()) < 24_000:
            time.sleep(0.01)
        microphone.hear(say(engines.speech, "Hey Jarvis.", 1.0, "How old is it?"))
        replies = [until(events, Replied), until(events, Replied)]
    word.close()
    assert [question.lower().strip("?.") for question in asked] == ["which bird is this", "how old is it"]
    assert replies[0].cut and not replies[1].cut and replies[1].first_word_s
    first, second = (np.concatenate(list(engines.speech.say(text))) for text in (LONG, "It is two years old."))
    spoken = loudspeaker.spoken()
    assert np.array_equal(spoken[-len(second):], second)
    assert np.count_nonzero(spoken[:-len(second)]) < np.count_nonzero(first)
    assert threading.active_count() == before


def until(events: "queue.Queue[VoiceEvent]", kind: type) -> VoiceEvent:
    """The next event of a kind."""
    while not isinstance(event := events.get(timeout=20), kind):
        pass
    return event


def test_the_button_begins_and_ends_a_question_and_a_refusal_is_spoken(engines: Engines) -> None:
    microphone, loudspeaker, events = Dialogue(), FileLoudspeaker(), queue.Queue[VoiceEvent]()

    def refuse(question: str) -> Future[str]:
        raise Fault("camera", expected="a picture", actual="none", remedy="check the camera")

    patience = Patience(begin_s=100.0, pause_s=50.0, end_s=100.0, longest_s=200.0)
    with Session(microphone, loudspeaker, refuse, str, events.put, engines=engines, begin=Wake.BUTTON,
                 patience=patience) as session:
        session.talk()
        until(events, Woken)
        microphone.hear(say(engines.speech, "What is this?"))
        while microphone.busy:
            time.sleep(0.01)
        session.release()
        assert until(events, Understood).words.lower().startswith("what is this")
        assert "check the camera" in until(events, Unanswered).reason
        assert until(events, Replied).said == SORRY
        assert session.state is VoiceState.WAITING
    assert session.state is VoiceState.ENDED


def test_glasses_hear_a_question_from_a_wav_file_and_speak_the_answer_into_another(
        red_assistant: Assistant, engines: Engines, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames, question, answer = tmp_path / "frames", tmp_path / "question.wav", tmp_path / "answer.wav"
    frames.mkdir()
    Image.fromarray(a_frame()).save(frames / "0.png")
    question.write_bytes(wav_bytes(say(engines.speech, 0.5, "What is this?"), SAMPLE_RATE))
    with (Loop(red_assistant, str(frames), LoopOptions(repeat=True)) as loop,
          listen(loop, "speech", str(question), str(answer)) as voice):
        while voice.state is not VoiceState.ENDED:
            time.sleep(0.02)
    spoken = np.frombuffer(answer.read_bytes()[44:], np.int16)
    said = np.concatenate(list(engines.speech.say("It owl")))
    assert np.array_equal(spoken[-len(said):], said)
    assert "heard     What is this?" in capsys.readouterr().out


@pytest.mark.parametrize("content,fault", [(b"", "expected a wav file"), (b"RIFF" + b"\0" * 60, "expected a wav file"),
                                           (None, "expected a file")])
def test_what_is_no_sound_is_refused_in_one_line(content: bytes | None, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Fault, match=fault):
        read_sound(path)


def test_a_missing_extra_ends_in_one_line(run: Run, photo: Path, red_pack: Path,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pyopen_wakeword", "pyaudio", "faster_whisper"):
        monkeypatch.setitem(sys.modules, name, None)
    result = run("glasses", "--camera", photo.parent, "--pack", red_pack, "--voice", "--no-memory")
    assert result.exit_code == 1 and "pip install 'pixsearch[voice]'" in result.stderr.splitlines()[-1]


def test_a_sound_file_is_heard_at_the_speed_of_speech(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(np.arange(SAMPLE_RATE // 8, dtype=np.int16), SAMPLE_RATE))
    heard = SoundMicrophone.of_file(path).open()
    frames, began = [], time.monotonic()
    while len(frames) * FRAME_S < 0.12:
        if (frame := heard.read(0.1)) is not None:
            frames.append(frame)
    assert time.monotonic() - began >= 0.12
    assert np.abs(np.concatenate(frames)[:1000].astype(int) - np.arange(1000)).max() <= 1
