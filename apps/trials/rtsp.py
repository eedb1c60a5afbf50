"""A local RTSP server as a process of its own, that can be killed and frozen."""

import asyncio
import logging
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np

HOST = "127.0.0.1"
START_S = 20.0


class RtspServer:
    """Serves the clips of a folder, H.264 in MP4, over and over."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.create_server((HOST, 0)) as free:
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it was started and not killed."""
        return self._process is not None

    def url(self, clip: str) -> str:
        """Where a clip is served."""
        return f"rtsp://{HOST}:{self.port}/{clip}?play_count=0"

    def start(self) -> None:
        """Start it; returns when it takes connections. Raises TimeoutError."""
        self._process = subprocess.Popen([sys.executable, "-m", __spec__.name, str(self._folder), str(self.port)],
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection((HOST, self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.kill()
        raise TimeoutError("the RTSP server did not start")

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self, frozen: bool) -> None:
        """Stop it where it is, with all connections open, or let it go on."""
        if self._process:
            self._process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)


def write_h264(path: Path, source: Path) -> Path:
    """The clip `source` again as H.264, as servers need it."""
    import av

    capture = cv2.VideoCapture(str(source))
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=round(capture.get(cv2.CAP_PROP_FPS)),
                                   options={"preset": "ultrafast", "tune": "zerolatency", "g": "15"})
        stream.width, stream.height = int(capture.get(3)), int(capture.get(4))
        stream.pix_fmt = "yuv420p"
        while (read := capture.read())[0]:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(read[1], np.uint8), format="bgr24")))
        output.mux(stream.encode())
    capture.release()
    return path


if __name__ == "__main__":
    from aio_rtsp_toolkit.server import serve

    logging.disable(logging.CRITICAL)
    asyncio.run(serve(sys.argv[1], HOST, int(sys.argv[2])))
