"""Microphone and loudspeaker of the machine, through PortAudio. No call waits for a device that has died."""

import contextlib
import time
from typing import Any

import numpy as np

from pixsearch.edge.voice.audio import FRAME_SAMPLES, SAMPLE_RATE, Samples

POLL_S = 0.008
STUCK_S = 2.0  # a loudspeaker that takes nothing for so long is lost


class PortAudioMicrophone:
    """A microphone by its index, the default one when None."""

    def __init__(self, device: int | None = None) -> None:
        self.name = "microphone" if device is None else f"microphone {device}"
        self._device = device

    def open(self) -> "_Input":
        """Raises OSError while there is none."""
        return _Input(self._device)


class PortAudioLoudspeaker:
    """A loudspeaker by its index, the default one when None."""

    def __init__(self, device: int | None = None) -> None:
        self.name = "loudspeaker" if device is None else f"loudspeaker {device}"
        self._device = device

    def open(self, rate: int) -> "_Output":
        """Raises OSError while there is none."""
        return _Output(self._device, rate)


class _Stream:
    """A stream with a PortAudio of its own: devices that come back are seen only by a new one."""

    def __init__(self, **options: Any) -> None:
        import pyaudio

        self._audio = pyaudio.PyAudio()
        try:
            self._stream = self._audio.open(format=pyaudio.paInt16, channels=1, frames_per_buffer=FRAME_SAMPLES,
                                            **options)
        except BaseException:
            self._audio.terminate()
            raise

    def close(self) -> None:
        """Drop what is under way."""
        with contextlib.suppress(OSError):
            self._stream.close()
        self._audio.terminate()


class _Input(_Stream):
    def __init__(self, device: int | None) -> None:
        super().__init__(rate=SAMPLE_RATE, input=True, input_device_index=device)

    def read(self, wait_s: float) -> Samples | None:
        deadline = time.monotonic() + wait_s
        while self._stream.get_read_available() < FRAME_SAMPLES:
            if time.monotonic() >= deadline:
                return None
            time.sleep(POLL_S)
        return np.frombuffer(self._stream.read(FRAME_SAMPLES, exception_on_overflow=False), np.int16)


class _Output(_Stream):
    def __init__(self, device: int | None, rate: int) -> None:
        super().__init__(rate=rate, output=True, output_device_index=device)
        self.latency_s = float(self._stream.get_output_latency())

    def write(self, samples: Samples) -> None:
        deadline = time.monotonic() + STUCK_S
        while len(samples):
            room = self._stream.get_write_available()
            if room > 0:
                self._stream.write(samples[:room].tobytes(), exception_on_underflow=False)
                samples, deadline = samples[room:], time.monotonic() + STUCK_S
            elif time.monotonic() >= deadline:
                raise OSError(f"the loudspeaker took nothing for {STUCK_S:g} s")
            else:
                time.sleep(POLL_S)
