"""Where frames come from: a camera, a clip, a stream, a GStreamer pipeline or a folder of frames."""

import math
import os
from pathlib import Path

import cv2
import numpy as np

from pixsearch.contract.faults import Fault
from pixsearch.contract.images import FORMATS, MAX_PIXELS, Pixels, read_image
from pixsearch.edge.live.camera import Camera
from pixsearch.edge.live.pipelines import Pipeline, pipeline_of

DEFAULT_FPS, MAX_FPS = 25.0, 240.0
FOLDER_FPS = 10.0
OPEN_TIMEOUT_MS, READ_TIMEOUT_MS = 5000, 2000  # after which a stream that gives nothing is closed
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # a read that timed out is told by the loop's health
PICTURES = {f".{name.lower()}" for name in (*FORMATS, "jpg", "tif")}
# OpenCV reads these once: that a torn picture is no news, and how many seconds a plugged camera may give nothing.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "8")  # fatal ones only
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(READ_TIMEOUT_MS // 1000))


def open_camera(source: str) -> Camera:
    """Open "0" (a camera's index), a clip, a folder of frames, a URL, or a GStreamer pipeline ("csi", "v4l2src ! …").

    Raises Fault when no frame can be had there now.
    """
    check_source(source)
    if (pipeline := pipeline_of(source)) is not None:
        return Pipeline(pipeline)
    if Path(source).is_dir():
        return Folder(Path(source))
    return OpenCvCamera(source)


def check_source(source: str) -> None:
    """Refuse what can never be a source. Raises Fault."""
    if source.isdecimal() or "://" in source or pipeline_of(source) is not None or Path(source).exists():
        return
    raise Fault(f"camera {source}", expected="a clip, a folder, a camera index, a URL or a pipeline",
                actual="no such file", remedy="check the path")


def is_live(source: str) -> bool:
    """Whether frames come at their own time, so that a source which ends has been lost."""
    return not Path(source).exists()


class OpenCvCamera(Camera):
    """A clip, a camera index or a stream URL through OpenCV; frames are all of the size of the first."""

    def __init__(self, source: str) -> None:
        """Raises Fault when nothing can be read there."""
        self.source, self.live = source, is_live(source)
        if source.isdecimal():
            self._capture = cv2.VideoCapture(int(source))
        else:
            self._capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS])
        self._first = self._read() if self._capture.isOpened() else None
        if self._first is None:
            self.close()
            raise Fault(f"camera {source}", expected="frames that OpenCV can decode", actual="none",
                        remedy="give another clip or camera, or convert the clip to MP4")
        self.height, self.width = self._first.shape[:2]
        if self.height * self.width > MAX_PIXELS:
            self.close()
            raise Fault(f"camera {source}", expected=f"at most {MAX_PIXELS} pixels a frame",
                        actual=f"{self.width} x {self.height}", remedy="scale the clip down")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = float(rate) if math.isfinite(rate) and 0 < rate <= MAX_FPS else DEFAULT_FPS
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.frames = int(count) if math.isfinite(count) and count > 0 and not self.live else None

    def read(self) -> Pixels | None:
        """See `Camera.read`; None too when the size of the frames changes."""
        frame, self._first = self._first, None
        if frame is None:
            frame = self._read()
        return frame if frame is not None and frame.shape[:2] == (self.height, self.width) else None

    def skip(self) -> bool:
        """See `Camera.skip`."""
        if self._first is not None:
            self._first = None
            return True
        return bool(self._capture.grab())

    def close(self) -> None:
        """See `Camera.close`."""
        self._capture.release()

    def _read(self) -> Pixels | None:
        read, frame = self._capture.read()
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), dtype=np.uint8) if read else None


class Folder(Camera):
    """The pictures of a folder by name, each a frame; all must be of the size of the first."""

    live = False

    def __init__(self, folder: Path, fps: float = FOLDER_FPS) -> None:
        """Raises Fault when there is none."""
        self.source, self.fps = str(folder), fps
        self._paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
        if not self._paths:
            raise Fault(f"folder {folder}", expected="pictures, one a frame", actual="none",
                        remedy="check the path")
        self.frames = len(self._paths)
        self.height, self.width = read_image(self._paths[0]).shape[:2]
        self._next = 0

    def read(self) -> Pixels | None:
        """See `Camera.read`. Raises Fault for a picture that cannot be read, or of another size."""
        if self._next == self.frames:
            return None
        path = self._paths[self._next]
        self._next += 1
        frame = read_image(path)
        if frame.shape[:2] != (self.height, self.width):
            raise Fault(f"frame {path}", expected=f"{self.width} x {self.height} pixels, as the first",
                        actual=f"{frame.shape[1]} x {frame.shape[0]}", remedy="scale them alike")
        return frame

    def skip(self) -> bool:
        """See `Camera.skip`."""
        self._next = min(self._next + 1, self.frames)
        return self._next < self.frames

    def close(self) -> None:
        """See `Camera.close`."""
