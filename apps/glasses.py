"""The glasses loop: frames go by, questions are asked at their moments, masks follow their things."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from pixsearch.apps.clip_questions import ClipQuestion
from pixsearch.apps.overlay import Mask, draw_answer_with_mask, readable_size
from pixsearch.apps.video import recording
from pixsearch.apps.voice import said_of
from pixsearch.contract.faults import Fault
from pixsearch.contract.images import Pixels
from pixsearch.edge.answer import Answer
from pixsearch.edge.answering import Answering
from pixsearch.edge.inputs import check_point
from pixsearch.edge.live.camera import Camera
from pixsearch.edge.perception import Perception
from pixsearch.edge.tracking import RegionTracker
from pixsearch.edge.voice.speech import Speech


@dataclass(frozen=True)
class ClipAnswer:
    """A question with its answer and the frame (H, W, 3) that it was asked on."""

    asked: ClipQuestion
    answer: Answer
    frame: Pixels


class _Pinned:
    """The last answer, and its mask followed from frame to frame."""

    def __init__(self, assistant: Answering, given: ClipAnswer) -> None:
        self.given, self._assistant = given, assistant
        segments = [one.segment for one in given.answer.searches if one.segment and one.mask]
        self._mask: Mask | None = segments[-1].mask if segments else None
        self._tracker = RegionTracker(assistant.bundle, given.frame, segments[-1]) if segments else None

    def follow(self, frame: Pixels) -> Perception | None:
        """Find the thing in the next frame; returns the frame's encoding where one was made."""
        if self._tracker is None:
            return None
        perception = self._assistant.perceive(frame)
        self._mask = self._tracker.update(perception).mask
        return perception

    def draw(self, frame: Pixels) -> Pixels:
        """The frame with mask, answer and evidence; without a mask while the thing is out of sight."""
        return draw_answer_with_mask(frame, self.given.asked.question, self.given.answer, self._mask)


def run_clip(
    assistant: Answering,
    camera: Camera,
    questions: Sequence[ClipQuestion],
    *,
    record: Path | None = None,
    speech: Speech | None = None,
    seconds: float | None = None,
    on_answer: Callable[[ClipAnswer], None] = lambda _: None,
    on_frame: Callable[[], None] = lambda: None,
) -> list[ClipAnswer]:
    """Show a clip to the assistant and ask it each question on the frame of its moment.

    record  : MP4 to write, at the clip's own speed; it appears whole, or not at all
    speech  : says the answers in that recording
    seconds : of the clip to show; all of it unless given
    Raises Fault for a point outside the frame before anything is asked, and when no question came in time.
    """
    for one in questions:
        if one.point:
            check_point(one.point, camera.height, camera.width)
    waiting, answers = list(questions), []
    pinned: _Pinned | None = None
    with ExitStack() as opened:
        opened.enter_context(closing(camera))
        recorder = opened.enter_context(recording(record, camera.fps)) if record else None
        for number, frame in enumerate(camera):
            second = number / camera.fps
            if seconds is not None and second >= seconds:
                break
            perception = pinned.follow(frame) if pinned else None
            while waiting and waiting[0].second <= second:
                one = waiting.pop(0)
                answer = assistant.ask(frame, one.question, point=one.point, perception=perception)
                pinned = _Pinned(assistant, ClipAnswer(one, answer, frame))
                answers.append(pinned.given)
                if recorder and speech:
                    recorder.say(speech.say(said_of(answer)))
                on_answer(pinned.given)
            if recorder:
                recorder.write(pinned.draw(frame) if pinned else readable_size(frame))
            on_frame()
        if not answers:
            raise Fault(
                f"questions for {camera.source}",
                expected="one before the clip ends",
                actual=f"the first at {questions[0].second:g} s" if questions else "none",
                remedy="ask earlier",
            )
    return answers
