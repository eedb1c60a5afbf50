"""`python -m pixsearch.apps.trials.soak`: the loop for an hour, with questions and losses, and what its memory does."""

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import click
import psutil

from pixsearch.apps.console import Commands, bundle_option, json_option, print_json
from pixsearch.apps.defaults import packs_or_default
from pixsearch.apps.floors import machine
from pixsearch.apps.trials.camera_losses import Truncated
from pixsearch.apps.trials.clips import write_clip
from pixsearch.contract.faults import Fault
from pixsearch.edge.assistant import Assistant, open_assistant
from pixsearch.edge.live import Loop, LoopOptions

MB = 1 << 20
SETTLED_S = 60.0  # from which growth counts
ASK_EVERY_S, LOSE_EVERY_S, FORGET_EVERY_S = 5.0, 45.0, 30.0
QUESTIONS = ("What is this?", "What is this on the left?", "Who made it?", "How many are there?", "What colour is it?")
POINTS = ((320.0, 240.0), None, (200.0, 300.0))
MOST_GROWTH_MB = 5.0


@dataclass
class Trail:
    """What was measured once a second."""

    memory_mb: list[float] = field(default_factory=list)
    handles: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    asked: int = 0
    answered: int = 0

    def measure(self, process: psutil.Process) -> None:
        """Add a second."""
        self.memory_mb.append(process.memory_info().rss / MB)
        self.handles.append(process.num_fds())
        self.threads.append(process.num_threads())

    def as_json(self, settled_s: float) -> dict[str, Any]:
        """Growth from the ten seconds after `settled_s` to the last ten, and the most in between."""
        start = min(int(settled_s), len(self.memory_mb) - 1)
        first, last = (median(part) for part in (self.memory_mb[start:start + 10], self.memory_mb[-10:]))
        return {"seconds": len(self.memory_mb), "asked": self.asked, "answered": self.answered,
                "memory_first_mb": round(first, 1), "memory_last_mb": round(last, 1),
                "growth_mb": round(last - first, 1),
                "most_mb": round(max(self.memory_mb[start:]) - first, 1),
                "memory_mb_by_minute": [round(median(self.memory_mb[at:at + 60]), 1)
                                        for at in range(0, len(self.memory_mb), 60)],
                "handles": [self.handles[start], self.handles[-1]], "threads": [self.threads[start], self.threads[-1]]}


def soak(assistant: Assistant, seconds: float, settled_s: float = SETTLED_S, ask_every_s: float = ASK_EVERY_S,
         on_second: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Run a loop over a moving clip that is cut off now and then, ask it, and measure once a second."""
    trail, process = Trail(), psutil.Process()
    with tempfile.TemporaryDirectory() as folder:
        clip = Truncated(write_clip(Path(folder) / "clip.avi", moving=True))
        with Loop(assistant, clip.source, LoopOptions(repeat=True, proactive=True)) as loop:
            asker = threading.Thread(target=_ask_often, args=(loop, clip, trail, seconds, ask_every_s))
            asker.start()
            began = time.monotonic()
            while len(trail.memory_mb) < seconds:
                time.sleep(max(0.0, began + len(trail.memory_mb) + 1 - time.monotonic()))
                trail.measure(process)
                on_second()
            asker.join()
    return trail.as_json(settled_s)


def _ask_often(loop: Loop, clip: Truncated, trail: Trail, seconds: float, every_s: float) -> None:
    """Ask in turn, lose the camera at times, and take the pinned answer away at others."""
    ends, lost, forgotten = time.monotonic() + seconds, time.monotonic(), time.monotonic()
    while (now := time.monotonic()) < ends - every_s:
        with suppress(Fault):  # while the camera is away
            ticket = loop.ask(QUESTIONS[trail.asked % len(QUESTIONS)], point=POINTS[trail.asked % len(POINTS)])
            trail.asked += 1
            ticket.result(60)
            trail.answered += 1
        if now - lost > LOSE_EVERY_S:
            clip.lose()
            time.sleep(2)
            clip.give_back()
            lost = now
        if now - forgotten > FORGET_EVERY_S:
            loop.forget()
            forgotten = now
        time.sleep(max(0.0, min(now + every_s, ends) - time.monotonic()))


@click.group(cls=Commands, invoke_without_command=True)
@click.option("--minutes", type=click.FloatRange(min=1.5), default=60, show_default=True)
@bundle_option
@json_option
def main(minutes: float, bundle: Path | None, as_json: bool) -> None:
    """Let the loop run and be asked, and tell how its memory grew after the first minute."""
    seconds = round(60 * minutes)
    with open_assistant(bundle, packs_or_default(())) as assistant, click.progressbar(
            length=seconds, label="seconds", file=sys.stderr) as bar:
        result = soak(assistant, seconds, on_second=lambda: bar.update(1))
    result = {"machine": machine(), **result, "kept": result["growth_mb"] <= MOST_GROWTH_MB}
    if as_json:
        print_json(result)
        return
    for name, value in result.items():
        click.echo(f"{name:20} {value}")


if __name__ == "__main__":
    main(prog_name="python -m pixsearch.apps.trials.soak")
