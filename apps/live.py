"""The loop at a terminal: typed questions, answers as they come, and a clean end on Ctrl-C and SIGTERM."""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO

import click

from pixsearch.apps.report import report
from pixsearch.apps.service import Manager
from pixsearch.contract.faults import Fault
from pixsearch.edge.live import Answered, Failed, HealthChanged, Loop, Noticed, State, is_live

GIVE_UP_S = 15.0  # after which a file that cannot be read is no camera that might come back


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, instead of ending the program where it stands."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_live(loop: Loop, stop: threading.Event, seconds: float | None = None) -> None:
    """Print what the loop tells until it is stopped, its clip ends, or so many seconds have passed.

    Raises Fault for a clip that cannot be read.
    """
    timer = threading.Timer(seconds, stop.set) if seconds is not None else None
    if timer:
        timer.start()
    try:
        with loop.subscribe(Answered, Failed, Noticed, HealthChanged) as events, Manager() as manager:
            while not stop.is_set() and not _over(loop):
                manager.look(loop)
                if (event := events.get(0.2)) is not None:
                    _tell(event)
            while (event := events.get(0)) is not None:
                _tell(event)
    finally:
        if timer:
            timer.cancel()


def _over(loop: Loop) -> bool:
    """Whether a clip was shown and all that was asked about it is answered."""
    health = loop.health()
    if health.state is State.LOST and not is_live(loop.source) and (health.silent_s or loop.running_s) > GIVE_UP_S:
        raise Fault(f"camera {loop.source}", expected="frames", actual=health.cause, remedy="give another clip")
    return health.state is State.ENDED and not loop.busy


def _tell(event: object) -> None:
    if isinstance(event, Answered):
        click.echo(f"{report(event.ticket.question, event.answer)}\n")
    elif isinstance(event, Failed):
        click.echo(f"question  {event.ticket.question}\nfailed    {event.reason}\n")
    elif isinstance(event, Noticed):
        click.echo(f"noticed   {event.name} ({event.confidence:.2f})\n")
    elif isinstance(event, HealthChanged):
        health = event.health
        alarms = "; ".join(f"{alarm.name}: {alarm.message}" for alarm in health.alarms)
        click.echo(f"camera    {health.state}{f' ({health.cause})' if health.cause else ''}"
                   f"{f', {alarms}' if alarms else ''}", err=True)


@contextmanager
def typed(loop: Loop, lines: IO[str], talk: Callable[[], None] | None = None) -> Iterator[None]:
    """A face of the loop: each line is a question. A point may stand before it: "320,240 What is this?".

    talk : what an empty line does: the button of the voice
    """
    reader = threading.Thread(target=_ask_all, args=(loop, lines, talk), name="pixsearch-typed", daemon=True)
    reader.start()  # a daemon: nothing can wake a thread that waits for a terminal
    yield


def _ask_all(loop: Loop, lines: Iterable[str], talk: Callable[[], None] | None) -> None:
    for line in lines:
        if not (words := line.strip()):
            if talk:
                talk()
            continue
        try:
            loop.ask(*_point_and_question(words))
        except Fault as fault:
            click.echo(f"pixsearch: {fault}", err=True)


def _point_and_question(words: str) -> tuple[str, tuple[float, float] | None]:
    first, _, rest = words.partition(" ")
    try:
        x, y = map(float, first.split(","))
    except ValueError:
        return words, None
    return rest, (x, y)
