"""COCO's annotation files: pictures, categories, and masks as polygons or run lengths."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as run_lengths

from pixsearch.contract.faults import Fault
from pixsearch.model.data.corpora.example import Mask, read_json, wrong

MAX_SIDE, MAX_POLYGONS, MAX_NUMBERS = 20_000, 1_000, 100_000


@dataclass(frozen=True)
class Annotated:
    """One picture's record, and its annotations in their order."""

    image: dict[str, Any]
    annotations: list[dict[str, Any]]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels. Raises Fault."""
        height, width = self.image.get("height"), self.image.get("width")
        if not (isinstance(height, int) and isinstance(width, int) and 0 < height < MAX_SIDE and 0 < width < MAX_SIDE):
            raise wrong(f"image {self.image.get('id')}", f"a height and a width under {MAX_SIDE}", f"{height}, {width}")
        return height, width


@dataclass(frozen=True)
class Instances:
    """A file of instances. `categories` : names by id."""

    path: Path
    categories: dict[int, str]
    pictures: list[Annotated]

    def __iter__(self) -> Iterator[Annotated]:
        return iter(self.pictures)


def read_instances(path: Path) -> Instances:
    """Read such a file. Raises Fault."""
    whole = read_json(path)
    try:
        categories = {int(one["id"]): str(one["name"]) for one in whole["categories"]}
        pictures = {one["id"]: Annotated(one, []) for one in whole["images"]}
        for annotation in whole["annotations"]:
            if annotation["image_id"] in pictures:
                pictures[annotation["image_id"]].annotations.append(annotation)
    except (KeyError, TypeError, ValueError) as error:
        raise wrong(str(path), "images, annotations and categories as COCO has them", repr(error)) from error
    return Instances(path, categories, list(pictures.values()))


def mask_of(annotation: dict[str, Any], size: tuple[int, int], place: str) -> Mask:
    """The mask of an annotation, bool (H, W), with a pixel set. Raises Fault that names the annotation."""
    place = f"{place}: annotation {annotation.get('id')}"
    try:
        mask = _decoded(annotation.get("segmentation"), size, place)
    except Fault:
        raise
    except Exception as error:  # the library raises many kinds on broken codes
        raise wrong(place, "a polygon or run lengths", str(error)[:200]) from error
    if not mask.any():
        raise wrong(place, "a mask with a pixel set", "an empty one")
    return mask


def _decoded(code: Any, size: tuple[int, int], place: str) -> Mask:
    height, width = size
    if isinstance(code, list):
        if not 0 < len(code) <= MAX_POLYGONS or not all(_is_polygon(one, size) for one in code):
            raise wrong(place, "polygons of at least three corners in the picture", repr(code)[:80])
        encoded = run_lengths.merge(run_lengths.frPyObjects([list(map(float, one)) for one in code], height, width))
    elif isinstance(code, dict) and list(code.get("size") or []) == [height, width]:
        given = code.get("counts")
        counts = given if isinstance(given, list) else _uncompressed(str(given))
        if any(type(one) is not int or one < 0 for one in counts) or sum(counts) != height * width:
            raise wrong(place, f"run lengths that sum to {height} x {width}", repr(given)[:80])
        encoded = run_lengths.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    else:
        raise wrong(place, f"a polygon, or run lengths of the size {[height, width]}", repr(code)[:80])
    return np.asarray(run_lengths.decode(encoded), np.bool_).reshape(height, width)


def _uncompressed(code: str) -> list[int]:
    """COCO's compressed run lengths as numbers; the library itself decodes broken ones to anything.

    A character holds five bits and whether more follow; from the third number on they are differences to the one
    before the last.
    """
    counts: list[int] = []
    value = bits = 0
    for sign in code:
        part = ord(sign) - 48
        if not 0 <= part < 64 or bits > 60:
            raise ValueError(f"the sign {sign!r} in run lengths")
        value |= (part & 31) << bits
        bits += 5
        if part < 32:
            if part & 16:
                value -= 1 << bits
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = bits = 0
    if bits:
        raise ValueError("run lengths that are cut")
    return counts


def _is_polygon(numbers: Any, size: tuple[int, int]) -> bool:
    """Whether some numbers are x and y in turn, at most a pixel outside of the picture."""
    if not isinstance(numbers, list) or not 6 <= len(numbers) <= MAX_NUMBERS or len(numbers) % 2:
        return False
    if any(type(one) not in (int, float) or not math.isfinite(one) for one in numbers):
        return False
    return min(numbers) >= -1 and max(numbers[::2]) <= size[1] + 1 and max(numbers[1::2]) <= size[0] + 1
