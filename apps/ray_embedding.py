"""`pack build --engine ray`: pictures are embedded by Ray's actors, on one machine or many.

Ray only fills the work folder that `index.build` goes on from. The pack is written in one place and one way, so that
both engines give the same bytes; what an actor cannot read is left to the build, which says so with file and line.
All machines must see pictures and bundle under the same paths.
"""

import itertools
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from pixsearch.apps.extras import needs_extra
from pixsearch.contract.faults import Fault
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.edge.salient import SalientCutter
from pixsearch.index.entities import EntityImage, count_lines, entity_file, read_entities
from pixsearch.index.hits import View
from pixsearch.index.views import EmbeddedView, ViewMaker
from pixsearch.index.work import Work

BATCH = 16  # pictures that an actor takes at once
CHUNK = 16_384  # pictures that are on their way at once: their views pass through the memory of one process
LOOPBACK = "127.0.0.2"  # Ray takes the usual 127.0.0.1 for "any way in", and listens on the network then
# Its head asks cloud providers' addresses where it runs, even with reports off; a proxy that is not there answers.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "http_proxy": "http://127.0.0.1:9",
         "no_proxy": f"{LOOPBACK},127.0.0.1,localhost"}

Job = dict[str, Any]  # a picture and its key, as plain values that travel between machines
Columns = dict[str, NDArray[Any]]


@needs_extra("scale")
def embed_with_ray(folder: Path, work: Path, bundle: Path, address: str | None = None, actors: int | None = None
                   ) -> int:
    """Embed the pictures of `folder` that `work` does not hold yet; returns how many those were.

    address : of a running Ray cluster; None starts Ray on this machine alone and ends it afterwards
    actors  : how many embed side by side, each on one core; as many as the cluster has cores unless given
    Raises Fault where the cluster cannot be reached.
    """
    maker = _maker(bundle)
    with Work(work, maker.embed.dimension, maker.embed.text_dimension) as kept, _ray(address) as ray:
        wanted = actors or max(1, int(ray.cluster_resources().get("CPU", 1)))
        with click.progressbar(read_entities(folder), count_lines(entity_file(folder)), label="embedding with Ray",
                               file=sys.stderr, show_pos=True) as entities:
            jobs = _jobs(entities, maker, kept)
            while chunk := list(itertools.islice(jobs, CHUNK)):
                embedded = ray.data.from_items(chunk).map_batches(
                    Embedding, fn_constructor_args=(str(bundle),), concurrency=min(wanted, len(chunk)),
                    batch_size=BATCH, num_cpus=1)
                _keep(kept, embedded.iter_rows())
        return kept.made


class Embedding:
    """One actor: a bundle that is opened once, with one thread."""

    def __init__(self, bundle: str) -> None:
        self._maker = _maker(Path(bundle), threads=1)

    def __call__(self, jobs: Columns) -> Columns:
        """The views of a batch of pictures, one row a view; none of a picture that cannot be used."""
        pictures = zip(jobs["key"], jobs["file"], jobs["mask"], jobs["box"], strict=True)
        made = [(str(key), view) for key, file, mask, box in pictures
                for view in self._views(EntityImage(Path(file), Path(mask) if mask else None, _box(box)))]
        return {
            "key": np.array([key for key, _ in made], object),
            "kind": np.array([str(view.view) for _, view in made], object),
            "vector": np.array([view.vector.astype("<f4").tobytes() for _, view in made], object),
            "thumbnail": np.array([view.thumbnail for _, view in made], object),
            "fingerprint": np.array([f"{view.fingerprint:016x}" for _, view in made], object),
        }

    def _views(self, image: EntityImage) -> list[EmbeddedView]:
        try:
            return self._maker.views(image)
        except Fault:
            return []


def _maker(bundle: Path, threads: int | None = None) -> ViewMaker:
    model = Bundle.load(bundle, threads=threads)
    return ViewMaker(BundleEmbedder(model), SalientCutter(model))


def _jobs(entities: Iterable[Any], maker: ViewMaker, kept: Work) -> Iterator[Job]:
    for entity in entities:
        for image in () if isinstance(entity, Fault) else entity.images:
            try:
                key = maker.key(image)
            except (Fault, OSError):
                continue  # the build meets it again
            if not kept.holds(key):
                yield {"key": key, "file": str(image.file), "mask": str(image.mask or ""),
                       "box": list(map(float, image.box or ()))}


def _box(numbers: NDArray[np.float64]) -> tuple[int, int, int, int] | None:
    if not len(numbers):
        return None
    x0, y0, x1, y1 = map(int, numbers)
    return x0, y0, x1, y1


def _keep(kept: Work, rows: Iterable[dict[str, Any]]) -> None:
    for key, views in itertools.groupby(rows, lambda row: row["key"]):
        made = [EmbeddedView(View(row["kind"]), np.frombuffer(row["vector"], "<f4"), row["thumbnail"],
                             int(row["fingerprint"], 16)) for row in views]
        kept.views(key, lambda made=made: made)  # type: ignore[misc]


@contextmanager
def _ray(address: str | None) -> Iterator[Any]:
    """Ray, quiet, without its web page and its reports to its makers; on one machine it stays on that machine."""
    before = {name: os.environ.get(name) for name in QUIET}
    os.environ.update(QUIET if address is None else {"RAY_USAGE_STATS_ENABLED": "0"})
    import ray
    import ray.data

    where: dict[str, Any] = {"address": address} if address else {"address": "local", "_node_ip_address": LOOPBACK}
    try:
        ray.init(**where, include_dashboard=None if address else False, log_to_driver=False,
                 logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise Fault(f"Ray at {address or 'this machine'}", expected="a cluster that answers", actual=str(error)[:160],
                    remedy="check the address, or leave --address out to use this machine") from error
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield ray
    finally:
        ray.shutdown()
        os.environ.update({name: value for name, value in before.items() if value is not None})
        for name in (name for name, value in before.items() if value is None):
            os.environ.pop(name, None)
