"""Region vectors to measure an index with: of rendered 3D models, and any number more, made from those."""

import sys
import time
from collections import deque
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from numpy.typing import NDArray

from pixsearch.apps.extras import needs_extra
from pixsearch.contract.files import atomic_file
from pixsearch.edge.bundle import Bundle, default_bundle
from pixsearch.edge.embedder import BundleEmbedder

if TYPE_CHECKING:
    from pixsearch.model.data.furniture import Model

VIEWS_DRAWN = 12  # of each 3D model
SIDE = 256  # pixels of a drawn view
VIEWS_STORED = 8  # of each object that an index holds
LOOKALIKES = 10  # an invented object lies between a real one and one of this many that look most like it
MOST_MIXED = 0.5  # share of the other one
NOISE = 0.5  # of the spread that the views of one object have, in every direction
SEED = 20260119

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Rendered:
    """Unit vectors of the views of rendered models: float32 (objects, VIEWS_DRAWN, D)."""

    vectors: Vectors
    seconds_a_view: float  # that drawing and embedding took, on one core


@needs_extra("train")
def rendered_regions(data: Path, cache_folder: Path, most: int | None = None) -> Rendered:
    """Draw every 3D model of `make data` from many sides and embed what is drawn; kept in `cache_folder`.

    most : models to draw, for a quick try; None for all
    Raises Fault where the data was not made.
    """
    from pixsearch.model.data.furniture import load_models
    from pixsearch.model.processes import on_all_cores

    embedder = Bundle.load(default_bundle()).embedder_id
    folder = cache_folder / f"regions-{embedder}-{VIEWS_DRAWN}"
    folder.mkdir(parents=True, exist_ok=True)
    models = load_models(data)[:most]
    missing = [model for model in models if not _kept(folder, model).is_file()]
    if missing:
        with click.progressbar(on_all_cores(_draw, folder, missing), len(missing), label="drawing 3D models",
                               file=sys.stderr, show_pos=True) as bar:
            deque(bar, maxlen=0)
    made = [np.load(_kept(folder, model), allow_pickle=False) for model in models]
    return Rendered(np.stack([views[:, :-1] for views in made]), float(np.mean([views[:, -1] for views in made])))


def _kept(folder: Path, model: "Model") -> Path:
    return folder / f"{model.id.replace('/', '-')}.npy"


def _draw(folder: Path, model: "Model") -> None:
    """Keep the views of one model, (VIEWS_DRAWN, D + 1): a unit vector and how many seconds it took."""
    vectors, seconds = _embedded_views(model)
    with atomic_file(_kept(folder, model)) as stream:
        np.save(stream, np.hstack([vectors, np.full((len(vectors), 1), seconds, np.float32)]), allow_pickle=False)


def _embedded_views(model: "Model") -> tuple[Vectors, float]:
    """Vectors of the views of one model, (VIEWS_DRAWN, D), and seconds a view."""
    from pixsearch.model.data.rendering import View
    from pixsearch.model.data.renders import scene_light

    began, rng = time.monotonic(), np.random.default_rng([SEED, *model.id.encode()])
    renderer, embed = _tools()
    renderer.open(model.path)  # type: ignore[attr-defined]
    vectors: list[Vectors] = []
    while len(vectors) < VIEWS_DRAWN:
        view = View(rng.uniform(0, 360), rng.uniform(-5, 50))
        drawn = renderer.draw(view, scene_light(rng))  # type: ignore[attr-defined]
        if not (mask := drawn[..., 3] >= 128).any():
            mask[:] = True
        alpha = drawn[..., 3:] / np.float32(255)
        rgb = drawn[..., :3] * alpha + rng.integers(40, 246) * (1 - alpha)
        vectors.append(embed.region(rgb.astype(np.uint8), mask))
    return np.stack(vectors), (time.monotonic() - began) / VIEWS_DRAWN


@cache
def _tools() -> tuple[object, BundleEmbedder]:
    """Of one process."""
    from pixsearch.model.data.rendering import Renderer

    return Renderer(SIDE), BundleEmbedder(Bundle.load(default_bundle(), threads=1))


class Collection:
    """Any number of objects: each between two real ones that look alike, seen as those were, with noise.

    The noise has the covariance of what differs between the views of one real object, so that no direction is
    noisier or emptier than in real vectors. The same seed gives the same objects.
    """

    def __init__(self, rendered: Rendered, objects: int) -> None:
        real = rendered.vectors
        self._real, self.objects = real, objects
        rng = np.random.default_rng(SEED)
        centres = _unit(real.mean(axis=1))
        alike = np.argsort(-(centres @ centres.T), axis=1)[:, 1:LOOKALIKES + 1]
        self._first = rng.integers(len(real), size=objects)
        self._other = alike[self._first, rng.integers(alike.shape[1], size=objects)]
        self._mixed = rng.uniform(0, MOST_MIXED, objects).astype(np.float32)
        apart = (real - real.mean(axis=1, keepdims=True)).reshape(-1, real.shape[2])
        self._spread = NOISE * np.linalg.cholesky(np.cov(apart.T) + 1e-7 * np.eye(real.shape[2])).T.astype(np.float32)

    def views(self, objects: NDArray[np.int64], seed: int) -> Vectors:
        """One view of each of these objects, unit vectors (N, D)."""
        rng = np.random.default_rng([SEED, seed])
        count, sides = len(objects), self._real.shape[1]
        share = self._mixed[objects][:, None]
        seen = (self._real[self._first[objects], rng.integers(sides, size=count)] * (1 - share)
                + self._real[self._other[objects], rng.integers(sides, size=count)] * share)
        noise = rng.standard_normal((count, self._spread.shape[0]), np.float32) @ self._spread
        return _unit(seen + noise)

    def stored(self) -> Vectors:
        """What an index of them holds: VIEWS_STORED views of each object in turn, (objects * VIEWS_STORED, D)."""
        every = np.arange(self.objects)
        return np.stack([self.views(every, 1 + view) for view in range(VIEWS_STORED)], axis=1).reshape(
            self.objects * VIEWS_STORED, -1)

    def queries(self, count: int) -> Vectors:
        """Views of random objects that the index does not hold, (count, D)."""
        return self.views(np.random.default_rng([SEED, 1]).integers(self.objects, size=count), 0)


def _unit(rows: Vectors) -> Vectors:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
