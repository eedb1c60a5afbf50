"""Frames out: an MP4 that appears whole or not at all."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from pixsearch.apps.soundtrack import Soundtrack, add_sound
from pixsearch.contract.faults import Fault
from pixsearch.contract.files import sync_directory
from pixsearch.contract.images import Pixels
from pixsearch.edge.voice.audio import Samples

CODEC = "mp4v"


class Recorder:
    """Writes RGB frames of one size to an opened file, and what is spoken meanwhile."""

    def __init__(self, path: Path, fps: float) -> None:
        self._path, self._fps = path, fps
        self._writer: cv2.VideoWriter | None = None
        self._frames = 0
        self._sound = Soundtrack()

    def write(self, frame: Pixels) -> None:
        """Add a frame, uint8 RGB (H, W, 3). Raises Fault when this build of OpenCV cannot write MP4."""
        if self._writer is None:
            size = frame.shape[1], frame.shape[0]
            self._writer = cv2.VideoWriter(str(self._path), cv2.VideoWriter.fourcc(*CODEC), self._fps, size)
            if not self._writer.isOpened():
                raise Fault(
                    f"recording {self._path.name}",
                    expected=f"an OpenCV that writes {CODEC}",
                    actual="one that does not",
                    remedy="install opencv-python-headless from PyPI",
                )
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        self._frames += 1

    def say(self, pieces: Iterable[Samples]) -> None:
        """Speech at 24 kHz from the next frame on; it ends what is said before."""
        self._sound.say(self._frames / self._fps, pieces)

    def close(self) -> None:
        """Finish the pictures."""
        if self._writer is not None:
            self._writer.release()

    def finish(self) -> None:
        """Finish the file, with its sound. Raises Fault when this file cannot take any."""
        self.close()
        if len(sound := self._sound.samples(self._frames / self._fps)):
            add_sound(self._path, sound)


@contextmanager
def recording(path: Path, fps: float) -> Iterator[Recorder]:
    """A recorder whose file becomes `path` when the block ends well and vanishes when it does not."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=".mp4")
    os.close(descriptor)
    temporary, recorder = Path(name), Recorder(Path(name), fps)
    try:
        yield recorder
        recorder.finish()
        temporary.chmod(0o644)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        recorder.close()
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
