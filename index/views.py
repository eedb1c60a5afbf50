"""From a curator's picture to views: what is cut out, its vector, its thumbnail and its fingerprint."""

import hashlib
import io
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixsearch.contract.faults import Fault
from pixsearch.contract.images import read_image_file, read_image_with_alpha
from pixsearch.contract.masks import box_of
from pixsearch.index import schema
from pixsearch.index.embedder import Embedder, Vector
from pixsearch.index.entities import EntityImage
from pixsearch.index.hits import View

RECIPE = 1  # counts up whenever this file makes other views of the same picture
OPAQUE = 128  # of 255: at least half opaque counts as object
THUMBNAIL_QUALITY = 75
HASHED_PIXELS, HASH_SIDE = 32, 8  # side of what a fingerprint sees, and of the frequencies that it keeps

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class Cutter(Protocol):
    """A model that finds what a plain photograph is of."""

    @property
    def id(self) -> str:
        """Stable name; changes whenever its masks do."""

    def __call__(self, rgb: Pixels) -> Mask | None:
        """The mask of the thing, bool (H, W), or None where nothing stands out of uint8 RGB (H, W, 3)."""


@dataclass(frozen=True, eq=False)
class EmbeddedView:
    """One vector of a picture.

    vector      : unit length, float32 (D,)
    thumbnail   : WebP; of a region with what is outside the mask transparent
    fingerprint : perceptual hash of 64 bits; pictures that look the same differ in few
    """

    view: View
    vector: Vector
    thumbnail: bytes
    fingerprint: int


@dataclass(frozen=True)
class ViewMaker:
    """Makes the views of pictures. Without a `cutter` a plain photograph has no region view."""

    embed: Embedder
    cutter: Cutter | None = None

    def key(self, image: EntityImage) -> str:
        """Names everything that the views of a picture depend on: its bytes, mask or box, models, recipe."""
        mask = None if image.mask is None else _digest(_content(image.mask))
        made_from = {
            "recipe": RECIPE, "pillow": version("pillow"), "opencv": cv2.__version__, "embedder": self.embed.id,
            "cutter": self.cutter.id if self.cutter else None, "image": _digest(_content(image.file)),
            "mask": mask, "box": image.box}
        return _digest(json.dumps(made_from, sort_keys=True).encode())

    def views(self, image: EntityImage) -> list[EmbeddedView]:
        """The region view, if anything is cut out, and the view of the whole picture, if it is no cut-out.

        Raises Fault for a picture or mask that cannot be used.
        """
        rgb, alpha = read_image_with_alpha(_content(image.file), image.file.name)
        mask = _given_mask(image, rgb, alpha)
        if mask is None and self.cutter is not None:
            mask = self.cutter(rgb)
        views = [] if mask is None else [self._region(rgb, mask)]
        return views if alpha is not None else [*views, self._whole(rgb)]

    def _region(self, rgb: Pixels, mask: Mask) -> EmbeddedView:
        x0, y0, x1, y1 = box_of(mask) or (0, 0, 0, 0)
        crop, inside = rgb[y0:y1, x0:x1], mask[y0:y1, x0:x1]
        cut = crop if inside.all() else np.dstack([crop, inside * np.uint8(255)])
        return EmbeddedView(View.REGION, self.embed.region(rgb, mask), thumbnail(cut), fingerprint(crop))

    def _whole(self, rgb: Pixels) -> EmbeddedView:
        return EmbeddedView(View.IMAGE, self.embed.region(rgb, None), thumbnail(rgb), fingerprint(rgb))


def thumbnail(pixels: Pixels) -> bytes:
    """RGB or RGBA pixels (H, W, 3 or 4) scaled down to thumbnail size, as WebP; smaller ones keep their size."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((schema.THUMBNAIL_PIXELS, schema.THUMBNAIL_PIXELS))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=THUMBNAIL_QUALITY)
    return buffer.getvalue()


def fingerprint(rgb: Pixels) -> int:
    """64 bits: which of the lowest frequencies of a picture, uint8 RGB (H, W, 3), are above their median.

    The perceptual hash of Zauner (2010): scale, brightness and compression hardly change it.
    """
    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (HASHED_PIXELS, HASHED_PIXELS), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small.astype(np.float32))[:HASH_SIDE, :HASH_SIDE].ravel()
    return int.from_bytes(np.packbits(low > np.median(low[1:])).tobytes(), "big")


def _given_mask(image: EntityImage, rgb: Pixels, alpha: Pixels | None) -> Mask | None:
    """The mask that the curator gave by a file, a box or transparency; None for a plain photograph."""
    size = rgb.shape[:2]
    if image.mask is not None:
        mask = read_image_with_alpha(_content(image.mask), image.mask.name)[0].max(axis=2) >= OPAQUE
        if mask.shape != size:
            raise _bad(image, f"a mask of {size} pixels", str(mask.shape))
    elif image.box is not None:
        mask = _box_mask(image, size)
    elif alpha is not None:
        mask = alpha >= OPAQUE
    else:
        return None
    if not mask.any():
        raise _bad(image, "a mask with at least one pixel set", "an empty one")
    return mask


def _content(file: Path) -> bytes:
    """A picture's bytes; faults call it by its name alone, since reports hold them and folders are private."""
    return read_image_file(file, file.name)


def _box_mask(image: EntityImage, size: tuple[int, ...]) -> Mask:
    assert image.box is not None
    x0, y0, x1, y1 = (round(edge) for edge in image.box)
    if x1 > size[1] or y1 > size[0]:
        raise _bad(image, f"a box inside {size[1]} x {size[0]} pixels", str(list(image.box)))
    mask = np.zeros(size, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _bad(image: EntityImage, expected: str, actual: str) -> Fault:
    return Fault(f"image {image.file.name}", expected=expected, actual=actual,
                 remedy="mend the row, or pass --skip-bad")
