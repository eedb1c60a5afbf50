"""Thirty spoken questions: synthesised by several voices at several speeds, with noise at stated levels."""

import io
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.edge.voice.audio import SAMPLE_RATE, Samples, decode, to_float, to_int16, wav_bytes

QUESTIONS = Path(__file__).parent / "spoken" / "questions.jsonl"
OWN_VOICE = "heart"  # Hibari's; all other names are eSpeak's
WORDS_A_MINUTE = 160  # eSpeak's at speed 1
LEVEL = 0.1  # root mean square of speech, of full scale
HUM_HZ = 50.0
BABBLERS = 4


@dataclass(frozen=True)
class SpokenQuestion:
    """One question and how it is spoken.

    voice  : "heart", or the name of an eSpeak voice
    speed  : 1 is usual
    noise  : "hum" (mains and its overtones), "white", or "babble" (other questions at once)
    snr_db : power of the speech over that of the noise, while there is speech
    """

    question: str
    voice: str
    speed: float
    noise: str
    snr_db: float


def read_spoken_questions(path: Path = QUESTIONS) -> list[SpokenQuestion]:
    """The committed questions."""
    return [SpokenQuestion(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]


class Narrator:
    """Speaks as the questions want it. Raises Fault when eSpeak is wanted and missing."""

    def __init__(self) -> None:
        from hibari import Hibari

        self._own = Hibari()

    def say(self, words: str, voice: str, speed: float) -> NDArray[np.float32]:
        """Floats at 16 kHz whose speech has the usual level, without silence at its ends."""
        wav = self._hibari(words, speed) if voice == OWN_VOICE else _espeak(words, voice, speed)
        sound = to_float(decode(io.BytesIO(wav)))
        loud = np.flatnonzero(np.abs(sound) > np.abs(sound).max() / 50)
        sound = sound[loud[0] : loud[-1] + 1]
        return (sound * (LEVEL / _rms(sound))).astype(np.float32)

    def _hibari(self, words: str, speed: float) -> bytes:
        return wav_bytes(to_int16(np.asarray(self._own(words, speed=speed, seed=0), np.float32)), 24_000)


def _espeak(words: str, voice: str, speed: float) -> bytes:
    program = shutil.which("espeak-ng")
    if program is None:
        raise Fault("program espeak-ng", expected="one that speaks the questions", actual="not installed",
                    remedy="apt install espeak-ng")
    done = subprocess.run([program, "-v", voice, "-s", str(round(WORDS_A_MINUTE * speed)), "--stdout", words],
                          capture_output=True, check=True)
    return done.stdout


def recording(narrator: Narrator, row: SpokenQuestion, others: Sequence[SpokenQuestion], seed: int,
              before: str = "", before_s: float = 1.0, after_s: float = 1.0, gap_s: float = 0.15) -> Samples:
    """A question in its noise, int16 at 16 kHz.

    before : said first, by the same voice: the word that wakes
    """
    parts = [np.zeros(round(before_s * SAMPLE_RATE), np.float32)]
    if before:
        parts += [narrator.say(before, row.voice, row.speed), np.zeros(round(gap_s * SAMPLE_RATE), np.float32)]
    parts.append(narrator.say(row.question, row.voice, row.speed))
    sound = np.concatenate([*parts, np.zeros(round(after_s * SAMPLE_RATE), np.float32)])
    noise = _noise(narrator, row, others, len(sound), np.random.default_rng(seed))
    return to_int16(sound + noise * np.float32(LEVEL / 10 ** (row.snr_db / 20) / _rms(noise)))


def _noise(narrator: Narrator, row: SpokenQuestion, others: Sequence[SpokenQuestion], length: int,
           rng: np.random.Generator) -> NDArray[np.float32]:
    if row.noise == "white":
        return rng.standard_normal(length).astype(np.float32)
    if row.noise == "hum":
        at = np.arange(length) / SAMPLE_RATE
        overtones = [np.sin(2 * np.pi * HUM_HZ * n * at) / n for n in (1, 2, 3, 5)]
        return np.asarray(sum(overtones) + 0.1 * rng.standard_normal(length), np.float32)
    talkers = [one for one in others if one is not row]
    babble = np.zeros(length, np.float32)
    for number in rng.choice(len(talkers), BABBLERS, replace=False):
        one = talkers[number]
        spoken = np.roll(np.resize(narrator.say(one.question, one.voice, one.speed), length), rng.integers(length))
        babble += spoken
    return babble


def _rms(sound: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
