"""A sound file as microphone, and one as loudspeaker, at the speed of real ones."""

import time
from pathlib import Path

import numpy as np

from pixsearch.edge.voice.audio import FRAME_S, FRAME_SAMPLES, SAMPLE_RATE, Samples, read_sound, write_wav

TAIL_S = 1.0  # of silence after the end, so that the last question ends
LONGEST_GAP_S = 600.0  # of silence that is written into a file
BUFFER_S = 0.2  # that a real loudspeaker has in store: what comes later than that is heard after a gap


class SoundMicrophone:
    """Sound that is heard as if somebody spoke it now: time goes by whether it is read or not.

    repeat : begin again at the end, instead of ending
    """

    def __init__(self, samples: Samples, name: str = "sound", repeat: bool = False) -> None:
        tail = np.zeros(round(TAIL_S * SAMPLE_RATE), np.int16)
        sound = np.concatenate([samples, tail])
        self._sound = np.pad(sound, (0, -len(sound) % FRAME_SAMPLES))
        self.name, self.repeat = name, repeat
        self.began: float | None = None  # time.monotonic of the first sample

    @classmethod
    def of_file(cls, path: Path, repeat: bool = False) -> "SoundMicrophone":
        """From a wav file. Raises Fault for one that cannot be read."""
        return cls(read_sound(path), path.name, repeat)

    @property
    def frames(self) -> int:
        """In one round."""
        return len(self._sound) // FRAME_SAMPLES

    def frame(self, number: int) -> Samples:
        """One frame of the sound, (512,)."""
        start = number % self.frames * FRAME_SAMPLES
        return self._sound[start : start + FRAME_SAMPLES]

    def open(self) -> "_Listening":
        """Listen from what is spoken now."""
        self.began = self.began or time.monotonic()
        return _Listening(self, self.began)


class _Listening:
    """An open `SoundMicrophone`."""

    def __init__(self, microphone: SoundMicrophone, began: float) -> None:
        self._microphone, self._began = microphone, began
        self._next = int((time.monotonic() - began) / FRAME_S)

    def read(self, wait_s: float) -> Samples | None:
        """The next frame when its time has come."""
        if self._next >= self._microphone.frames and not self._microphone.repeat:
            raise EOFError
        ready = self._began + (self._next + 1) * FRAME_S - time.monotonic()
        if ready > 0:
            time.sleep(min(ready, wait_s))
        if ready > wait_s:
            return None
        self._next += 1
        return self._microphone.frame(self._next - 1)

    def close(self) -> None:
        """Nothing is held."""


class FileLoudspeaker:
    """Keeps what is spoken, at its moment, and writes it to a wav file when closed.

    path : None keeps it in memory only
    """

    latency_s = 0.0

    def __init__(self, path: Path | None = None) -> None:
        self.name = path.name if path else "memory"
        self._path, self._rate, self._began = path, 0, time.monotonic()
        self._parts: list[Samples] = []
        self._length = 0

    def open(self, rate: int) -> "_Speaking":
        """All that is spoken must have one rate."""
        if self._rate not in (0, rate):
            raise ValueError(f"spoken at {self._rate} Hz before, now at {rate}")
        self._rate = rate
        return _Speaking(self)

    def add(self, samples: Samples, late: bool) -> None:
        """Append samples, after silence up to this moment if they are late."""
        if late:
            gap = min(time.monotonic() - self._began - self._length / self._rate, LONGEST_GAP_S)
            self._append(np.zeros(max(0, round(gap * self._rate)), np.int16))
        self._append(samples)

    def spoken(self) -> Samples:
        """All so far, int16 (n,)."""
        return np.concatenate(self._parts) if self._parts else np.zeros(0, np.int16)

    def close(self) -> None:
        """Write the file."""
        if self._path and self._rate:
            write_wav(self._path, self.spoken(), self._rate)

    @property
    def rate(self) -> int:
        """In Hz; 0 before anything was spoken."""
        return self._rate

    def _append(self, samples: Samples) -> None:
        self._parts.append(samples.copy())
        self._length += len(samples)


class _Speaking:
    """An open `FileLoudspeaker` that takes as long as a real one."""

    latency_s = 0.0

    def __init__(self, speaker: FileLoudspeaker) -> None:
        self._speaker, self._free_at = speaker, 0.0

    def write(self, samples: Samples) -> None:
        """Keep them, and take their time."""
        now = time.monotonic()
        late = now > self._free_at + BUFFER_S
        self._speaker.add(samples, late)
        self._free_at = (now if late else self._free_at) + len(samples) / self._speaker.rate
        time.sleep(max(0.0, self._free_at - time.monotonic()))

    def close(self) -> None:
        """Nothing is held."""
