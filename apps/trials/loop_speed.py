"""`python -m pixsearch.apps.trials.loop_speed`: how fast the loop sees, what watching costs, what answers take."""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import click
import psutil

from pixsearch.apps.console import Commands, bundle_option, json_option, print_json
from pixsearch.apps.defaults import packs_or_default
from pixsearch.apps.floors import machine
from pixsearch.apps.trials.clips import write_clip
from pixsearch.edge.assistant import Assistant, open_assistant
from pixsearch.edge.live import Loop, LoopOptions, Seen

SETTLE_S = 4.0  # before measuring: the first frames, and the pace, need a moment
WINDOW_S = 1.0  # of the slowest moment that counts
LEAST_FPS, MOST_IDLE, MOST_OVERLAY_MS, LEAST_CAPTURE_FPS = 15.0, 0.6, 120.0, 10.0
QUESTION = "What is this?"


class Watched:
    """A loop over a clip, measured for some seconds: views, frames captured, and processor time."""

    def __init__(self, loop: Loop, seconds: float, on_tick: Callable[[], None]) -> None:
        process = psutil.Process()
        with loop.subscribe(Seen, size=10_000) as events:
            spent, began = _spent(process), time.monotonic()
            captured = [loop.captured]
            while time.monotonic() - began < seconds:
                time.sleep(WINDOW_S)
                captured.append(loop.captured)
                on_tick()
            self.seconds = time.monotonic() - began
            self.cores = (_spent(process) - spent) / self.seconds
            self.views = [event.view for event in iter(lambda: events.get(0), None) if isinstance(event, Seen)]
        self.capture_fps = [after - before for before, after in zip(captured, captured[1:], strict=False)]

    def as_json(self) -> dict[str, float | None]:
        """Frames a second, milliseconds from frame to view, and cores."""
        ages = [1000 * (view.perceived_at - view.captured_at) for view in self.views]
        return {"perceived_fps": round(len(self.views) / self.seconds, 1),
                "encoded_fps": round(sum(not view.still for view in self.views) / self.seconds, 1),
                "capture_fps": round(sum(self.capture_fps) / self.seconds, 1),
                "capture_fps_least": round(min(self.capture_fps) / WINDOW_S, 1),
                "overlay_p50_ms": round(median(ages), 1) if ages else None, "cores": round(self.cores, 2)}


def measure(assistant: Assistant, seconds: float, on_tick: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """A still scene, a moving one, one in which a thing is followed, and one with question after question."""
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        still, moving = (write_clip(Path(folder) / f"{moving}.avi", moving) for moving in (False, True))
        with Loop(assistant, str(still), LoopOptions(repeat=True)) as loop:
            time.sleep(min(SETTLE_S, seconds))
            result["still"] = Watched(loop, seconds, on_tick).as_json()
        with Loop(assistant, str(moving), LoopOptions(repeat=True)) as loop:
            time.sleep(min(SETTLE_S, seconds))
            result["moving"] = Watched(loop, seconds, on_tick).as_json()
            loop.ask(QUESTION, point=(320, 240)).result(60)
            result["following"] = Watched(loop, seconds, on_tick).as_json()
            result["answering"] = _while_answering(loop, seconds, on_tick)
    return result


def _while_answering(loop: Loop, seconds: float, on_tick: Callable[[], None]) -> dict[str, Any]:
    """Ask again as soon as the last answer is there."""
    took: list[float] = []
    going = True

    def ask_again(_: object = None) -> None:
        if going:
            asked = time.monotonic()
            ticket = loop.ask(QUESTION, point=(320, 240))
            ticket.add_done_callback(lambda _: took.append(1000 * (time.monotonic() - asked)))
            ticket.add_done_callback(ask_again)

    ask_again()
    measured = Watched(loop, seconds, on_tick).as_json()
    going = False
    return {**measured, "answers": len(took), "answer_p50_ms": round(median(took), 1) if took else None}


def _spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def kept(result: dict[str, Any]) -> bool:
    """Whether all that is promised of speed holds."""
    still, moving, answering = result["still"], result["following"], result["answering"]
    return bool(still["perceived_fps"] >= LEAST_FPS and still["cores"] <= MOST_IDLE
                and moving["overlay_p50_ms"] <= MOST_OVERLAY_MS and answering["capture_fps_least"] >= LEAST_CAPTURE_FPS)


@click.group(cls=Commands, invoke_without_command=True)
@click.option("--seconds", type=click.FloatRange(min=2), default=20, show_default=True, help="Of each measurement.")
@bundle_option
@json_option
def main(seconds: float, bundle: Path | None, as_json: bool) -> None:
    """Measure the loop on a 640 x 480 clip of 30 frames a second."""
    with open_assistant(bundle, packs_or_default(())) as assistant, click.progressbar(
            length=round(4 * seconds / WINDOW_S), label="seconds", file=sys.stderr) as bar:
        result = measure(assistant, seconds, lambda: bar.update(1))
    result = {"machine": machine(), "load_before": round(os.getloadavg()[0], 1), **result, "kept": kept(result)}
    if as_json:
        print_json(result)
        return
    for name, value in result.items():
        click.echo(f"{name:12} {value}")


if __name__ == "__main__":
    main(prog_name="python -m pixsearch.apps.trials.loop_speed")
