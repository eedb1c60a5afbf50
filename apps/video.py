"""Frames in and out: a camera or clip through OpenCV, and an MP4 that appears whole or not at all."""

import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import sync_directory
from pixsearch.contract.images import MAX_PIXELS, Pixels

DEFAULT_FPS = 25.0
MAX_FPS = 240.0
CODEC = "mp4v"


class Camera:
    """Frames of a clip, a camera index ("0") or a stream URL, as uint8 RGB (H, W, 3), all of one size."""

    def __init__(self, source: str) -> None:
        """Raises Fault when nothing can be read there."""
        if not source.isdecimal() and "://" not in source and not Path(source).is_file():
            raise Fault(
                f"camera {source}",
                expected="a clip, a camera index or a URL",
                actual="no such file",
                remedy="check the path",
            )
        self.source = source
        self._capture = cv2.VideoCapture(int(source) if source.isdecimal() else source)
        first = self._read() if self._capture.isOpened() else None
        if first is None:
            self.close()
            raise Fault(
                f"camera {source}",
                expected="frames that OpenCV can decode",
                actual="none",
                remedy="give another clip or camera, or convert the clip to MP4",
            )
        if first.shape[0] * first.shape[1] > MAX_PIXELS:
            self.close()
            raise Fault(
                f"camera {source}",
                expected=f"at most {MAX_PIXELS} pixels a frame",
                actual=f"{first.shape[1]} x {first.shape[0]}",
                remedy="scale the clip down",
            )
        self._first = first
        self.height, self.width = first.shape[:2]
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = float(rate) if math.isfinite(rate) and 0 < rate <= MAX_FPS else DEFAULT_FPS
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.frames = int(count) if math.isfinite(count) and count > 0 else None

    def __iter__(self) -> Iterator[Pixels]:
        """Every frame, once; ends with the clip or where a stream changes its size."""
        frame: Pixels | None = self._first
        while frame is not None and frame.shape[:2] == (self.height, self.width):
            yield frame
            frame = self._read()

    def close(self) -> None:
        """Release the device or file."""
        self._capture.release()

    def _read(self) -> Pixels | None:
        read, frame = self._capture.read()
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), dtype=np.uint8) if read else None


class Recorder:
    """Writes RGB frames of one size to an opened file."""

    def __init__(self, path: Path, fps: float) -> None:
        self._path, self._fps = path, fps
        self._writer: cv2.VideoWriter | None = None

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

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.release()


@contextmanager
def recording(path: Path, fps: float) -> Iterator[Recorder]:
    """A recorder whose file becomes `path` when the block ends well and vanishes when it does not."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=".mp4")
    os.close(descriptor)
    temporary, recorder = Path(name), Recorder(Path(name), fps)
    try:
        yield recorder
        recorder.close()
        temporary.chmod(0o644)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        recorder.close()
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
