"""The live loop: views, questions, events and an end, with a small real bundle and rendered clips."""

import threading
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from edge_builders import GREY, RED

from pixsearch.contract.faults import Fault
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.live import (
    Answered,
    AnswerStarted,
    Failed,
    HealthChanged,
    Loop,
    LoopOptions,
    Said,
    Searched,
    Seen,
    State,
    open_camera,
)

WAIT_S = 20.0


def a_clip(path: Path, frames: int = 30, fps: float = 10, step: int = 4, size: tuple[int, int] = (320, 240)) -> Path:
    """A red box of 60 pixels that moves right by `step` pixels a frame on grey."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, size)
    for number in range(frames):
        frame = np.full((size[1], size[0], 3), GREY, np.uint8)
        left = 20 + step * number
        frame[60:120, left:left + 60] = RED
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def until(true: Callable[[], bool]) -> None:
    """Wait for what must come."""
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_clip(tmp_path_factory.mktemp("live") / "box.avi")


def test_a_question_is_answered_with_events_in_order_and_pinned(red_assistant: Assistant, clip: Path) -> None:
    with Loop(red_assistant, str(clip), LoopOptions(repeat=True)) as loop, loop.subscribe() as events:
        ticket = loop.ask("What is this?")
        answer = ticket.result(WAIT_S)
        assert "owl" in answer.answer and ticket.frame is not None
        until(lambda: (view := loop.view()) is not None and view.ticket_id == ticket.id and view.mask is not None)
        view = loop.view()
        assert view is not None and view.mask is not None and view.label == "owl"
        red = view.frame[..., 0].astype(int) - view.frame[..., 1] > 60
        assert (view.mask & red).sum() / (view.mask | red).sum() > 0.7
        loop.forget()
        until(lambda: (view := loop.view()) is not None and view.ticket_id is None and view.mask is None)
    told = [event for event in events if not isinstance(event, Seen | HealthChanged)]
    kinds = [type(event) for event in told]
    assert kinds[0] is AnswerStarted and kinds[-1] is Answered and Searched in kinds and Said in kinds
    assert all(event.ticket is ticket for event in told)


def test_a_clip_is_streamed_to_its_end_and_no_thread_stays(red_assistant: Assistant, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    loop = Loop(red_assistant, str(a_clip(tmp_path / "short.avi", frames=8)))
    with loop, loop.subscribe(HealthChanged) as changes:
        until(lambda: loop.health().state is State.ENDED)
        assert loop.ask("What is this?").result(WAIT_S)  # of the last picture
    assert State.STREAMING in [event.health.state for event in changes]
    assert set(threading.enumerate()) == before
    assert loop.health().state is State.ENDED


def test_a_still_scene_is_perceived_but_not_encoded(red_assistant: Assistant, tmp_path: Path) -> None:
    clip = a_clip(tmp_path / "still.avi", frames=30, fps=20, step=0)
    with Loop(red_assistant, str(clip), LoopOptions(repeat=True)) as loop, loop.subscribe(Seen) as seen:
        views = [event.view for event in islice(seen, 20)]
    assert not views[0].still and all(view.still for view in views[1:])


def test_a_frame_of_one_s_own_can_be_asked_about_before_any_camera_is_there(
        red_assistant: Assistant, tmp_path: Path) -> None:
    frame = np.full((100, 200, 3), GREY, np.uint8)
    frame[20:80, 20:80] = RED
    with Loop(red_assistant, "rtsp://127.0.0.1:9/none") as loop:  # the fault of a camera is no fault of the answer
        ticket = loop.ask("What is this?", frame=frame)
        assert "owl" in ticket.result(WAIT_S).answer and ticket.number is None


@pytest.mark.parametrize(("question", "point"), [("", None), ("What is this?", (999, 5)), ("?", None)])
def test_what_cannot_be_asked_is_refused_at_once(
        red_assistant: Assistant, clip: Path, question: str, point: tuple[int, int] | None) -> None:
    with Loop(red_assistant, str(clip), LoopOptions(repeat=True)) as loop:
        until(lambda: loop.view() is not None)
        with pytest.raises(Fault):
            loop.ask(question, point=point)


def test_questions_that_wait_can_be_cancelled_and_are_bounded(red_assistant: Assistant, clip: Path) -> None:
    loop = Loop(red_assistant, str(clip))  # not started: all of them wait
    tickets = [loop.ask("What is this?") for _ in range(4)]
    with pytest.raises(Fault, match="wait"):
        loop.ask("What is this?")
    assert tickets[1].cancel()
    with loop.subscribe(Answered, Failed) as events, loop:
        ended = [events.get(WAIT_S) for _ in tickets]
    assert [type(event) for event in ended] == [Answered, Failed, Answered, Answered]


def test_a_question_that_is_answered_when_the_loop_closes_ends_too(red_assistant: Assistant, clip: Path) -> None:
    loop = Loop(red_assistant, str(clip), LoopOptions(repeat=True))
    with loop:
        tickets = [loop.ask("What is this?") for _ in range(4)]
    assert all(ticket.done() for ticket in tickets) and not loop.busy


def test_a_slow_subscriber_loses_views_but_no_answer(red_assistant: Assistant, clip: Path) -> None:
    with Loop(red_assistant, str(clip), LoopOptions(repeat=True)) as loop, loop.subscribe(size=4) as events:
        ticket = loop.ask("What is this?")
        ticket.result(WAIT_S)
        until(lambda: events.dropped > 3)
        assert any(isinstance(event, Answered) for event in iter(lambda: events.get(0), None))


def test_a_folder_of_frames_is_a_camera(tmp_path: Path) -> None:
    for number, frame in enumerate(open_camera(str(a_clip(tmp_path / "c.avi", frames=3)))):
        cv2.imwrite(str(tmp_path / f"{number}.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    camera = open_camera(str(tmp_path))
    assert camera.frames == 3 and camera.skip() and [frame.shape for frame in camera] == [(240, 320, 3)] * 2
    cv2.imwrite(str(tmp_path / "3.png"), np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(Fault, match="3.png"):
        list(open_camera(str(tmp_path)))
