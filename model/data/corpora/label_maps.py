"""ADE20K and COCO-Stuff: pictures whose every pixel has a class.

    ADE20K (the scene-parsing release): images/training/ADE_train_00000001.jpg,
        annotations/training/ADE_train_00000001.png (0 is nothing), objectInfo150.txt
    COCO-Stuff: images/train2017/000000000009.jpg (or train2017/…), annotations/train2017/000000000009.png
        (255 is nothing; a class is one less than its number in labels.txt), labels.txt
"""

import re
from collections.abc import Mapping
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from pixsearch.contract.faults import Fault
from pixsearch.contract.images import MAX_PIXELS
from pixsearch.model.data.corpora.example import Example, Found, first_there, picture_file, point_out, words, wrong
from pixsearch.model.data.records import Split

LEAST_SHARE = 0.002  # of the picture that a class must cover to be asked about
MAX_CLASSES = 1_000
ADE_SPLITS = {Split.TRAIN: "training", Split.VALIDATION: "validation", Split.TEST: "validation"}
COCO_SPLITS = {Split.TRAIN: "train2017", Split.VALIDATION: "val2017", Split.TEST: "val2017"}


def read_ade20k(folder: Path, split: Split) -> Found:
    """Every picture with the classes that it shows."""
    names = _ade_names(first_there(folder, "objectInfo150.txt"))
    name = ADE_SPLITS[split]
    yield from _pictures(folder, f"annotations/{name}", (f"images/{name}",), names, split)


def read_cocostuff(folder: Path, split: Split) -> Found:
    """Every picture with the things and stuff that it shows."""
    path = first_there(folder, "labels.txt")
    names = {number - 1: name for number, name in _numbered(path, r"(\d+):\s*(.+)").items() if number}
    name = COCO_SPLITS[split]
    labels = first_there(folder, f"annotations/{name}", f"stuffthingmaps/{name}").relative_to(folder)
    yield from _pictures(folder, str(labels), (f"images/{name}", name), names, split)


def _ade_names(path: Path) -> dict[int, str]:
    """The first name of each class: number, three figures, names after a tab."""
    return {number: name.split(",")[0].split(";")[0].strip()
            for number, name in _numbered(path, r"(\d+)\t(?:[^\t]*\t)*([^\t]+)").items()}


def _numbered(path: Path, pattern: str) -> dict[int, str]:
    names: dict[int, str] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if match := re.fullmatch(pattern, line.strip()):
            names[int(match[1])] = words(f"{path.name}:{number}", match[2])
    if not 0 < len(names) <= MAX_CLASSES:
        raise wrong(str(path), f"1 to {MAX_CLASSES} lines of a number and a name", str(len(names)))
    return names


def _pictures(folder: Path, labels: str, below: tuple[str, ...], names: Mapping[int, str], split: Split) -> Found:
    if not (folder / labels).is_dir():
        raise wrong(str(folder), f"the folder {labels}", "none there")
    for path in sorted((folder / labels).glob("*.png")):
        place = str(path.relative_to(folder))
        try:
            picture = picture_file(place, folder, *(f"{one}/{path.stem}" for one in below))
            yield _example(place, picture, _labels(path, place), names, split)
        except Fault as fault:
            yield fault


def _example(place: str, picture: Path, labels: np.ndarray, names: Mapping[int, str], split: Split) -> Example:
    numbers, counts = np.unique(labels, return_counts=True)
    shown = [int(number) for number, count in zip(numbers, counts, strict=True)
             if number in names and count >= LEAST_SHARE * labels.size]
    rng = Random(place)
    samples = [point_out(split, f"the {names[number]}", at, names[number], rng) for at, number in enumerate(shown)]
    return Example(place, picture, tuple(labels == number for number in shown), tuple(samples), complete=True)


def _labels(path: Path, place: str) -> np.ndarray:
    """The class of each pixel, (H, W)."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.width * image.height > MAX_PIXELS or image.mode not in ("L", "P", "I", "I;16"):
                raise wrong(place, "one number a pixel", f"{image.mode}, {image.width} x {image.height}")
            return np.array(image)
    except Fault:
        raise
    except Exception as error:  # Pillow lets many kinds of exception through on broken input
        raise wrong(place, "a PNG of classes", str(error)[:200]) from error
