"""Spoken questions: noise at the level that is stated, words compared as people would; lost devices come back."""

import numpy as np
import pytest

from pixsearch.apps.eval_voice import _plain
from pixsearch.apps.spoken_questions import OWN_VOICE, Narrator, SpokenQuestion, read_spoken_questions, recording
from pixsearch.apps.trials.audio_losses import Trial
from pixsearch.apps.trials.sound_server import KINDS, Files
from pixsearch.edge.voice.audio import SAMPLE_RATE, to_float


@pytest.fixture(scope="module")
def narrator() -> Narrator:
    return Narrator()


def test_thirty_questions_are_spoken_by_several_voices_in_several_noises() -> None:
    rows = read_spoken_questions()
    assert len(rows) == len({row.question for row in rows}) == 30
    assert len({row.voice for row in rows}) >= 3 and {row.noise for row in rows} == {"hum", "white", "babble"}
    assert all(0 < row.snr_db <= 30 for row in rows)


@pytest.mark.parametrize("noise", ["hum", "white", "babble"])
@pytest.mark.parametrize("snr_db", [5.0, 20.0])
def test_noise_has_the_level_that_is_stated(narrator: Narrator, noise: str, snr_db: float) -> None:
    row = SpokenQuestion("What is this?", OWN_VOICE, 1.0, noise, snr_db)
    others = [SpokenQuestion(f"Where are {what}?", OWN_VOICE, 1.0, "hum", 30) for what in
              ("the keys", "my shoes", "all the cups", "the two cats")]
    quiet = to_float(recording(narrator, SpokenQuestion(row.question, OWN_VOICE, 1.0, "white", 200), others, 0))
    noisy = to_float(recording(narrator, row, others, 0))
    speech = quiet[SAMPLE_RATE:-SAMPLE_RATE]  # a second of silence before and after
    ratio = 10 * np.log10(np.mean(speech ** 2) / np.mean((noisy - quiet) ** 2))
    assert ratio == pytest.approx(snr_db, abs=0.5)


@pytest.mark.parametrize("said, plain", [
    ("What's this?", "what's this"), ("Which  color, exactly?", "which colour exactly"), ("...", "")])
def test_marks_and_spellings_are_no_mistakes(said: str, plain: str) -> None:
    assert _plain(said) == plain


def test_sound_that_is_lost_in_every_way_comes_back_and_nothing_leaks() -> None:
    result = Trial(Files()).run(len(KINDS))
    assert result["recovered"] == len(KINDS) and not result["failed"]
    assert result["leaked_threads"] <= 0 and result["leaked_handles"] <= 0
