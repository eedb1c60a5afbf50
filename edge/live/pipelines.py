"""Frames of a GStreamer pipeline, run as a program of its own: OpenCV from PyPI is built without GStreamer."""

import re
import select
import shlex
import shutil
import subprocess
import tempfile
import time
from typing import IO

import cv2
import numpy as np

from pixsearch.contract.faults import Fault
from pixsearch.contract.images import MAX_PIXELS, Pixels
from pixsearch.edge.live.camera import Camera

PROGRAM = "gst-launch-1.0"
FIRST_FRAME_S, NEXT_FRAME_S = 10.0, 3.0  # a sensor may take seconds to start
STOP_S = 3.0
MAX_HEADER_BYTES = 1000
# The camera connector of a Jetson board: "csi", or "csi:1" for the second sensor.
CSI = ("nvarguscamerasrc sensor-id={sensor} ! video/x-raw(memory:NVMM),width=1280,height=720,framerate=30/1 "
       "! nvvidconv ! video/x-raw,format=I420")
_CSI_NAME = re.compile(r"csi(?::([0-9]{1,2}))?")


def pipeline_of(source: str) -> str | None:
    """The GStreamer pipeline that a source names, without its sink; None where it names none."""
    if preset := _CSI_NAME.fullmatch(source):
        return CSI.format(sensor=preset[1] or 0)
    return source if " ! " in source else None


class Pipeline(Camera):
    """A running pipeline whose pictures come as YUV4MPEG2 through a pipe."""

    live = True
    frames = None

    def __init__(self, pipeline: str) -> None:
        """Raises Fault when the program is missing, or gives no picture."""
        if shutil.which(PROGRAM) is None:
            raise Fault(f"pipeline {pipeline}", expected=f"the program {PROGRAM}", actual="none",
                        remedy="apt install gstreamer1.0-tools gstreamer1.0-plugins-good")
        self.source = pipeline
        words = f"{pipeline} ! videoconvert ! video/x-raw,format=I420 ! y4menc ! fdsink fd=1"
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 closed by `close`; a pipe would fill unread
        self._process = subprocess.Popen([PROGRAM, "-q", *shlex.split(words)], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, stderr=self._said, bufsize=0)
        header = self._line(time.monotonic() + FIRST_FRAME_S)
        fields = {word[:1]: word[1:] for word in header.decode("ascii", "replace").split()[1:]}
        try:
            self.width, self.height = int(fields["W"]), int(fields["H"])
            above, below = fields.get("F", "25:1").split(":")
            self.fps = int(above) / int(below)
            if not 0 < self.width * self.height <= MAX_PIXELS or self.width % 2 or self.height % 2:
                raise ValueError(f"{self.width} x {self.height} pixels")
        except (KeyError, ValueError, ZeroDivisionError) as error:
            complaint = self._complaint()
            self.close()
            raise Fault(f"pipeline {pipeline}", expected="pictures of even width and height",
                        actual=complaint or str(error), remedy="try it with gst-launch-1.0") from error

    def read(self) -> Pixels | None:
        """See `Camera.read`."""
        planes = self._frame()
        if planes is None:
            return None
        picture = np.frombuffer(planes, np.uint8).reshape(self.height * 3 // 2, self.width)
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_YUV2RGB_I420), np.uint8)

    def skip(self) -> bool:
        """See `Camera.skip`."""
        return self._frame() is not None

    def close(self) -> None:
        """See `Camera.close`."""
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()
        self._said.close()

    @property
    def _output(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _complaint(self) -> str:
        """What the program said when it failed."""
        self._said.seek(0)
        return " ".join(self._said.read(4096).decode("utf-8", "replace").split())[:200]

    def _frame(self) -> bytes | None:
        deadline = time.monotonic() + NEXT_FRAME_S
        if not self._line(deadline).startswith(b"FRAME"):
            return None
        return self._bytes(self.width * self.height * 3 // 2, deadline)

    def _line(self, deadline: float) -> bytes:
        """Up to the next line break; what came until then, when the time is up."""
        line = b""
        while not line.endswith(b"\n") and len(line) < MAX_HEADER_BYTES:
            letter = self._bytes(1, deadline)
            if letter is None:
                break
            line += letter
        return line

    def _bytes(self, count: int, deadline: float) -> bytes | None:
        """Exactly so many; None when the pipe ends, or the time is up."""
        content = bytearray()
        while len(content) < count:
            ready, _, _ = select.select([self._output], [], [], max(0.0, deadline - time.monotonic()))
            part = self._output.read(count - len(content)) if ready else b""
            if not part:
                return None
            content += part
        return bytes(content)
