"""The glasses loop: questions at their moments, masks that follow, a video that is whole or absent."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Run
from edge_builders import GREY, RED

from pixsearch.apps.clip_questions import ClipQuestion, read_clip_questions
from pixsearch.apps.glasses import run_clip
from pixsearch.contract.faults import Fault
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.live import open_camera

FPS, FRAMES = 10, 20
GONE_FROM = 14  # the red box leaves the picture at this frame


def frame_at(number: int) -> np.ndarray:
    """A red box of 100 pixels that moves right by 10 pixels a frame on grey, 640 x 480."""
    frame = np.full((480, 640, 3), GREY, np.uint8)
    if number < GONE_FROM:
        frame[100:200, 40 + 10 * number : 140 + 10 * number] = RED
    return frame


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "box.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (640, 480))
    for number in range(FRAMES):
        writer.write(cv2.cvtColor(frame_at(number), cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def frames_of(path: Path) -> list[np.ndarray]:
    return [frame.astype(int) for frame in open_camera(str(path))]


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_questions_are_asked_on_the_frame_of_their_second(red_assistant: Assistant, clip: Path) -> None:
    asked = [ClipQuestion(0.3, "What is this?"), ClipQuestion(1.0, "And this?")]
    given = run_clip(red_assistant, open_camera(str(clip)), asked)
    assert [one.asked for one in given] == asked
    for one, number in zip(given, (3, 10), strict=True):
        box = one.answer.searches[0].box
        assert box is not None and abs(box[0] - (40 + 10 * number)) < 12


def test_the_mask_follows_the_thing_and_goes_when_it_goes(
    red_assistant: Assistant, clip: Path, tmp_path: Path
) -> None:
    run_clip(
        red_assistant, open_camera(str(clip)), [ClipQuestion(0.2, "What is this?")], record=tmp_path / "out.mp4"
    )
    drawn = frames_of(tmp_path / "out.mp4")
    assert len(drawn) == FRAMES
    plain = frames_of(clip)
    changed = [np.abs(drawn[n][:300] - plain[n][:300]).max(axis=2) > 60 for n in range(FRAMES)]
    assert not changed[0].any()  # nothing was asked yet
    for number in (4, 8, 12):
        columns = np.flatnonzero(changed[number].sum(axis=0) > 20)
        assert abs(columns.min() - (40 + 10 * number)) < 15 and abs(columns.max() - (140 + 10 * number)) < 15
    assert not changed[FRAMES - 1].any()
    assert drawn[FRAMES - 1][-60:].min() < 60  # the panel stays


def test_a_recording_that_fails_leaves_nothing(red_assistant: Assistant, clip: Path, tmp_path: Path) -> None:
    def stop() -> None:
        raise RuntimeError("the battery is empty")

    with pytest.raises(RuntimeError):
        run_clip(
            red_assistant,
            open_camera(str(clip)),
            [ClipQuestion(0, "What?")],
            record=tmp_path / "out.mp4",
            on_frame=stop,
        )
    assert list(tmp_path.iterdir()) == []


def test_a_question_after_the_end_is_a_fault_and_leaves_nothing(
    red_assistant: Assistant, clip: Path, tmp_path: Path
) -> None:
    with pytest.raises(Fault, match="before the clip ends"):
        run_clip(red_assistant, open_camera(str(clip)), [ClipQuestion(99, "What?")], record=tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


def test_seconds_end_the_clip_early(red_assistant: Assistant, clip: Path, tmp_path: Path) -> None:
    run_clip(
        red_assistant, open_camera(str(clip)), [ClipQuestion(0, "What?")], record=tmp_path / "o.mp4", seconds=0.5
    )
    assert len(frames_of(tmp_path / "o.mp4")) == 5


def test_the_command_prints_answers_and_writes_the_video(
    run: Run, clip: Path, red_pack: Path, tmp_path: Path
) -> None:
    questions = lines(tmp_path / "q.jsonl", {"second": 0.5, "question": "What is this?", "point": [100, 150]})
    output = tmp_path / "out.mp4"
    result = run(
        "glasses", "--camera", clip, "--questions", questions, "--pack", red_pack, "--record", output
    )
    assert result.exit_code == 0, result.stderr
    assert "at        0.5 s" in result.stdout and "answer    It owl" in result.stdout
    assert len(frames_of(output)) == FRAMES


GOOD = {"second": 0, "question": "What?"}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "JSON"),
        ("[" * 5000, "JSON"),
        ("[1]", "object"),
        ('{"second": 1}', "question"),
        ('{"second": -1, "question": "What?"}', "second"),
        ('{"second": NaN, "question": "What?"}', "second"),
        ('{"second": true, "question": "What?"}', "second"),
        ('{"second": 1, "question": ""}', "line 2"),
        ('{"second": 1, "question": "What?", "point": [1]}', "point"),
        ('{"second": 1, "question": "What?", "point": ["a", 2]}', "point"),
        ('{"second": 1, "question": "What?", "colour": 2}', "colour"),
    ],
)
def test_a_bad_line_is_one_fault_with_its_number(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n{line}\n")
    with pytest.raises(Fault) as fault:
        read_clip_questions(path)
    assert "line 2" in str(fault.value) and told in str(fault.value) and "\n" not in str(fault.value)


@pytest.mark.parametrize("content", [None, b"", b"\n\n", b" " * (1 << 21)])
def test_a_question_file_that_holds_none_is_a_fault(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "q.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Fault, match="q.jsonl"):
        read_clip_questions(path)


@pytest.mark.parametrize("content", [None, b"", b"no clip at all"])
def test_a_clip_that_cannot_be_read_is_a_fault(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Fault, match="clip.mp4"):
        open_camera(str(path))


def test_a_point_outside_the_clip_is_told_before_anything_is_asked(
    red_assistant: Assistant, clip: Path
) -> None:
    told: list[object] = []
    questions = [ClipQuestion(0, "What?"), ClipQuestion(1, "What?", (640.0, 5.0))]
    with pytest.raises(Fault, match="point"):
        run_clip(red_assistant, open_camera(str(clip)), questions, on_answer=told.append)
    assert told == []


def test_what_is_told_during_a_clip_is_known_later_in_it(
    run: Run, clip: Path, red_bundle: Path, red_pack: Path, tmp_path: Path
) -> None:
    questions = lines(tmp_path / "questions.jsonl", {"second": 0.3, "question": "Remember this, it is my spare key"},
                      {"second": 0.9, "question": "What did I say about this?"})
    told = run("glasses", "--camera", clip, "--questions", questions, "--pack", red_pack, "--bundle", red_bundle,
               "--memory", tmp_path / "memory")
    assert told.exit_code == 0 and "it is my spare key" in told.stdout.split("What did I say")[1], told.stderr
