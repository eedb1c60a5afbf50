"""Text in a picture: found, straightened and read by PP-OCR through RapidOCR (extra `ocr`), from models on the disk."""

import threading
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.images import Pixels
from pixsearch.contract.masks import box_of
from pixsearch.contract.plain_text import plain
from pixsearch.edge.inputs import Point
from pixsearch.edge.sessions import default_threads

MODELS = {"Det": "PP-OCRv6_det_small.onnx", "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
          "Rec": "PP-OCRv6_rec_small.onnx"}
MARGIN_SHARE, MARGIN_PIXELS = 0.15, 16  # around a region: its mask may cut a letter off
AROUND_POINT = 0.25  # of the frame's shorter side: where a line is looked for whose mask failed
INSIDE_SHARE = 0.5  # of a line's box that lies in the region
FIND_SIDE = 960  # pixels of the longer side in which lines are looked for
READ_SIDE = 4096  # … out of which they are cut
SMALL_SIDE, MOST_ENLARGED = 400, 4.0  # a smaller region is enlarged to this side, at most so many times
MAX_LINES, MAX_LINE_CHARS, MAX_CHARS = 24, 120, 600
MIN_SCORE = 0.6
NEXT_TO = 1.2  # of the lower line's height, between lines of one block
SAME_ROW = 0.5  # of a line's height, between the middles of lines in one row

Mask = NDArray[np.bool_]
Quads = NDArray[np.float32]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Line:
    """One line that was read.

    text  : printable characters on one line, at most 120; at least one letter or digit of ours, or two of any
    box   : x0, y0, x1, y1 in frame pixels, right and bottom exclusive
    score : how sure the reader is, 0..1
    block : number of the block of lines next to each other, such as one sign, that it belongs to
    """

    text: str
    box: Box
    score: float
    block: int = 0


class Reader:
    """Reads text. Its models come with its package: nothing is ever fetched."""

    def __init__(self, threads: int | None = None) -> None:
        """threads : of one operator; None takes the cores of this process, at most 4.

        Raises ModuleNotFoundError without the extra `ocr`. Models are opened by the first reading.
        """
        import rapidocr

        folder = Path(rapidocr.__file__).parent / "models"
        self._engine: Any = rapidocr.RapidOCR(params={
            "Global.log_level": "critical", "Global.use_preprocess_img": False,
            "Det.limit_type": "max", "Det.limit_side_len": FIND_SIDE,
            "EngineConfig.onnxruntime.intra_op_num_threads": threads or default_threads(),
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            **{f"{part}.model_path": str(folder / name) for part, name in MODELS.items()}})
        self._lock = threading.Lock()

    def read(self, frame: Pixels, mask: Mask | None = None, at: Point | None = None) -> list[Line]:
        """The lines in a region by blocks, top to bottom, left to right; at most 24 with 600 characters in all.

        frame : uint8 RGB (H, W, 3); mask : bool (H, W) of the region, None for the whole frame
        at    : x, y in frame pixels; a line that covers it belongs to the region, too
        """
        hull, box = (None, None) if mask is None else (_hull(mask), box_of(mask))
        lines, closer = self._read(frame, _window(frame, box), hull, at)
        if not lines and at is not None:  # the mask may be no more than a part of a letter
            around = round(AROUND_POINT * min(frame.shape[:2]))
            lines, closer = self._read(frame, _window(frame, box, around), hull, at)
        if not lines and closer is not None:  # at another size, lines that ran together may part
            lines, _ = self._read(frame, _window(frame, closer), hull, at)
        return _cut(lines)

    def _read(self, frame: Pixels, window: Box, hull: Quads | None, at: Point | None) -> tuple[list[Line], Box | None]:
        """What is legible in a window, and the box of all that looks like lines there."""
        x0, y0, x1, y1 = window
        picture, scale = _scaled(frame[y0:y1, x0:x1])
        with self._lock:
            quads = self._find(picture)
            shown = (quads / scale + (x0, y0)).astype(np.float32)
            inside = [number for number, quad in enumerate(shown) if _belongs(quad, hull, at)]
            largest = sorted(inside, key=lambda one: -cv2.contourArea(quads[one]))[:MAX_LINES]
            lines = []
            for block, members in enumerate(_blocks(shown[largest])):
                chosen = [largest[one] for one in members]
                lines += [replace(line, block=block) for line in self._recognise(picture, quads[chosen], shown[chosen])]
        return lines, _box(shown[largest].reshape(-1, 2)) if largest else None

    def _find(self, picture: Pixels) -> Quads:
        """Corners of the lines in a picture, clockwise from the top left, float32 (N, 4, 2)."""
        side = max(picture.shape[:2])
        small = _resized(picture, min(1.0, FIND_SIDE / side))
        found = self._engine(small[..., ::-1], use_det=True, use_cls=False, use_rec=False).boxes
        if found is None or not len(found):
            return np.zeros((0, 4, 2), np.float32)
        back = np.array(picture.shape[1::-1]) / np.array(small.shape[1::-1])
        return np.asarray(found * back, np.float32)

    def _recognise(self, picture: Pixels, quads: Quads, shown: Quads) -> list[Line]:
        """What lines say. quads : their corners in the picture; shown : in the frame; both float32 (N, 4, 2)."""
        if not len(quads):
            return []
        upright = self._engine.cls_and_rotate(self._engine.crop_text_regions(picture[..., ::-1], quads))[0]
        said = self._engine.recognize_txt(upright)
        lines = [Line(plain(unicodedata.normalize("NFKC", text))[:MAX_LINE_CHARS].strip(), _box(quad), float(score))
                 for text, score, quad in zip(said.txts, said.scores, shown, strict=True)]
        return [line for line in lines if line.score >= MIN_SCORE and _has_words(line.text)]


def _has_words(text: str) -> bool:
    """Whether a line has more in it than one sign that a plain shape may be taken for, such as a square for 口."""
    letters = [letter for letter in text if letter.isalnum()]
    return len(letters) > 1 or any(map(str.isascii, letters))


def _window(frame: Pixels, box: Box | None, margin: int = MARGIN_PIXELS) -> Box:
    """A box with a margin, inside the frame; the whole frame for none."""
    height, width = frame.shape[:2]
    if box is None:
        return 0, 0, width, height
    x0, y0, x1, y1 = box
    across, down = (round(MARGIN_SHARE * side) + margin for side in (x1 - x0, y1 - y0))
    return max(0, x0 - across), max(0, y0 - down), min(width, x1 + across), min(height, y1 + down)


def _scaled(picture: Pixels) -> tuple[Pixels, float]:
    """A picture of a size that lines can be cut out of, and by how much it was scaled."""
    side = max(picture.shape[:2])
    scale = min(READ_SIDE / side, max(1.0, min(MOST_ENLARGED, SMALL_SIDE / side)))
    return _resized(picture, scale), scale


def _resized(picture: Pixels, scale: float) -> Pixels:
    if scale == 1:
        return picture
    size = [max(1, round(side * scale)) for side in picture.shape[1::-1]]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)


def _hull(mask: Mask) -> Quads:
    """The convex hull of a mask (H, W), float32 (N, 1, 2): holes in the mask may be the letters."""
    return np.asarray(cv2.convexHull(np.argwhere(mask)[:, ::-1].astype(np.float32)), np.float32)


def _belongs(quad: Quads, hull: Quads | None, at: Point | None) -> bool:
    """Whether a line (4, 2) lies inside a hull (N, 1, 2), where there is one, or covers a point."""
    if hull is None or (at is not None and cv2.pointPolygonTest(quad, at, False) >= 0):
        return True
    shared, _ = cv2.intersectConvexConvex(quad, hull)
    return shared >= INSIDE_SHARE * cv2.contourArea(quad)


def _box(quad: Quads) -> Box:
    (x0, y0), (x1, y1) = np.floor(quad.min(axis=0)), np.ceil(quad.max(axis=0))
    return int(x0), int(y0), int(x1), int(y1)


def _blocks(quads: Quads) -> list[list[int]]:
    """Which lines (N, 4, 2) stand together: one below another, or side by side; each block in reading order."""
    if not len(quads):
        return []
    turned = quads @ _upright(quads)
    low, high = turned.min(axis=1), turned.max(axis=1)  # (N, 2): x, y along and across the lines
    heights = np.linalg.norm(quads[:, 3] - quads[:, 0], axis=1)
    gaps = np.maximum(low[:, None], low[None]) - np.minimum(high[:, None], high[None])  # (N, N, 2)
    near = (gaps < (NEXT_TO * np.minimum(heights[:, None], heights[None]))[..., None]).all(axis=2)
    near &= (gaps < 0).any(axis=2)
    for _ in range(len(quads).bit_length()):  # what is near to what is near
        near = near @ near
    middles = turned.mean(axis=1)
    blocks = [_in_order(np.flatnonzero(row).tolist(), middles, heights) for row in np.unique(near, axis=0)]
    begins = {lines[0]: lines for lines in blocks}
    return [begins[first] for first in _in_order(list(begins), middles, heights)]


def _upright(quads: Quads) -> Quads:
    """The rotation, float32 (2, 2), that lays lines (N, 4, 2) level."""
    across = np.median(quads[:, 1] - quads[:, 0], axis=0)
    cosine, sine = across / max(float(np.hypot(*across)), 1e-6)
    return np.array([[cosine, -sine], [sine, cosine]], np.float32)


def _in_order(lines: Sequence[int], middles: Quads, heights: NDArray[np.float32]) -> list[int]:
    """Lines by rows, and from left to right in each; middles (N, 2) and heights (N,) are of all lines."""
    rows: list[list[int]] = []
    for one in sorted(lines, key=lambda line: middles[line, 1]):
        if rows and middles[one, 1] - middles[rows[-1][0], 1] < SAME_ROW * heights[rows[-1][0]]:
            rows[-1].append(one)
        else:
            rows.append([one])
    return [one for row in rows for one in sorted(row, key=lambda line: middles[line, 0])]


def _cut(lines: Sequence[Line]) -> list[Line]:
    """The first lines, at most 600 characters in all."""
    kept, left = [], MAX_CHARS
    for line in lines:
        if left > 0:
            kept.append(replace(line, text=line.text[:left]))
            left -= len(line.text)
    return kept
