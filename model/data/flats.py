"""Flat things, drawn here: book covers, posters, framed pictures, labels and screens, with made-up words on them.

Scenes show them in perspective. Motifs and photographs are those of the same split.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import click
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pixsearch.model.data import words
from pixsearch.model.data.records import Place, Split, Thing

COUNTS = {Split.TRAIN: 240, Split.VALIDATION: 40, Split.TEST: 100}
SIDE = 320  # pixels of the longest side
SEED = 20261
WORDS = "words"  # the entry of a picture's `info` that says what is written on it, most important first
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Materials:
    """What a split's flat things are drawn from."""

    split: Split
    motifs: Sequence[Thing]
    places: Sequence[Place]


def draw_flats(materials: Materials, folder: Path) -> None:
    """Draw a split's flat things as `folder`/SPLIT/NOUN-N.png."""
    target = folder / materials.split
    target.mkdir()
    with click.progressbar(range(COUNTS[materials.split]), label=f"{materials.split} covers and pictures",
                           file=sys.stderr) as numbers:
        for number in numbers:
            name, picture = _draw(materials, number)
            picture.save(target / f"{name}.png")


def inscriptions(materials: Materials) -> dict[str, str]:
    """The largest words on each flat thing that has any, by Thing.id: drawn again, since pictures do not tell."""
    drawn = dict(_draw(materials, number) for number in range(COUNTS[materials.split]))
    return {f"flats/{materials.split}/{name}": picture.info[WORDS][0] for name, picture in drawn.items()
            if WORDS in picture.info}


def _draw(materials: Materials, number: int) -> tuple[str, Image.Image]:
    rng = Random(f"{SEED}:{materials.split}:{number}")
    noun = list(_DRAWN)[number % len(_DRAWN)]
    return f"{noun}-{number}", _DRAWN[noun](materials, rng)


def _book(materials: Materials, rng: Random) -> Image.Image:
    page = _ground(materials, rng, (rng.randint(190, 230), SIDE))
    if rng.random() < 0.75:
        _motif(page, materials, rng, rng.uniform(0.45, 0.75), (0.5, rng.uniform(0.45, 0.6)))
    _write(page, _title(materials, rng), rng, at=rng.uniform(0.06, 0.14), height=rng.uniform(0.1, 0.16))
    _write(page, words.name("person", rng, materials.split), rng, at=0.86, height=0.07)
    ImageDraw.Draw(page).rectangle((0, 0, page.width * 0.035, page.height), fill=_dark(rng))  # the spine
    return page


def _poster(materials: Materials, rng: Random) -> Image.Image:
    page = _ground(materials, rng, (rng.randint(210, 250), SIDE))
    _motif(page, materials, rng, rng.uniform(0.6, 0.95), (rng.uniform(0.4, 0.6), rng.uniform(0.45, 0.6)))
    _write(page, words.made_up_word(rng, materials.split).upper(), rng, at=rng.choice((0.04, 0.8)), height=0.16)
    if rng.random() < 0.6:
        _write(page, words.value("slogan", rng, materials.split), rng, at=0.72, height=0.06)
    return page


def _framed(materials: Materials, rng: Random) -> Image.Image:
    size = rng.choice(((SIDE, 230), (230, SIDE), (SIDE, SIDE)))
    border, mat = rng.uniform(0.04, 0.09), rng.choice((0.0, rng.uniform(0.04, 0.1)))
    frame = Image.new("RGB", size, _wood(rng))
    edge = round(border * SIDE)
    frame.paste(_light(rng), (edge, edge, size[0] - edge, size[1] - edge))
    inner = edge + round(mat * SIDE)
    picture = _ground(materials, rng, (size[0] - 2 * inner, size[1] - 2 * inner), photographs=0.6)
    if rng.random() < 0.7:
        _motif(picture, materials, rng, rng.uniform(0.5, 0.9), (rng.uniform(0.35, 0.65), rng.uniform(0.4, 0.6)))
    frame.paste(picture, (inner, inner))
    return frame


def _label(materials: Materials, rng: Random) -> Image.Image:
    page = _ground(materials, rng, (SIDE, rng.randint(170, 240)))
    draw, edge = ImageDraw.Draw(page), rng.randint(6, 16)
    draw.rectangle((edge, edge, page.width - edge, page.height - edge), outline=_light(rng), width=rng.randint(2, 6))
    _motif(page, materials, rng, rng.uniform(0.35, 0.5), (rng.choice((0.22, 0.5, 0.78)), 0.62))
    _write(page, words.name("company", rng, materials.split), rng, at=0.1, height=0.2)
    return page


def _screen(materials: Materials, rng: Random) -> Image.Image:
    screen = Image.new("RGB", (SIDE, rng.randint(180, 220)), rng.choice(((20, 20, 24), (60, 60, 66), (210, 210, 214))))
    edge = rng.randint(8, 18)
    page = _ground(materials, rng, (screen.width - 2 * edge, screen.height - 2 * edge), photographs=0.3)
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, page.width, page.height * 0.12), fill=_dark(rng))
    for _ in range(rng.randint(1, 5)):
        x, y = rng.randrange(page.width), rng.randrange(round(page.height * 0.15), page.height)
        draw.rounded_rectangle((x, y, x + rng.randint(20, 120), y + rng.randint(15, 70)), 6, fill=_colour(rng))
    if rng.random() < 0.6:
        _motif(page, materials, rng, rng.uniform(0.4, 0.7), (rng.uniform(0.3, 0.7), 0.55))
    _write(page, words.made_up_word(rng, materials.split), rng, at=0.005, height=0.1)
    screen.paste(page, (edge, edge))
    screen.info[WORDS] = page.info[WORDS]
    return screen


_DRAWN: dict[str, Callable[[Materials, Random], Image.Image]] = {
    "book": _book, "poster": _poster, "picture": _framed, "label": _label, "screen": _screen}


def _ground(materials: Materials, rng: Random, size: tuple[int, int], photographs: float = 0.25) -> Image.Image:
    """A photograph, stripes, dots, or colours that run into each other."""
    if rng.random() < photographs:
        return _photograph(rng.choice(materials.places), rng, size)
    first, second = _colour(rng), _colour(rng)
    if rng.random() < 0.5:
        ramp = np.linspace(0, 1, size[1])[:, None, None]
        rows = np.array(first) * (1 - ramp) + np.array(second) * ramp
        return Image.fromarray(np.broadcast_to(rows, (size[1], size[0], 3)).astype(np.uint8))
    page = Image.new("RGB", size, first)
    draw, step = ImageDraw.Draw(page), rng.randint(18, 60)
    if rng.random() < 0.5:
        lean = rng.randint(-80, 80)
        for x in range(-100, size[0] + 100, step):
            draw.line((x, 0, x + lean, size[1]), fill=second, width=step // 3)
    else:
        for x in range(step // 2, size[0], step):
            for y in range(step // 2, size[1], step):
                draw.circle((x, y), step // 4, fill=second)
    return page


def _photograph(place: Place, rng: Random, size: tuple[int, int]) -> Image.Image:
    with Image.open(place.path) as opened:
        share = rng.uniform(0.4, 0.9)
        scale = share * min(opened.width / size[0], opened.height / size[1])
        width, height = round(size[0] * scale), round(size[1] * scale)
        x, y = rng.randint(0, opened.width - width), rng.randint(0, opened.height - height)
        return opened.convert("RGB").resize(size, Image.Resampling.BOX, (x, y, x + width, y + height))


def _motif(page: Image.Image, materials: Materials, rng: Random, share: float, centre: tuple[float, float]) -> None:
    """Put a cut-out of the split on a page; `share` of the page's shorter side, `centre` as shares of the page."""
    with Image.open(rng.choice(materials.motifs).path) as opened:
        side = round(share * min(page.size))
        opened.thumbnail((side, side))
        cutout = opened.convert("RGBA")
    at = (round(centre[0] * page.width - cutout.width / 2), round(centre[1] * page.height - cutout.height / 2))
    page.paste(cutout, at, cutout)


def _write(page: Image.Image, text: str, rng: Random, *, at: float, height: float) -> None:
    """Write a line across a page; `at` is its top and `height` its height, as shares of the page's height."""
    size = round(height * page.height)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size)
    if (width := draw.textlength(text, font)) > 0.92 * page.width:
        font = ImageFont.load_default(max(8, round(size * 0.92 * page.width / width)))
        width = draw.textlength(text, font)
    spot = (rng.choice((0.06 * page.width, (page.width - width) / 2)), at * page.height)
    ink, edge = (_light(rng), (30, 30, 30)) if rng.random() < 0.5 else (_dark(rng), (235, 235, 235))
    page.info.setdefault(WORDS, []).append(text)
    draw.text(spot, text, fill=ink, font=font, stroke_width=2, stroke_fill=edge)


def _title(materials: Materials, rng: Random) -> str:
    first, second = (words.made_up_word(rng, materials.split) for _ in range(2))
    return rng.choice((f"The {first}", f"{first} and {second}", f"{first} of {second}", first, f"My {first}"))


def _colour(rng: Random) -> Colour:
    return rng.randint(20, 240), rng.randint(20, 240), rng.randint(20, 240)


def _dark(rng: Random) -> Colour:
    return rng.randint(0, 90), rng.randint(0, 90), rng.randint(0, 90)


def _light(rng: Random) -> Colour:
    return rng.randint(190, 255), rng.randint(190, 255), rng.randint(190, 255)


def _wood(rng: Random) -> Colour:
    return rng.choice(((94, 62, 36), (142, 98, 56), (40, 30, 26), (18, 18, 18), (226, 222, 214), (186, 152, 84)))
