"""`python -m pixsearch.apps.trials.wake_word`: how often the word wakes, and how often other speech does, by threshold.

Voices are none of those in `eval voice`, and texts none of its questions: a threshold may be chosen by this.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import cycle, islice
from typing import Any

import click
import numpy as np

from pixsearch.apps.console import Commands, json_option, print_json
from pixsearch.apps.defaults import PHOTOS
from pixsearch.apps.extras import needs_extra
from pixsearch.apps.floors import machine
from pixsearch.apps.spoken_questions import Narrator, SpokenQuestion, read_spoken_questions, recording
from pixsearch.apps.voice import DEFAULT_WORD
from pixsearch.edge.voice.activity import Activity
from pixsearch.edge.voice.audio import FRAME_SAMPLES, SAMPLE_RATE, Samples
from pixsearch.edge.voice.wake import THRESHOLD, WakeWord

VOICES = ("en-gb-scotland", "en-gb-x-rp", "en-us-nyc", "en-029", "en-gb-x-gbclan+f1", "en-us+m5", "en-gb-x-gbcwmd",
          "en-us+f4", "en-gb+m7", "en-us+m1")
SPEEDS = (0.85, 1.0, 1.15)
NOISES = (("hum", 25.0), ("white", 15.0), ("babble", 15.0), ("white", 20.0), ("babble", 20.0), ("white", 10.0))
ALIKE = ("Hey Travis, come here.", "Hey Charlie, look at this.", "Hey Marvin.", "The jar is this one.", "Hey, Jar Jar.",
         "They Jarred us.", "Hey Janice.", "Harvest it.", "Hey there, service!", "Hey, Carver is here.")
THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
WORDS_AT_ONCE = 60  # of other speech


def run_wake_word(hits: int, minutes: float) -> dict[str, Any]:
    """So many recordings of the word, and so many minutes of other speech."""
    narrator, activity = Narrator(), Activity()
    said = _rows(["look around"] * hits)
    other: dict[bool, list[float]] = {False: [], True: []}  # peaks by whether the text sounds like the word
    seconds, alike = 0.0, 0
    with closing(WakeWord(DEFAULT_WORD)) as word, click.progressbar(
            length=hits + round(60 * minutes), label="speech", file=sys.stderr) as bar:
        woken = []
        for number, row in enumerate(said):
            sound = recording(narrator, row, _others(), number, before=f"{DEFAULT_WORD.title()}.")
            woken.append(max(_likelihoods(word, activity, sound)))
            bar.update(1)
        for number, row in enumerate(_rows(cycle(_texts()))):
            if seconds >= 60 * minutes:
                break
            sound = recording(narrator, row, _others(), number)
            alike += row.question in ALIKE
            other[row.question in ALIKE] += _peaks(_likelihoods(word, activity, sound))
            seconds += len(sound) / SAMPLE_RATE
            bar.update(round(len(sound) / SAMPLE_RATE))
    return {"machine": machine(), "said": hits, "minutes_of_other_speech": round(seconds / 60, 1), "said_alike": alike,
            "by_threshold": {str(value): {"hits": round(float(np.mean(np.array(woken) >= value)), 3),
                                          "false_alarms": sum(peak >= value for peak in other[False]),
                                          "false_alarms_alike": sum(peak >= value for peak in other[True])}
                             for value in THRESHOLDS},
            "threshold": THRESHOLD}


def _rows(texts: Iterable[str]) -> Iterator[SpokenQuestion]:
    """Texts by all voices, speeds and noises in turn."""
    ways = zip(cycle(VOICES), cycle(SPEEDS), cycle(NOISES), strict=True)
    for text, (voice, speed, (noise, snr_db)) in zip(texts, ways, strict=False):
        yield SpokenQuestion(text, voice, speed, noise, snr_db)


def _texts() -> list[str]:
    """What sounds alike, and the questions about photographs that `eval voice` does not ask."""
    rows = (PHOTOS / "questions.jsonl").read_text("utf-8").splitlines()
    reported = {row.question for row in read_spoken_questions()}
    questions = [str(json.loads(row)["question"]) for row in rows]
    return [*ALIKE, *(question for question in questions if question not in reported)]


def _others() -> list[SpokenQuestion]:
    """Who babbles."""
    return list(islice(_rows(["Some people talk about the weather of the week."] * 6), 6))


def _likelihoods(word: WakeWord, activity: Activity, sound: Samples) -> list[float]:
    activity.reset()
    frames = sound[: len(sound) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    return [word.likelihood(frame, activity(frame) >= 0.5) for frame in frames]


def _peaks(likelihoods: Sequence[float]) -> list[float]:
    """The most in each second: a word wakes once."""
    step = SAMPLE_RATE // FRAME_SAMPLES
    return [max(likelihoods[at:at + step]) for at in range(0, len(likelihoods), step)]


@click.group(cls=Commands, invoke_without_command=True)
@click.option("--hits", type=click.IntRange(min=1), default=90, show_default=True, help="Recordings of the word.")
@click.option("--minutes", type=click.FloatRange(min=0.1), default=30, show_default=True, help="Of other speech.")
@json_option
@needs_extra("voice-eval")
def main(hits: int, minutes: float, as_json: bool) -> None:
    """Say the word, and other things, and count what wakes."""
    result = run_wake_word(hits, minutes)
    if as_json:
        print_json(result)
        return
    for value, row in result["by_threshold"].items():
        click.echo(f"{value:>5}  {row['hits']:.0%} woken, {row['false_alarms']} false alarms, "
                   f"{row['false_alarms_alike']} by what sounds alike")


if __name__ == "__main__":
    main(prog_name="python -m pixsearch.apps.trials.wake_word")
