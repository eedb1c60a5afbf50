"""Microphones and loudspeakers that can be taken away: a sound server of one's own, and sound files."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from pixsearch.contract.faults import Fault
from pixsearch.edge.voice.audio import SAMPLE_RATE, Samples
from pixsearch.edge.voice.devices import Heard, Loudspeaker, Microphone, Spoken
from pixsearch.edge.voice.portaudio import PortAudioLoudspeaker, PortAudioMicrophone
from pixsearch.edge.voice.sound_files import FileLoudspeaker, SoundMicrophone

READY_S = 10.0
KINDS = ("killed", "frozen", "removed")
ALSA = "</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\nctl.!default { type pulse }\n"


class Sound(Protocol):
    """A microphone and a loudspeaker that go and come back together."""

    microphone: Microphone
    loudspeaker: Loudspeaker

    def lose(self, kind: str) -> None:
        """Take them away, in one of KINDS."""

    def give_back(self, kind: str) -> None:
        """Let them be there again."""

    def close(self) -> None:
        """End it."""


class PulseAudio:
    """A PulseAudio server with a null sink, in a folder of its own; PortAudio reaches it through ALSA's plugin."""

    def __init__(self, folder: Path) -> None:
        """Raises Fault when the programs are missing. Only the first in a process is seen by its ALSA."""
        if not (shutil.which("pulseaudio") and shutil.which("pactl")):
            raise Fault("program pulseaudio", expected="a sound server for the trial", actual="not installed",
                        remedy="apt install pulseaudio pulseaudio-utils libasound2-plugins, or pass --files")
        self._socket = folder / "socket"
        (folder / "alsa.conf").write_text(ALSA)
        os.environ.update(ALSA_CONFIG_PATH=str(folder / "alsa.conf"), PULSE_SERVER=f"unix:{self._socket}",
                          PULSE_RUNTIME_PATH=str(folder), XDG_RUNTIME_DIR=str(folder), HOME=str(folder))
        self.microphone: Microphone = PortAudioMicrophone()
        self.loudspeaker: Loudspeaker = PortAudioLoudspeaker()
        self._start()

    def lose(self, kind: str) -> None:
        """See `Sound`."""
        if kind == "removed":
            self._control("unload-module", "module-null-sink")
        else:
            self._server.send_signal(signal.SIGSTOP if kind == "frozen" else signal.SIGKILL)

    def give_back(self, kind: str) -> None:
        """See `Sound`."""
        if kind == "removed":
            self._control("load-module", "module-null-sink")
        elif kind == "frozen":
            self._server.send_signal(signal.SIGCONT)
        else:
            self._server.wait()
            self._start()

    def close(self) -> None:
        """See `Sound`."""
        self._server.kill()
        self._server.wait()

    def _start(self) -> None:
        self._socket.unlink(missing_ok=True)
        self._server = subprocess.Popen(
            ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes",
             "-L", f"module-native-protocol-unix socket={self._socket} auth-anonymous=1", "-L", "module-null-sink"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + READY_S
        while not self._socket.exists() and time.monotonic() < deadline:
            time.sleep(0.02)

    def _control(self, *words: str) -> None:
        subprocess.run(["pactl", *words], check=True, stdout=subprocess.DEVNULL, timeout=READY_S)


class Files:
    """The same over sound files, for machines without a sound server."""

    def __init__(self) -> None:
        self._gone = ""
        self.microphone: Microphone = _FileMicrophone(self.check)
        self.loudspeaker: Loudspeaker = _FileLoudspeaker(self.check)

    def check(self) -> bool:
        """Whether sound passes; False for none. Raises OSError where a device would."""
        if self._gone in ("killed", "removed"):
            raise OSError(f"the device was {self._gone}")
        return not self._gone

    def lose(self, kind: str) -> None:
        """See `Sound`."""
        self._gone = kind

    def give_back(self, kind: str) -> None:
        """See `Sound`."""
        self._gone = ""

    def close(self) -> None:
        """See `Sound`."""


class _FileMicrophone:
    name = "microphone of a file"

    def __init__(self, check: Callable[[], bool]) -> None:
        self._hum, self._check = SoundMicrophone(np.ones(SAMPLE_RATE, np.int16), repeat=True), check

    def open(self) -> Heard:
        self._check()
        return _FileHeard(self._hum.open(), self._check)


class _FileHeard:
    def __init__(self, heard: Heard, check: Callable[[], bool]) -> None:
        self._heard, self._check = heard, check

    def read(self, wait_s: float) -> Samples | None:
        frame = self._heard.read(wait_s)
        return frame if self._check() else None

    def close(self) -> None:
        self._heard.close()


class _FileLoudspeaker:
    name = "loudspeaker of a file"

    def __init__(self, check: Callable[[], bool]) -> None:
        self._check = check

    def open(self, rate: int) -> Spoken:
        if not self._check():
            raise OSError("the device is frozen")
        return _FileSpoken(FileLoudspeaker().open(rate), self._check)


class _FileSpoken:
    latency_s = 0.0

    def __init__(self, spoken: Spoken, check: Callable[[], bool]) -> None:
        self._spoken, self._check = spoken, check

    def write(self, samples: Samples) -> None:
        if not self._check():
            raise OSError("the device took nothing")
        self._spoken.write(samples)

    def close(self) -> None:
        self._spoken.close()
