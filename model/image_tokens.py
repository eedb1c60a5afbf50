"""Image tokens of a corpus: what a family's tower sees in its scenes, computed once, for the tower is frozen."""

import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray

from pixsearch.contract.preprocess import frame_batch, scale_pixels
from pixsearch.model.corpus import FRAMES, Materials, load_materials, make_scene
from pixsearch.model.data.records import Split
from pixsearch.model.families.tower import Tower
from pixsearch.model.processes import on_all_cores

SCENES_AT_ONCE = 8
SAMPLED = 64  # values of each tensor that tell towers apart
LARGEST = float(torch.finfo(torch.float16).max)


def add_image_tokens(folder: Path, data: Path, split: Split, tower: Tower) -> str:
    """See the scenes of a corpus folder with a tower, unless that is done; returns the name of the file."""
    name = f"image-{_fingerprint(tower):08x}"
    path = folder / f"{name}.npy"
    if not path.exists():
        count = len(np.load(folder / "stride16.npy", mmap_mode="r"))
        partial = folder / f"{name}.partial.npy"
        batches = kept_frames(folder) if (folder / FRAMES).exists() else frames(data, split, count)
        _write(partial, batches, count, tower, f"{split} image tokens")
        partial.replace(path)
    return name


def frames(data: Path, split: Split, count: int) -> Iterator[NDArray[np.float32]]:
    """The scenes of a corpus as the vision graph takes them, some at once: (B, 3, FRAME_PIXELS, FRAME_PIXELS)."""
    chunks = [range(start, min(count, start + SCENES_AT_ONCE)) for start in range(0, count, SCENES_AT_ONCE)]
    yield from on_all_cores(_compose, load_materials(data, split), chunks)


def kept_frames(folder: Path) -> Iterator[NDArray[np.float32]]:
    """The same of a published corpus, whose pictures are kept."""
    squares = np.load(folder / FRAMES, mmap_mode="r")
    for start in range(0, len(squares), SCENES_AT_ONCE):
        yield np.concatenate([scale_pixels(one) for one in squares[start:start + SCENES_AT_ONCE]])


def _compose(materials: Materials, numbers: range) -> NDArray[np.float32]:
    return np.concatenate([frame_batch(make_scene(materials, number).frame)[0] for number in numbers])


@torch.inference_mode()
def _write(path: Path, batches: Iterator[NDArray[np.float32]], count: int, tower: Tower, label: str) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tower.to(device)
    store, done = None, 0
    with click.progressbar(length=count, label=label, file=sys.stderr, show_pos=True) as bar:
        for pixels in batches:
            seen = tower(torch.from_numpy(pixels).to(device)).clamp(-LARGEST, LARGEST).half().cpu().numpy()
            if store is None:
                store = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(count, *seen.shape[1:]))
            store[done:done + len(seen)] = seen
            done += len(seen)
            bar.update(len(seen))
    assert store is not None
    store.flush()


def _fingerprint(tower: Tower) -> int:
    """Differs for towers of other weights; reads a few values of each tensor."""
    found = 0
    for tensor in tower.state_dict().values():
        values = tensor.flatten()
        found = zlib.crc32(values[::max(1, len(values) // SAMPLED)].float().cpu().numpy().tobytes(), found)
    return found
