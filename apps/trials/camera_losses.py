"""`python -m pixsearch.apps.trials.camera_losses`: cameras that are lost, again and again, and come back."""

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import click
import psutil

from pixsearch.apps.console import Commands, bundle_option, json_option, print_json
from pixsearch.apps.defaults import packs_or_default
from pixsearch.apps.floors import machine
from pixsearch.apps.trials.clips import write_clip
from pixsearch.apps.trials.rtsp import RtspServer, write_h264
from pixsearch.contract.files import write_atomic
from pixsearch.edge.assistant import Assistant, open_assistant
from pixsearch.edge.live import Loop, LoopOptions, State

CLIP_S, CLIP_FPS = 4.0, 15.0
LIMIT_S = 10.0  # in which a camera must be back
NOTICED_S = 20.0  # in which a loss must be noticed
AWAY_S = (0.0, 0.5, 2.0, 7.0)  # how long it stays away, once that was noticed: shorter and longer than timeouts
ENDED_S = 5.0  # that the system may take to bury a thread which has ended
SILENT_S = 1.5  # without a new picture, after which "streaming" is a lie: the limit of 1 s, and a tick of the watch


class Losable(Protocol):
    """A source that can be taken away and given back."""

    source: str

    def lose(self) -> None:
        """Take it away."""

    def give_back(self) -> None:
        """Let it be there again."""

    def close(self) -> None:
        """End it."""


class Killed:
    """An RTSP server that is killed, and started again."""

    def __init__(self, folder: Path, clip: str) -> None:
        self._server = RtspServer(folder)
        self.source = self._server.url(clip)
        self.give_back()

    def lose(self) -> None:
        """See `Losable`."""
        self._server.kill()

    def give_back(self) -> None:
        """See `Losable`."""
        self._server.start()

    def close(self) -> None:
        """End the server."""
        self._server.kill()


class Frozen(Killed):
    """An RTSP server that stops in the middle, its connections open, and goes on later."""

    def lose(self) -> None:
        """See `Losable`."""
        self._server.freeze(True)

    def give_back(self) -> None:
        """See `Losable`; the first time starts the server."""
        if self._server.running:
            self._server.freeze(False)
        else:
            self._server.start()


class Truncated:
    """A clip that is cut off while it is shown, and made whole again."""

    def __init__(self, path: Path) -> None:
        self.source, self._path, self._whole = str(path), path, path.read_bytes()

    def lose(self) -> None:
        """See `Losable`."""
        with self._path.open("r+b") as stream:  # in place: the loop has it open
            stream.truncate(len(self._whole) // 10)

    def give_back(self) -> None:
        """See `Losable`."""
        write_atomic(self._path, self._whole)

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Tally:
    """What was seen of losses of one kind; seconds."""

    noticed_s: list[float] = field(default_factory=list)
    recovered_s: list[float] = field(default_factory=list)
    not_noticed: int = 0
    not_recovered: int = 0
    lies: int = 0  # times that "streaming" was said of a silent stream

    def as_json(self) -> dict[str, Any]:
        """Counts, and the slowest."""
        return {"losses": len(self.recovered_s) + self.not_recovered + self.not_noticed,
                "noticed_max_s": round(max(self.noticed_s, default=0), 2),
                "recovered_max_s": round(max(self.recovered_s, default=0), 2),
                "not_noticed": self.not_noticed, "not_recovered": self.not_recovered, "called_streaming": self.lies}


def wait_for(true: Callable[[], bool], seconds: float) -> float | None:
    """Seconds until something is so; None when it is not in time."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if true():
            return time.monotonic() - began
        time.sleep(0.02)
    return None


@contextmanager
def watched(loop: Loop, tally: Tally) -> Iterator[None]:
    """Counts when a loop says that it is streaming though it has shown nothing new, by a clock of its own."""
    done = threading.Event()

    def watch() -> None:
        number, since, lying = -1, time.monotonic(), False
        while not done.wait(0.05):
            health, view, now = loop.health(), loop.view(), time.monotonic()
            if view is not None and view.number != number:
                number, since = view.number, now
            if health.state is not State.STREAMING:
                since = now
            was, lying = lying, now - since > SILENT_S
            tally.lies += lying and not was

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def lose_often(assistant: Assistant, thing: Losable, times: int, on_loss: Callable[[], None] = lambda: None) -> Tally:
    """Lose one source again and again under a loop."""
    tally = Tally()
    with Loop(assistant, thing.source, LoopOptions(repeat=True)) as loop, watched(loop, tally):
        def shows_after(number: int) -> bool:
            view = loop.view()
            return loop.health().state is State.STREAMING and view is not None and view.number > number

        assert wait_for(lambda: shows_after(-1), NOTICED_S) is not None, loop.health()
        for number in range(times):
            thing.lose()
            noticed = wait_for(lambda: loop.health().state in (State.LOST, State.STALLED), NOTICED_S)
            time.sleep(AWAY_S[number % len(AWAY_S)])
            thing.give_back()
            last = view.number if (view := loop.view()) else -1
            recovered = wait_for(partial(shows_after, last), 2 * LIMIT_S)
            _note(tally, noticed, recovered)
            on_loss()
    return tally


def _note(tally: Tally, noticed: float | None, recovered: float | None) -> None:
    if noticed is None:
        tally.not_noticed += 1
    elif recovered is None or recovered > LIMIT_S:
        tally.not_recovered += 1
    else:
        tally.noticed_s.append(noticed)
        tally.recovered_s.append(recovered)


def run_losses(assistant: Assistant, losses: int, on_loss: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Losses of three kinds in turn, and the threads and handles that stay afterwards."""
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as name, ExitStack() as opened:
        folder = Path(name)
        served, cut = folder / "served", folder / "cut.avi"
        served.mkdir()
        write_h264(served / "clip.mp4", write_clip(cut, True, CLIP_S, fps=CLIP_FPS))
        things: dict[str, Losable] = {
            "killed RTSP server": Killed(served, "clip.mp4"), "frozen stream": Frozen(served, "clip.mp4"),
            "truncated file": Truncated(cut)}
        for thing in things.values():
            opened.callback(thing.close)
            lose_often(assistant, thing, 1)  # what is opened once, for good, is no leak
        before = process.num_fds(), process.num_threads()
        counts = {kind: losses // 3 + (place < losses % 3) for place, kind in enumerate(things)}
        tallies = {kind: lose_often(assistant, things[kind], count, on_loss) for kind, count in counts.items()}
        wait_for(lambda: process.num_threads() <= before[1], ENDED_S)
        after = process.num_fds(), process.num_threads()
    return {"kinds": {kind: tally.as_json() for kind, tally in tallies.items()},
            "leaked_handles": after[0] - before[0], "leaked_threads": after[1] - before[1]}


def kept(result: dict[str, Any]) -> bool:
    """Whether every loss was noticed and mended in time, and nothing stayed."""
    wrong = ("not_noticed", "not_recovered", "called_streaming")
    return max(result["leaked_handles"], result["leaked_threads"]) <= 0 and not any(
        tally[name] for tally in result["kinds"].values() for name in wrong)


@click.group(cls=Commands, invoke_without_command=True)
@click.option("--losses", type=click.IntRange(min=3), default=100, show_default=True)
@bundle_option
@json_option
def main(losses: int, bundle: Path | None, as_json: bool) -> None:
    """Kill, freeze and cut off cameras under a loop, and time until they are back."""
    with open_assistant(bundle, packs_or_default(())) as assistant, click.progressbar(
            length=losses, label="losses", file=sys.stderr) as bar:
        result = run_losses(assistant, losses, lambda: bar.update(1))
    result = {"machine": machine(), **result, "kept": kept(result)}
    if as_json:
        print_json(result)
        return
    for kind, tally in result["kinds"].items():
        click.echo(f"{kind:20} " + ", ".join(f"{name} {value}" for name, value in tally.items()))
    click.echo(f"leaked handles {result['leaked_handles']}, leaked threads {result['leaked_threads']}")


if __name__ == "__main__":
    main(prog_name="python -m pixsearch.apps.trials.camera_losses")
