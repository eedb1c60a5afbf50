"""Packs to torture: small, real, the same on every machine."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixsearch.contract.files import sha256_file
from pixsearch.index.build import build_pack
from pixsearch.index.embedder import EmbedderId, Vector
from pixsearch.index.hits import View
from pixsearch.index.writer import PackWriter

NAME = "torture"
PIXELS = 24
GRID = 4  # cells a side whose mean colours are the vector
LETTERS = 26


class Colours:
    """An embedder that needs no bundle, so that a process starts at once: mean colours of cells, counts of letters."""

    id, dimension, text_dimension = "colours-1", GRID * GRID * 3, LETTERS

    def region(self, rgb: NDArray[np.uint8], mask: NDArray[np.bool_] | None) -> Vector:
        """See `Embedder.region`."""
        kept = rgb if mask is None else rgb * mask[..., None].astype(np.uint8)
        cells = np.array(Image.fromarray(kept).resize((GRID, GRID), Image.Resampling.BOX), np.float32).ravel() + 1
        return cells / np.linalg.norm(cells)

    def text(self, text: str) -> Vector:
        """See `Embedder.text`."""
        counts = np.array([text.lower().count(chr(ord("a") + at)) for at in range(LETTERS)], np.float32) + 0.01
        return counts / np.linalg.norm(counts)


def a_folder(folder: Path, version: int, entities: int) -> Path:
    """A curator's folder; every seventh thing differs from version to version."""
    folder.mkdir(parents=True)
    rows = []
    for at in range(entities):
        own = version if at % 7 == 0 else 0
        random = np.random.default_rng((at, own))
        pixels = random.integers(0, 256, (PIXELS, PIXELS, 4), np.uint8)
        pixels[4:-4, 4:-4, 3] = 255
        Image.fromarray(pixels).save(folder / f"{at}.png")
        rows.append({"id": f"k{at}", "name": f"thing {at}", "kind": "thing", "aliases": [f"object {at}"],
                     "facts": {"number": str(at), "edition": str(own)}, "images": [f"{at}.png"]})
    (folder / "entities.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def a_pack(folder: Path, version: int, entities: int = 40, name: str = NAME) -> Path:
    """A version of a pack at `folder`, built from pictures."""
    with quiet():
        build_pack(a_folder(folder.with_name(f"{folder.name}-rows"), version, entities), folder, Colours(), name,
                   "CC0-1.0", version=version)
    return folder


def a_large_pack(folder: Path, vectors: int) -> Path:
    """A pack with enough vectors that searches go through the graph."""
    random = np.random.default_rng(0)
    identity = EmbedderId(Colours.id, Colours.dimension, Colours.text_dimension)
    with quiet(), PackWriter(folder, name=NAME, embedder=identity, licence="CC0-1.0") as writer:
        for at in range(vectors):
            writer.add_vector(writer.add_entity(f"k{at}", f"thing {at}", facts={"number": str(at)}),
                              random.normal(size=Colours.dimension), View.REGION)
    return folder


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder, by name, with its hash."""
    return {str(path.relative_to(folder)): sha256_file(path) for path in sorted(folder.rglob("*")) if path.is_file()}


@contextmanager
def quiet() -> Iterator[None]:
    """Without the progress bars of what is tried: the trial has its own."""
    with redirect_stderr(Silence()):
        yield


class Silence(io.StringIO):
    """A stream that keeps nothing."""

    def write(self, text: str) -> int:
        """Forget it."""
        return len(text)
