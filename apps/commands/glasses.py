"""`pixsearch glasses`: questions about a clip at their moments."""

import sys
from pathlib import Path

import click

from pixsearch.apps.clip_questions import read_clip_questions
from pixsearch.apps.console import PATH, bundle_option, check_output, packs_option
from pixsearch.apps.defaults import packs_or_default
from pixsearch.apps.glasses import ClipAnswer, run_clip
from pixsearch.apps.report import report
from pixsearch.apps.video import Camera
from pixsearch.edge.assistant import open_assistant


@click.command(short_help="Ask questions about a clip while it runs.")
@click.option("--camera", required=True, metavar="FILE", help="A clip, a camera index, or a stream URL.")
@click.option(
    "--questions",
    required=True,
    type=PATH,
    help='JSON lines: {"second": 1.5, "question": "What is this?"}, with "point": [x, y] if wanted.',
)
@packs_option
@bundle_option
@click.option("--record", type=PATH, help="Write an MP4 with mask, answer and evidence.")
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after this much of the clip."
)
def glasses(
    camera: str,
    questions: Path,
    packs: tuple[Path, ...],
    bundle: Path | None,
    record: Path | None,
    seconds: float | None,
) -> None:
    """Show a clip to the assistant and print the answers to the questions asked at their moments."""
    if record:
        check_output(record, ".mp4")
    asked = read_clip_questions(questions)
    source = Camera(camera)
    with (
        open_assistant(bundle, packs_or_default(packs)) as assistant,
        click.progressbar(length=source.frames or 0, label="frames", file=sys.stderr) as bar,
    ):
        run_clip(
            assistant,
            source,
            asked,
            record=record,
            seconds=seconds,
            on_answer=_show,
            on_frame=lambda: bar.update(1),
        )


def _show(given: ClipAnswer) -> None:
    click.echo(f"at        {given.asked.second:g} s\n{report(given.asked.question, given.answer)}\n")
