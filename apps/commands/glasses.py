"""`pixsearch glasses`: a camera that can be asked, or a clip with questions at their moments."""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pixsearch.apps.clip_questions import read_clip_questions
from pixsearch.apps.cloud import cloud_options
from pixsearch.apps.companion import memory_option, open_companion
from pixsearch.apps.console import PATH, bundle_option, check_output, packs_option
from pixsearch.apps.defaults import packs_or_default
from pixsearch.apps.extras import needs_extra
from pixsearch.apps.glasses import ClipAnswer, run_clip
from pixsearch.apps.live import run_live, stopping, typed
from pixsearch.apps.report import report
from pixsearch.apps.voice import listen, open_speech, show, voice_options
from pixsearch.apps.web.address import DEFAULT_PORT, Address, WebAddress
from pixsearch.apps.web.hub import Hub
from pixsearch.edge.assistant import open_assistant
from pixsearch.edge.companion import Companion
from pixsearch.edge.live import Loop, LoopOptions, check_source, open_camera
from pixsearch.edge.voice.events import VoiceEvent
from pixsearch.edge.voice.speech import Speech

if TYPE_CHECKING:
    from pixsearch.apps.web.server import WebView

Tell = Callable[[VoiceEvent], None]


@click.command(short_help="Ask a camera that goes on, or a clip while it runs.")
@click.option(
    "--camera",
    default="0",
    show_default=True,
    metavar="SOURCE",
    help='A camera index, a clip, a folder of frames, a stream URL, a GStreamer pipeline, or "csi" on a Jetson.',
)
@click.option(
    "--questions",
    type=PATH,
    help='Ask these of a clip, each on the frame of its moment, and end. JSON lines: {"second": 1.5, '
    '"question": "What is this?"}, with "point": [x, y] if wanted. Without, questions are typed.',
)
@packs_option
@bundle_option
@click.option("--record", type=PATH, help="Write an MP4 with mask, answer and evidence; needs --questions.")
@click.option("--spoken", is_flag=True, help="Answers are spoken in what --record writes; needs the extra speech.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after this much time.")
@click.option("--repeat", is_flag=True, help="Begin a clip again when it ends.")
@click.option("--proactive", is_flag=True, help="Name what has been looked at for two seconds.")
@click.option("--web", type=WebAddress(), is_flag=False, flag_value=str(DEFAULT_PORT),
              help="Show a page: what the camera sees, and answers. On this machine alone, unless a host is named; "
              "its address has a token then. Needs the extra web.")
@memory_option
@cloud_options
@voice_options
def glasses(
    camera: str,
    questions: Path | None,
    packs: tuple[Path, ...],
    bundle: Path | None,
    record: Path | None,
    spoken: bool,
    seconds: float | None,
    repeat: bool,
    proactive: bool,
    web: Address | None,
    memory: Path | None,
    no_memory: bool,
    cloud: str | None,
    cloud_model: str | None,
    voice: bool,
    wake: str,
    microphone: str | None,
    loudspeaker: str | None,
) -> None:
    """Look through a camera and answer questions about what is seen, until Ctrl-C or the end of a clip."""
    if record and not questions:
        raise click.UsageError("--record needs --questions")
    if spoken and not record:
        raise click.UsageError("--spoken needs --record")
    if (microphone or loudspeaker) and not voice:
        raise click.UsageError("--microphone and --loudspeaker need --voice")
    if questions and web:
        raise click.UsageError("--web shows a camera that goes on, which --questions does not")

    def opened() -> Companion:
        return open_companion(open_assistant(bundle, packs_or_default(packs)), memory, no_memory, cloud, cloud_model)

    if questions:
        _ask_clip(opened, camera, questions, record, open_speech() if spoken else None, seconds)
        return
    check_source(camera)
    with stopping() as stop, ExitStack() as faces:
        companion = faces.enter_context(opened())
        loop = faces.enter_context(Loop(companion, camera, LoopOptions(repeat, proactive)))
        hub = Hub(loop) if web else None
        speaking = None
        if voice:
            tell = _both(show, hub.heard) if hub else show
            speaking = faces.enter_context(listen(loop, wake, microphone, loudspeaker, tell))
        if hub and web:
            hub.button = speaking
            view = faces.enter_context(_web_view(hub, web))
            click.echo(f"view      {view.url}", err=True)
        faces.enter_context(typed(loop, sys.stdin, speaking.talk if speaking else None))
        run_live(loop, stop, seconds)


@needs_extra("web")
def _web_view(hub: Hub, address: Address) -> "WebView":
    from pixsearch.apps.web.server import WebView

    return WebView(hub, address)


def _both(first: Tell, second: Tell) -> Tell:
    def tell(event: VoiceEvent) -> None:
        first(event)
        second(event)
    return tell


def _ask_clip(
    opened: Callable[[], Companion],
    camera: str,
    questions: Path,
    record: Path | None,
    speech: Speech | None,
    seconds: float | None,
) -> None:
    """The way that can be repeated: every frame of a clip, each question on its own."""
    if record:
        check_output(record, ".mp4")
    asked, source = read_clip_questions(questions), open_camera(camera)
    with (
        opened() as companion,
        click.progressbar(length=source.frames or 0, label="frames", file=sys.stderr) as bar,
    ):
        run_clip(
            companion,
            source,
            asked,
            record=record,
            speech=speech,
            seconds=seconds,
            on_answer=_show,
            on_frame=lambda: bar.update(1),
        )


def _show(given: ClipAnswer) -> None:
    click.echo(f"at        {given.asked.second:g} s\n{report(given.asked.question, given.answer)}\n")
