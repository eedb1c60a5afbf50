"""Spoken answers in recorded videos: the sound is where it was said, pictures stay as they were."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from conftest import Run

from pixsearch.apps.soundtrack import RATE, Soundtrack, add_sound, encode
from pixsearch.apps.video import recording
from pixsearch.contract.faults import Fault

FPS, FRAMES = 10.0, 30
LATE_S = 0.1  # what an MP3 encoder adds at the beginning, and its frames


def a_tone(seconds: float) -> np.ndarray:
    return (12_000 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype(np.int16)


def a_video(path: Path, said: dict[int, float]) -> Path:
    """Frames that get brighter; `said` are seconds of tone by frame."""
    with recording(path, FPS) as recorder:
        for number in range(FRAMES):
            if number in said:
                recorder.say([a_tone(said[number])])
            recorder.write(np.full((240, 320, 3), 5 * number, np.uint8))
    return path


def heard(path: Path) -> np.ndarray:
    """The sound as floats at 24 kHz."""
    with av.open(str(path)) as video:
        assert video.streams.audio[0].rate == RATE
        return np.concatenate([frame.to_ndarray().ravel() for frame in video.decode(audio=0)]).astype(np.float32)


def loud_seconds(path: Path) -> tuple[float, float]:
    sound = np.abs(heard(path))
    places = np.flatnonzero(sound > 0.3 * sound.max())
    return places[0] / RATE, places[-1] / RATE


def test_speech_is_heard_from_its_frame_on(tmp_path: Path) -> None:
    start, end = loud_seconds(a_video(tmp_path / "one.mp4", {10: 0.5}))
    assert start == pytest.approx(1.0, abs=LATE_S) and end == pytest.approx(1.5, abs=LATE_S)


def test_a_later_answer_ends_an_earlier_one(tmp_path: Path) -> None:
    start, end = loud_seconds(a_video(tmp_path / "two.mp4", {5: 5.0, 15: 0.4}))
    assert start == pytest.approx(0.5, abs=LATE_S) and end == pytest.approx(1.9, abs=LATE_S)


def test_sound_ends_with_the_pictures(tmp_path: Path) -> None:
    path = a_video(tmp_path / "long.mp4", {20: 60.0})
    assert len(heard(path)) / RATE == pytest.approx(FRAMES / FPS, abs=LATE_S)


def test_pictures_are_those_of_the_silent_video(tmp_path: Path) -> None:
    silent, spoken = a_video(tmp_path / "silent.mp4", {}), a_video(tmp_path / "spoken.mp4", {3: 1.0})
    for path in (silent, spoken):
        with av.open(str(path)) as video:
            assert len(list(video.decode(video=0))) == FRAMES and len(video.streams.audio) == (path == spoken)
    capture = cv2.VideoCapture(str(spoken))
    assert sum(iter(lambda: capture.read()[0], False)) == FRAMES


def test_all_mp3_frames_have_one_size() -> None:
    noise = np.random.default_rng(0).integers(-20_000, 20_000, 5 * RATE).astype(np.int16)
    for sound in (noise, np.zeros(RATE, np.int16), a_tone(0.01)):
        frames = encode(sound)
        assert {frames[place:place + 2] for place in range(0, len(frames), 192)} == {b"\xff\xf3"}


def test_nothing_said_is_no_track() -> None:
    track = Soundtrack()
    track.say(0.0, [])
    assert len(track.samples(3.0)) == 0


def test_a_file_of_another_layout_is_refused_unchanged(tmp_path: Path) -> None:
    path = a_video(tmp_path / "one.mp4", {})
    path.write_bytes(data := path.read_bytes() + b"\x00\x00\x00\x08free")
    with pytest.raises(Fault, match="another layout"):
        add_sound(path, a_tone(0.1))
    assert path.read_bytes() == data


def test_glasses_record_spoken_answers(run: Run, tmp_path: Path, red_bundle: Path, red_pack: Path) -> None:
    clip = a_video(tmp_path / "clip.mp4", {})
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"second": 0.5, "question": "What is this?", "point": [100, 100]}\n')
    output = tmp_path / "answered.mp4"
    done = run("glasses", "--camera", clip, "--questions", questions, "--bundle", red_bundle, "--pack", red_pack,
               "--record", output, "--spoken")
    assert done.exit_code == 0, done.stderr
    assert loud_seconds(output)[0] == pytest.approx(0.5, abs=0.4)


def test_spoken_needs_a_recording(run: Run) -> None:
    assert run("glasses", "--spoken").exit_code == 2
