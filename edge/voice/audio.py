"""What all of the voice agrees on: sample rate, frames, and sound files in and out."""

import os
import wave
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault

Samples = NDArray[np.int16]  # one channel, (n,)

SAMPLE_RATE: Final = 16_000  # Hz, what is heard
FRAME_SAMPLES: Final = 512  # what the activity detector wants at 16 kHz
FRAME_S: Final = FRAME_SAMPLES / SAMPLE_RATE  # 32 ms
MAX_FILE_S: Final = 3600.0
FULL_SCALE: Final = 32_767


def read_sound(path: Path) -> Samples:
    """A sound file as int16 at 16 kHz, one channel. Raises Fault for what is no sound, or longer than an hour."""
    from faster_whisper.audio import decode_audio

    if not path.is_file():
        raise Fault(f"sound {path}", expected="a file", actual="none", remedy="check the path")
    try:
        sound = decode_audio(str(path), sampling_rate=SAMPLE_RATE)
    except Exception as error:  # the decoder has many of its own, and an IndexError for a file without sound
        raise Fault(f"sound {path}", expected="a wav file or another that FFmpeg reads",
                    actual=str(error)[:100] or type(error).__name__, remedy="record it again") from error
    if len(sound) > MAX_FILE_S * SAMPLE_RATE:
        raise Fault(f"sound {path}", expected=f"at most {MAX_FILE_S:g} s", actual=f"{len(sound) / SAMPLE_RATE:.0f} s",
                    remedy="cut it")
    return to_int16(sound)


def write_wav(path: Path, samples: Samples, rate: int) -> None:
    """Write one channel of int16 at `rate` Hz; the file appears whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with wave.open(str(temporary), "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            file.writeframes(samples.astype("<i2").tobytes())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def to_int16(sound: NDArray[np.float32]) -> Samples:
    """Floats from -1 to 1 as int16; louder ones are clipped."""
    return (np.clip(sound, -1.0, 1.0) * FULL_SCALE).astype(np.int16)


def to_float(samples: Samples) -> NDArray[np.float32]:
    """int16 as floats from -1 to 1."""
    return samples.astype(np.float32) / np.float32(FULL_SCALE + 1)
