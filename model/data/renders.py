"""Pictures of the 3D models, drawn once: some sides for the index, others for scenes, never close to each other."""

import sys
from collections import deque
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import click
import cv2
import numpy as np
from PIL import Image

from pixsearch.model.data.cutouts import CUTOUT_SIDE, FAINT, Image8
from pixsearch.model.data.furniture import Model
from pixsearch.model.data.rendering import Light, Renderer, View
from pixsearch.model.processes import on_all_cores

DRAWN_SIDE = 480  # pixels, before the picture is cropped to what is drawn
LEAST_APART = 30.0  # degrees between any side that the index knows and any that a scene shows
INDEX_VIEWS = tuple(View(azimuth, 15.0) for azimuth in (0.0, 90.0, 180.0, 270.0))
SCENE_VIEWS = 8
WEBP_QUALITY = 92
MIN_DRAWN = 400  # pixels; less of a model is no picture of it


def scene_views(rng: np.random.Generator) -> list[View]:
    """SCENE_VIEWS sides that are at least LEAST_APART from every index view."""
    return [View(90.0 * (number % 4) + rng.uniform(35, 55), rng.uniform(5, 45)) for number in range(SCENE_VIEWS)]


def scene_light(rng: np.random.Generator) -> Light:
    """A lamp or window somewhere above, and more or less light from elsewhere."""
    return Light(rng.uniform(-80, 80), rng.uniform(10, 70), rng.uniform(0.8, 1.3), rng.uniform(0.2, 0.6))


def draw_models(models: Sequence[Model], folder: Path) -> None:
    """Draw every model: `folder`/CATALOGUE/NAME/index-N.webp and scene-N.webp."""
    drawn = on_all_cores(_draw, folder, models)
    with click.progressbar(drawn, len(models), label="3D models", file=sys.stderr, show_pos=True) as bar:
        deque(bar, maxlen=0)  # the pictures are on disk; only errors come back


def _draw(folder: Path, model: Model) -> None:
    rng = np.random.default_rng(list(model.id.encode()))
    renderer = _renderer()
    renderer.open(model.path)
    target = folder / model.id.partition("/")[2]
    target.mkdir(parents=True)
    for number, view in enumerate(INDEX_VIEWS):
        _save(renderer.draw(view, Light()), target / f"index-{number}.webp")
    for number, view in enumerate(scene_views(rng)):
        _save(renderer.draw(view, scene_light(rng)), target / f"scene-{number}.webp")


@cache
def _renderer() -> Renderer:
    return Renderer(DRAWN_SIDE)


def _save(picture: Image8, path: Path) -> None:
    """A picture cropped to what is drawn, no side over CUTOUT_SIDE; one that shows nothing is left out."""
    drawn = picture[..., 3] >= FAINT
    if drawn.sum() < MIN_DRAWN:
        return
    x, y, width, height = cv2.boundingRect(drawn.astype(np.uint8))
    image = Image.fromarray(picture[y:y + height, x:x + width])
    image.thumbnail((CUTOUT_SIDE, CUTOUT_SIDE))
    image.save(path, quality=WEBP_QUALITY)
