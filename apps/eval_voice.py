"""`eval voice`: spoken questions through the microphone's path: words misheard, seconds to the first spoken word."""

import re
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Any

import click
import numpy as np

from pixsearch.apps.defaults import DEFAULT_SIZE, PHOTOS, packs_or_default
from pixsearch.apps.extras import needs_extra
from pixsearch.apps.floors import machine
from pixsearch.apps.spoken_questions import Narrator, read_spoken_questions, recording
from pixsearch.apps.voice import DEFAULT_WORD, said_of
from pixsearch.contract.images import read_image
from pixsearch.edge.answer import Answer
from pixsearch.edge.assistant import Assistant, open_assistant
from pixsearch.edge.voice.audio import FRAME_SAMPLES, SAMPLE_RATE, Samples
from pixsearch.edge.voice.engines import Engines
from pixsearch.edge.voice.events import Replied, VoiceEvent, Woken
from pixsearch.edge.voice.session import Session
from pixsearch.edge.voice.sound_files import FileLoudspeaker, SoundMicrophone
from pixsearch.edge.voice.wake import WakeWord

PHOTO = PHOTOS / "robin.jpg"  # what is looked at while all questions are asked
AFTER_S = 1.0  # of silence, in which a question must have ended
LONGEST_ANSWER_S = 20.0
SPELLINGS = {"color": "colour"}


@dataclass(frozen=True)
class _Outcome:
    """What became of one spoken question. `heard` is "" where the word was not noticed or no words were found."""

    woken: bool
    heard: str
    first_word_s: float | None


@needs_extra("voice-eval")
def evaluate_voice(limit: int | None = None) -> dict[str, Any]:
    """Speak the committed questions in real time, each after the word that wakes; without it, count false alarms.

    Raises Fault when an extra or eSpeak is missing.
    """
    import jiwer

    rows, narrator, engines, started = read_spoken_questions(), Narrator(), Engines(), time.monotonic()
    chosen, outcomes, alarms, without_s = rows[:limit], list[_Outcome](), 0, 0.0
    with (open_assistant(None, packs_or_default(())) as assistant, closing(WakeWord(DEFAULT_WORD)) as word,
          click.progressbar(chosen, label="questions", file=sys.stderr) as bar):
        for number, row in enumerate(bar):
            sound = recording(narrator, row, rows, number, before=f"{DEFAULT_WORD.title()}.", after_s=AFTER_S)
            outcomes.append(_converse(assistant, engines, word, sound))
            without = recording(narrator, row, rows, number, after_s=AFTER_S)
            alarms += _wakes(engines, word, without)
            without_s += len(without) / SAMPLE_RATE
    spoken, heard = [_plain(row.question) for row in chosen], [_plain(one.heard) for one in outcomes]
    firsts = [one.first_word_s for one in outcomes if one.first_word_s is not None]
    metrics = {
        "word_error": jiwer.wer(spoken, heard),
        "understood": sum(map(str.__eq__, spoken, heard)) / len(chosen),
        "answered": len(firsts) / len(chosen),
        "first_word_p50_s": float(np.median(firsts)) if firsts else None,
        "first_word_p95_s": float(np.percentile(firsts, 95)) if firsts else None,
        "wake_hits": sum(one.woken for one in outcomes) / len(chosen),
        "wake_false_alarms": alarms,
        "minutes_without_the_word": without_s / 60,
    }
    return {"benchmark": "voice", "n": len(chosen), "bundle": assistant.bundle.name or DEFAULT_SIZE,
            "machine": machine(), "seconds": round(time.monotonic() - started, 1),
            "metrics": {name: value if value is None else round(value, 4) for name, value in metrics.items()},
            "misheard": [{"spoken": row.question, "heard": one.heard, "voice": row.voice, "noise": row.noise,
                          "snr_db": row.snr_db} for row, one, said, got in
                         zip(chosen, outcomes, spoken, heard, strict=True) if said != got]}


def _converse(assistant: Assistant, engines: Engines, word: WakeWord, sound: Samples) -> _Outcome:
    """One question in real time, asked of a photograph, until its answer begins to be spoken."""
    frame, events = read_image(PHOTO), Queue[VoiceEvent]()
    with ThreadPoolExecutor(1) as answering:

        def ask(question: str) -> "Future[Answer]":
            return answering.submit(assistant.ask, frame, question)

        with Session(SoundMicrophone(sound), FileLoudspeaker(), ask, said_of, events.put, engines=engines, wake=word):
            deadline = time.monotonic() + len(sound) / SAMPLE_RATE + LONGEST_ANSWER_S
            woken, reply = False, None
            while reply is None and (left := deadline - time.monotonic()) > 0:
                try:
                    event = events.get(timeout=left)
                except Empty:
                    break
                woken |= isinstance(event, Woken)
                reply = event if isinstance(event, Replied) else None
                if not woken and time.monotonic() > deadline - LONGEST_ANSWER_S + AFTER_S:
                    break
    return _Outcome(woken, reply.question if reply else "", reply.first_word_s if reply else None)


def _wakes(engines: Engines, word: WakeWord, sound: Samples) -> int:
    """How often sound without the word wakes."""
    engines.activity.reset()
    frames = sound[: len(sound) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    return sum(word.feed(frame, engines.activity(frame) >= 0.5) for frame in frames)


def _plain(words: str) -> str:
    """Small letters without marks: what counts as the same word."""
    plain = re.sub(r"[^a-z0-9' ]", " ", words.lower()).split()
    return " ".join(SPELLINGS.get(one, one) for one in plain)
