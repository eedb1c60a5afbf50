"""An answer drawn on its frame: tinted mask with a crisp contour, and a panel with answer and evidence."""

import io
import textwrap
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pixsearch.apps.report import shown_hits
from pixsearch.contract.images import Pixels
from pixsearch.contract.masks import decode_mask
from pixsearch.edge.answer import Answer

Mask = NDArray[np.bool_]
Line = tuple[str, tuple[int, int, int]]

TINT = (64, 224, 208)
TINT_SHARE = 0.35
WHITE, GREY = (255, 255, 255), (190, 200, 205)
PANEL_SHADE = 170  # opacity of the panel, of 255
TEXT_SHARE = 1 / 27  # of the frame's height; 18 pixels at 480
MIN_TEXT, MAX_TEXT = 12, 40  # pixels
MIN_WIDTH, MAX_WIDTH = 480, 1280  # pixels; a frame outside is scaled, or its text would not be readable
MAX_PANEL_LINES = 6
SHOWN_HITS = 2


def draw_answer(frame: Pixels, question: str, answer: Answer) -> Pixels:
    """The frame of a question, uint8 RGB (H, W, 3), with the mask of its answer's last region search."""
    return draw_answer_with_mask(frame, question, answer, answer_mask(answer))


def draw_answer_with_mask(frame: Pixels, question: str, answer: Answer, mask: Mask | None) -> Pixels:
    """A frame, perhaps a later one, with a mask of its own, and the answer with its evidence in a panel.

    frame : uint8 RGB (H, W, 3)
    mask  : bool (H, W), or None to draw none
    returns uint8 RGB, as large as the frame where it is between 480 and 1280 pixels wide, else scaled to that
    """
    marked = draw_mask(frame, mask) if mask is not None else frame
    lines = [(question, GREY), (answer.answer, WHITE), *_evidence(answer)]
    return draw_panel(readable_size(marked), lines, on_top=_lies_low(answer_mask(answer)))


def answer_mask(answer: Answer) -> Mask | None:
    """The mask (H, W) of the last search that had one."""
    codes = [search.mask for search in answer.searches if search.mask]
    return decode_mask(codes[-1]) if codes else None


def draw_mask(frame: Pixels, mask: Mask) -> Pixels:
    """A copy of a frame (H, W, 3) with a mask (H, W) tinted and its contour drawn."""
    marked = frame.copy()
    marked[mask] = (frame[mask] * (1 - TINT_SHARE) + np.array(TINT) * TINT_SHARE).astype(np.uint8)
    return outlined(marked, mask, TINT)


def outlined(frame: Pixels, mask: Mask, colour: tuple[int, int, int] = WHITE) -> Pixels:
    """A copy of a frame (H, W, 3) with the contour of a mask (H, W) drawn."""
    marked = frame.copy()
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    width = max(2, round(max(mask.shape) / 250))
    cv2.drawContours(
        marked, contours, -1, (0, 0, 0), width + 2, cv2.LINE_AA
    )  # dark edge: seen on bright ground too
    cv2.drawContours(marked, contours, -1, colour, width, cv2.LINE_AA)
    return marked


def draw_panel(frame: Pixels, lines: Sequence[Line], on_top: bool = False) -> Pixels:
    """A frame with lines of text, each with its colour, on a dark panel along its lower or upper edge."""
    height, width = frame.shape[:2]
    font = _font(int(np.clip(height * TEXT_SHARE, MIN_TEXT, MAX_TEXT)))
    step, margin = round(font.size * 1.35), round(font.size * 0.7)
    wrapped = _wrap(lines, font, width - 2 * margin)
    tall = step * len(wrapped) + 2 * margin
    top = 0 if on_top else height - tall
    image = Image.fromarray(frame).convert("RGBA")
    panel = Image.new("RGBA", image.size)
    draw = ImageDraw.Draw(panel)
    draw.rectangle((0, top, width, top + tall), fill=(0, 0, 0, PANEL_SHADE))
    for row, (text, colour) in enumerate(wrapped):
        draw.text((margin, top + margin + row * step), text, fill=(*colour, 255), font=font)
    return np.array(Image.alpha_composite(image, panel).convert("RGB"))


def readable_size(frame: Pixels) -> Pixels:
    """A frame scaled to between 480 and 1280 pixels of width."""
    height, width = frame.shape[:2]
    wanted = int(np.clip(width, MIN_WIDTH, MAX_WIDTH))
    if wanted == width:
        return frame
    method = cv2.INTER_AREA if wanted < width else cv2.INTER_CUBIC
    return np.asarray(
        cv2.resize(frame, (wanted, max(1, round(height * wanted / width))), interpolation=method),
        dtype=np.uint8,
    )


def png_bytes(frame: Pixels) -> bytes:
    """A frame as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "PNG")
    return buffer.getvalue()


def _lies_low(mask: Mask | None) -> bool:
    """Whether a panel along the lower edge would hide more of a mask than one along the upper edge."""
    if mask is None:
        return False
    third = max(1, len(mask) // 3)
    return int(mask[-third:].sum()) > int(mask[:third].sum())


def _evidence(answer: Answer) -> list[Line]:
    lines = []
    for search, hit in list(shown_hits(answer))[:SHOWN_HITS]:
        fact = f", {hit.facts[0]}" if hit.facts else ""
        lines.append((f"{search.modality} {hit.score:.2f}: {hit.entity}{fact}", GREY))
    return lines


def _wrap(lines: Sequence[Line], font: ImageFont.FreeTypeFont, width: int) -> list[Line]:
    """Break lines at `width` pixels; what does not fit into the panel ends in an ellipsis."""
    letters = max(8, int(width / font.getlength("n")))
    rows = [(row, colour) for text, colour in lines for row in textwrap.wrap(text, letters) or [""]]
    if len(rows) > MAX_PANEL_LINES:
        text, colour = rows[MAX_PANEL_LINES - 1]
        rows = [*rows[: MAX_PANEL_LINES - 1], (text[: letters - 1] + "…", colour)]
    return rows


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType, which scaled text needs")
    return font
