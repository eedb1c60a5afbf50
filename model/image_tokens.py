"""What further frozen parts see in a corpus, computed once: a family's tower, and SAM's image encoder."""

import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pixsearch.contract.preprocess import frame_batch, scale_pixels
from pixsearch.model.corpus import FRAMES, LEVELS, Materials, load_materials, make_scene
from pixsearch.model.data.records import Split
from pixsearch.model.network import PixSearch
from pixsearch.model.processes import on_all_cores

SCENES_AT_ONCE = 8
SAMPLED = 64  # values of each tensor that tell towers apart
LARGEST = float(torch.finfo(torch.float16).max)


def add_seen(folder: Path, data: Path, split: Split, model: PixSearch) -> dict[str, str]:
    """See the scenes of a corpus folder, unless that is done; returns the file's name for each field of Features."""
    names: dict[str, str] = {}
    for part, fields in ((model.tower, ("image",)), (model.eye, LEVELS[:3])):
        if part is None:
            continue
        own = {field: f"{field}-{_fingerprint(part):08x}" for field in fields}
        if not all((folder / f"{name}.npy").exists() for name in own.values()):
            count = len(np.load(folder / "stride16.npy", mmap_mode="r"))
            partial = [folder / f"{name}.partial.npy" for name in own.values()]
            batches = kept_frames(folder) if (folder / FRAMES).exists() else frames(data, split, count)
            _write(partial, batches, count, part, f"{split} {fields[0]}")
            for path, name in zip(partial, own.values(), strict=True):
                path.replace(folder / f"{name}.npy")
        names |= own
    return names


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
def _write(paths: list[Path], batches: Iterator[NDArray[np.float32]], count: int, part: nn.Module, label: str) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    part.to(device)
    stores: list[NDArray[np.float16]] = []
    done = 0
    with click.progressbar(length=count, label=label, file=sys.stderr, show_pos=True) as bar:
        for pixels in batches:
            found = part(torch.from_numpy(pixels).to(device))
            seen = [one.clamp(-LARGEST, LARGEST).half().cpu().numpy()
                    for one in (found if isinstance(found, tuple) else (found,))]
            stores = stores or [np.lib.format.open_memmap(path, mode="w+", dtype=np.float16,
                                                          shape=(count, *one.shape[1:]))
                                for path, one in zip(paths, seen, strict=True)]
            for store, one in zip(stores, seen, strict=True):
                store[done:done + len(pixels)] = one
            done += len(pixels)
            bar.update(len(pixels))


def _fingerprint(tower: nn.Module) -> int:
    """Differs for towers of other weights; reads a few values of each tensor."""
    found = 0
    for tensor in tower.state_dict().values():
        values = tensor.flatten()
        found = zlib.crc32(values[::max(1, len(values) // SAMPLED)].float().cpu().numpy().tobytes(), found)
    return found
