"""`python -m pixsearch.apps.demo`: shipped photographs and a clip, asked, on a page and in a video."""

import json
import sys
import time
from pathlib import Path

import click

from pixsearch.apps.clip_questions import read_clip_questions
from pixsearch.apps.console import PATH, Commands, bundle_option, packs_option
from pixsearch.apps.defaults import PHOTOS, packs_or_default
from pixsearch.apps.floors import machine
from pixsearch.apps.glasses import run_clip
from pixsearch.apps.page import Asked, render_page
from pixsearch.apps.report import report
from pixsearch.apps.voice import open_speech
from pixsearch.contract.faults import Fault
from pixsearch.contract.files import write_atomic
from pixsearch.contract.images import read_image
from pixsearch.edge.assistant import Assistant, open_assistant
from pixsearch.edge.live import open_camera

QUESTIONS, CLIP, CLIP_QUESTIONS = PHOTOS / "demo.jsonl", PHOTOS / "clip.mp4", PHOTOS / "clip.jsonl"
PAGE, VIDEO = "answers.html", "glasses.mp4"


def run_demo(assistant: Assistant, output: Path) -> list[Asked]:
    """Ask everything, print it, and write `answers.html` and `glasses.mp4` into the folder `output`."""
    output.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    photos = [_ask_photo(assistant, json.loads(line)) for line in QUESTIONS.read_text("utf-8").splitlines()]
    clip = _ask_clip(assistant, output / VIDEO)
    summary = {
        "model": assistant.bundle.name,
        "machine": machine(),
        "questions": str(len(photos) + len(clip)),
        "all in": f"{time.monotonic() - started:.0f} s",
    }
    page = render_page([*photos, *clip], "What it saw, searched and answered", summary)
    write_atomic(output / PAGE, page.encode())
    return [*photos, *clip]


def _ask_photo(assistant: Assistant, row: dict[str, object]) -> Asked:
    frame, question = read_image(PHOTOS / str(row["photo"])), str(row["question"])
    point = row.get("point")
    answer = assistant.ask(frame, question, point=point if isinstance(point, list) else None)
    click.echo(f"photo     {row['photo']}\n{report(question, answer)}\n")
    return Asked(str(row["photo"]), question, frame, answer)


def _ask_clip(assistant: Assistant, video: Path) -> list[Asked]:
    try:
        speech = open_speech()
    except Fault as fault:
        click.echo(f"{video.name} is silent: {fault}", err=True)
        speech = None
    camera, questions = open_camera(str(CLIP)), read_clip_questions(CLIP_QUESTIONS)
    with click.progressbar(length=camera.frames or 0, label="clip", file=sys.stderr) as bar:
        answers = run_clip(assistant, camera, questions, record=video, speech=speech, on_frame=lambda: bar.update(1))
    asked = [
        Asked(f"{CLIP.name} at {one.asked.second:g} s", one.asked.question, one.frame, one.answer)
        for one in answers
    ]
    for one in asked:
        click.echo(f"clip      {one.where}\n{report(one.question, one.answer)}\n")
    return asked


@click.group(cls=Commands, invoke_without_command=True)
@click.option(
    "--output", type=PATH, default=Path("demo"), show_default=True, help="Folder for page and video."
)
@bundle_option
@packs_option
def main(output: Path, bundle: Path | None, packs: tuple[Path, ...]) -> None:
    """Ask the shipped photographs and the clip; writes answers.html and glasses.mp4."""
    with open_assistant(bundle, packs_or_default(packs)) as assistant:
        run_demo(assistant, output)
    click.echo(f"wrote {output / PAGE} and {output / VIDEO}")


if __name__ == "__main__":
    main(prog_name="python -m pixsearch.apps.demo")
