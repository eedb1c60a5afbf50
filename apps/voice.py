"""The voice as a face of the loop: which devices, what is printed, and what is said of an answer."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from pixsearch.apps.extras import needs_extra
from pixsearch.contract.faults import Fault
from pixsearch.edge.answer import Answer
from pixsearch.edge.live import Loop
from pixsearch.edge.voice.devices import Loudspeaker, Microphone
from pixsearch.edge.voice.engines import Engines
from pixsearch.edge.voice.events import Replied, StateChanged, Unanswered, Understood, VoiceEvent, VoiceState
from pixsearch.edge.voice.portaudio import PortAudioLoudspeaker, PortAudioMicrophone
from pixsearch.edge.voice.session import Session, Wake
from pixsearch.edge.voice.sound_files import FileLoudspeaker, SoundMicrophone
from pixsearch.edge.voice.speech import Speech
from pixsearch.edge.voice.wake import WORDS, WakeWord

Function = TypeVar("Function", bound=Callable[..., Any])
DEFAULT_WORD = "hey jarvis"


def voice_options(function: Function) -> Function:
    """`--voice` and what belongs to it."""
    for option in (
        click.option("--loudspeaker", metavar="DEVICE", help="A device's index, or a wav file to write."),
        click.option("--microphone", metavar="DEVICE", help="A device's index, or a wav file that is heard as if it "
                     "were spoken now."),
        click.option("--wake", type=click.Choice([*WORDS, Wake.BUTTON.value, Wake.SPEECH.value]), default=DEFAULT_WORD,
                     show_default=True, help="What a spoken question begins with: a word, an empty line typed "
                     "(button), or any speech."),
        click.option("--voice", is_flag=True, help="Hear questions and speak answers; needs the extra voice."),
    ):
        function = option(function)
    return function


def show(event: VoiceEvent) -> None:
    """Print what the voice tells."""
    if isinstance(event, StateChanged) and event.state is VoiceState.DEAF:
        click.echo(f"voice     no microphone ({event.cause}); it is tried again and again", err=True)
    elif isinstance(event, StateChanged):
        click.echo(f"voice     {event.state}", err=True)
    elif isinstance(event, Understood):
        click.echo(f"heard     {event.words or '(nothing)'}")
    elif isinstance(event, Unanswered):
        click.echo(f"question  {event.words}\nfailed    {event.reason}\n")
    elif isinstance(event, Replied) and event.trouble:
        click.echo(f"voice     not spoken: {event.trouble}", err=True)


@contextmanager
def listen(loop: Loop, wake: str = DEFAULT_WORD, microphone: str | None = None, loudspeaker: str | None = None,
           tell: Callable[[VoiceEvent], None] = show) -> Iterator[Session[Answer]]:
    """A face of the loop that hears and speaks. `talk` and `release` of the session are its push-to-talk.

    tell : hears what the voice tells, and must not wait
    Raises Fault when the extra is missing, or a file cannot be read.
    """
    with ExitStack() as opened:
        word = opened.enter_context(closing(_word(wake))) if wake in WORDS else None
        heard, spoken = _microphone(microphone), _loudspeaker(loudspeaker)
        if isinstance(spoken, FileLoudspeaker):
            opened.enter_context(closing(spoken))
        yield opened.enter_context(Session(heard, spoken, loop.ask, said_of, tell, engines=_engines(), wake=word,
                                           begin=Wake.WORD if word else Wake(wake)))


@needs_extra("speech")
def open_speech() -> Speech:
    """A voice for recorded videos. Raises Fault when the extra is missing."""
    import lameenc  # noqa: F401

    return Speech()


_engines = needs_extra("voice")(Engines)
_word = needs_extra("voice")(WakeWord)
_sound = needs_extra("voice")(SoundMicrophone.of_file)


def said_of(answer: Answer) -> str:
    """What is spoken; what a server elsewhere said is told as its word."""
    cloud = answer.cloud.words if answer.cloud else None
    return f"{answer.answer} The cloud says: {cloud}" if cloud else answer.answer


def _microphone(device: str | None) -> Microphone:
    if device is not None and not device.isdecimal():
        return _sound(Path(device))
    _check_portaudio()
    return PortAudioMicrophone(int(device) if device else None)


def _loudspeaker(device: str | None) -> Loudspeaker:
    if device is None or device.isdecimal():
        _check_portaudio()
        return PortAudioLoudspeaker(int(device) if device else None)
    path = Path(device)
    if path.suffix.lower() != ".wav" or not path.parent.is_dir():
        raise Fault(f"loudspeaker {device}", expected="an index, or a name in an existing folder that ends in .wav",
                    actual=path.name, remedy="choose another")
    return FileLoudspeaker(path)


@needs_extra("voice")
def _check_portaudio() -> None:
    import pyaudio  # noqa: F401
