"""`python -m pixsearch.apps.trials.reading`: how well signs are read whose words are known, and how long it takes."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click

from pixsearch.apps.companion import open_companion
from pixsearch.apps.console import Commands, bundle_option, json_option, print_json
from pixsearch.apps.extras import needs_extra
from pixsearch.apps.floors import machine
from pixsearch.apps.trials.signs import Look, Sign, a_scene
from pixsearch.edge.assistant import open_assistant
from pixsearch.edge.companion import Companion
from pixsearch.edge.outline import deepest_point
from pixsearch.edge.reading import Reader

LOOKS = {
    "letters of 24 pixels": Look(),
    "letters of 12 pixels": Look(size=12),
    "letters of 8 pixels": Look(size=8),
    "letters of 6 pixels": Look(size=6),
    "blurred by 1.5 pixels": Look(blur=1.5),
    "blurred by 2 pixels": Look(blur=2.0),
    "blurred by 3 pixels": Look(blur=3.0),
    "tilted by 60 degrees": Look(tilt=60),
    "tilted by 70 degrees": Look(tilt=70),
    "turned by 30 degrees": Look(turn=30),
    "dark and noisy": Look(light=0.25, noise=8.0),
}
ASKED = "What does it say?"


@dataclass(frozen=True)
class Outcome:
    """One sign: what is written, what was read in its true mask and in the one that a point at it finds, and how long.

    read_ms : the reading alone; asked_ms : from question to answer, with the picture encoded anew
    """

    words: str
    read: str
    asked: str
    read_ms: float
    asked_ms: float


def try_sign(reader: Reader, companion: Companion, sign: Sign) -> Outcome:
    """Read a sign in its true mask, and ask for it by pointing at it."""
    began = time.perf_counter()
    read = reader.read(sign.frame, sign.mask)
    read_ms = 1000 * (time.perf_counter() - began)
    companion.conversation.clear()
    answer = companion.ask(sign.frame, ASKED, point=deepest_point(sign.mask))
    asked = " ".join(hit.entity for hit in answer.searches[0].hits)
    return Outcome(sign.words, " ".join(line.text for line in read), asked, read_ms, answer.timings.total)


@needs_extra("voice-eval")
def wrong_letters(outcomes: list[Outcome], said: Callable[[Outcome], str]) -> float:
    """The character error rate: letters put in, left out and taken for others, per letter written; cases count."""
    import jiwer

    return round(float(jiwer.cer([" ".join(one.words.split()) for one in outcomes], list(map(said, outcomes)))), 3)


def run_reading(reader: Reader, companion: Companion, signs: int, on_sign: Callable[[], None] = lambda: None,
                first: int = 0, looks: Mapping[str, Look] = LOOKS) -> dict[str, Any]:
    """So many signs for each look."""
    told = {}
    every: list[Outcome] = []
    try_sign(reader, companion, a_scene(first, Look()))  # opens the models
    for name, look in looks.items():
        outcomes = []
        for seed in range(first, first + signs):
            outcomes.append(try_sign(reader, companion, a_scene(seed, look)))
            on_sign()
        told[name] = _summed(outcomes)
        every += outcomes
    return {"signs": len(every), **_summed(every), "looks": told,
            "read_p50_ms": round(median(one.read_ms for one in every), 1),
            "asked_p50_ms": round(median(one.asked_ms for one in every), 1)}


def _summed(outcomes: list[Outcome]) -> dict[str, float]:
    return {"wrong_letters": wrong_letters(outcomes, lambda one: one.read),
            "wrong_letters_pointed_at": wrong_letters(outcomes, lambda one: one.asked),
            "nothing_read": round(sum(not one.read for one in outcomes) / len(outcomes), 3)}


@click.group(cls=Commands, invoke_without_command=True)
@click.option("--signs", type=click.IntRange(min=1), default=20, show_default=True, help="For each look.")
@click.option("--first", type=click.IntRange(min=0), default=100, show_default=True, help="Seed of the first sign.")
@bundle_option
@json_option
def main(signs: int, first: int, bundle: Path | None, as_json: bool) -> None:
    """Read signs that are drawn over photographs in several sizes, blurs, tilts and lights."""
    with open_companion(open_assistant(bundle), no_memory=True) as companion, \
            click.progressbar(length=signs * len(LOOKS), label="signs", file=sys.stderr) as bar:
        result = run_reading(needs_extra("ocr")(Reader)(), companion, signs, lambda: bar.update(1), first)
    result = {"machine": machine(), **result}
    if as_json:
        print_json(result)
        return
    for name, value in {**result, **result.pop("looks")}.items():
        click.echo(f"{name:26} {value}")


if __name__ == "__main__":
    main(prog_name="python -m pixsearch.apps.trials.reading")
