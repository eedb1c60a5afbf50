"""The word that wakes: likely where it is said, unlikely elsewhere, and counted so by the trial."""

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from pixsearch.apps.spoken_questions import OWN_VOICE, Narrator, SpokenQuestion, read_spoken_questions, recording
from pixsearch.apps.trials.wake_word import ALIKE, VOICES, _likelihoods, _peaks, _rows, _texts
from pixsearch.edge.voice.activity import Activity
from pixsearch.edge.voice.audio import FRAME_SAMPLES, SAMPLE_RATE
from pixsearch.edge.voice.wake import THRESHOLD, WakeWord


@pytest.fixture(scope="module")
def word() -> Iterator[WakeWord]:
    with closing(WakeWord("hey jarvis")) as opened:
        yield opened


@pytest.mark.parametrize(("before", "likely"), [("Hey Jarvis.", True), ("", False), ("Good morning.", False)])
def test_the_word_is_likely_where_it_is_said(word: WakeWord, before: str, likely: bool) -> None:
    row = SpokenQuestion("What is this?", OWN_VOICE, 1.0, "white", 40)
    sound = recording(Narrator(), row, [row], 0, before=before)
    assert (max(_likelihoods(word, Activity(), sound)) >= THRESHOLD) == likely


def test_silence_is_not_listened_to(word: WakeWord) -> None:
    assert {word.likelihood(np.zeros(FRAME_SAMPLES, np.int16), speech=False) for _ in range(60)} == {0.0}


def test_a_word_counts_once_a_second() -> None:
    second = SAMPLE_RATE // FRAME_SAMPLES
    assert _peaks([0.1] * second + [0.2, 0.9, 0.8] + [0.0] * second) == [0.1, 0.9, 0.0]


def test_what_a_threshold_is_chosen_by_is_not_what_is_reported() -> None:
    reported = read_spoken_questions()
    assert not {row.voice for row in reported} & set(VOICES)
    assert not {row.question for row in reported} & set(_texts())
    assert {row.voice for row in _rows(ALIKE)} == set(VOICES)
