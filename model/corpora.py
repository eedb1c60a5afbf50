"""Published corpora in the form that training reads: each picture seen once by the frozen trunk, masks, samples.

`[corpora]` in a run file names them (`refcoco = "/data/refer"`). What a reader finds broken is told and left out.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zlib import crc32

import click
import numpy as np
import torch
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import atomic_directory, sha256_file
from pixsearch.contract.images import Pixels, read_image
from pixsearch.contract.preprocess import FRAME_PIXELS, MASK_PIXELS, Letterbox, scale_pixels
from pixsearch.model.batches import MOST_THINGS
from pixsearch.model.corpus import DESCRIPTION, FRAMES, LEVELS, MASKS, SAMPLES, SCENES_AT_ONCE, Corpus
from pixsearch.model.data.corpora.example import Example
from pixsearch.model.data.corpora.readers import READERS, reader_named
from pixsearch.model.data.records import Sample, Split, sample_as_json
from pixsearch.model.data.trace_rows import with_traces
from pixsearch.model.vision import Features, Trunk

FIRST_SEED, MOST_PICTURES = 10**9, 10**7  # picture numbers of corpora begin beyond those of composed scenes
TOLD = 20  # broken pictures that are told one by one


class JoinedCorpus(Corpus):
    """Several corpora as one; a sample is of the part that its picture's number falls into."""

    def __init__(self, parts: Sequence[Corpus]) -> None:
        self.parts = tuple(parts)
        self.samples = [sample for part in parts for sample in part.samples]
        self.shown = [sample for part in parts for sample in part.shown]
        self._of_stage = {stage: [sample for part in parts for sample in part.of_stage(stage)] for stage in (1, 2)}
        self._first_rows = np.cumsum([0, *(part.scenes for part in parts)]).tolist()

    @property
    def scenes(self) -> int:
        """How many pictures there are."""
        return int(self._first_rows[-1])

    def referred(self, sample: Sample) -> list[tuple[Sample, int]]:
        """See Corpus."""
        return self._part(sample).referred(sample)

    def scene_of(self, sample: Sample) -> int:
        """Row of the sample's picture in `scene_features`."""
        number = self.parts.index(self._part(sample))
        return int(self._first_rows[number]) + self.parts[number].scene_of(sample)

    def to(self, device: torch.device) -> None:
        """See Corpus."""
        for part in self.parts:
            part.to(device)

    def scene_features(self, rows: list[int], mirrored: Sequence[bool] = ()) -> Features:
        """See Corpus."""
        turned = list(mirrored) or [False] * len(rows)
        found: list[Features] = []
        for row, turn in zip(rows, turned, strict=True):
            number = int(np.searchsorted(self._first_rows, row, side="right")) - 1
            found.append(self.parts[number].scene_features([row - int(self._first_rows[number])], [turn]))
        images = [one.image for one in found if one.image is not None]
        maps = {level: torch.cat([getattr(one, level) for one in found]) for level in LEVELS}
        return Features(**maps, image=torch.cat(images) if len(images) == len(found) else None)

    def mask(self, sample: Sample, thing: int) -> NDArray[np.float32]:
        """See Corpus."""
        return self._part(sample).mask(sample, thing)

    def things(self, sample: Sample) -> NDArray[np.float32]:
        """See Corpus."""
        return self._part(sample).things(sample)

    def is_complete(self, sample: Sample) -> bool:
        """See Corpus."""
        return self._part(sample).is_complete(sample)

    def _part(self, sample: Sample) -> Corpus:
        return next(part for part in self.parts if 0 <= sample.scene_seed - part.first_seed < part.scenes)


def joined(composed: Corpus | None, published: Sequence[Corpus]) -> Corpus:
    """Composed scenes, if any, and published corpora as one. Raises Fault where there is neither."""
    parts = [*([composed] if composed is not None else []), *published]
    if not parts:
        raise Fault("run", expected="scenes or corpora", actual="neither", remedy="set scenes, or name [corpora]")
    return JoinedCorpus(parts)


def kept_corpora(corpora: Mapping[str, str], split: Split, limit: int, runs: Path, trunk: Trunk,
                 traces: Mapping[str, str] | None = None) -> list[Path]:
    """The folders below `runs` in which corpora are kept; those that are not there are read.

    corpora : published folders by reader's name; limit : pictures of each at most, 0 for all
    traces : files of the trace builder by the same names
    """
    folders = []
    for name, folder in corpora.items():
        reader_named(name)
        made = Path(traces[name]) if traces and name in traces else None
        told = str(Path(folder).resolve()) + (sha256_file(made) if made else "")
        kept = runs / "corpus" / f"{name}-{split}-{limit or 'all'}-{crc32(told.encode()):08x}"
        if not kept.exists():
            first_seed = FIRST_SEED + list(READERS).index(name) * MOST_PICTURES
            write_corpus(kept, name, Path(folder), split, limit, first_seed, trunk.eval(), made)
        folders.append(kept)
    return folders


def write_corpus(target: Path, name: str, folder: Path, split: Split, limit: int, first_seed: int,
                 trunk: Trunk, traces: Path | None = None) -> None:
    """Read a corpus and write what training reads of it. Raises Fault where nothing could be used."""
    read = reader_named(name)(folder, split)
    read = with_traces(read, traces) if traces else read
    usable = islice(_usable(read), limit) if limit else _usable(read)
    bar: Any = click.progressbar(usable, length=limit or None, label=f"{name}, {split}", file=sys.stderr, show_pos=True)
    broken = 0
    with atomic_directory(target) as temporary, _Written(temporary, trunk, first_seed) as written, bar:
        for example in bar:
            try:
                if isinstance(example, Fault):
                    raise example
                written.add(example)
            except Fault as fault:
                broken += 1
                if broken <= TOLD:
                    click.echo(f"left out {fault}", err=True)
        if not written.count:
            raise Fault(f"corpus {name} in {folder}", expected="pictures with samples", actual=f"{broken} broken ones",
                        remedy="see docs/corpora.md for the layout")
        if broken > TOLD:
            click.echo(f"left out {broken} pictures of {name} in all", err=True)


def _usable(read: Iterator[Example | Fault]) -> Iterator[Example | Fault]:
    return (one for one in read if isinstance(one, Fault) or one.samples)


class _Written:
    """A corpus under construction: a few pictures are seen at once."""

    def __init__(self, folder: Path, trunk: Trunk, first_seed: int) -> None:
        self._folder, self._trunk, self._first_seed = folder, trunk, first_seed
        self._levels: list[GrowingArray] = []
        self._masks = GrowingArray(folder / MASKS, np.dtype(np.uint8), (MASK_PIXELS, MASK_PIXELS))
        self._frames = GrowingArray(folder / FRAMES, np.dtype(np.uint8), (FRAME_PIXELS, FRAME_PIXELS, 3))
        self._samples = (folder / SAMPLES).open("w", encoding="utf-8")
        self._waiting: list[Pixels] = []
        self._first_mask: list[int] = []
        self._complete: set[bool] = set()

    @property
    def count(self) -> int:
        """How many pictures there are."""
        return len(self._first_mask)

    def add(self, example: Example) -> None:
        """Add a picture. Raises Fault for one that cannot be used; nothing of it is written then."""
        frame = read_image(example.picture, f"{example.place}: picture")
        shapes = {mask.shape for mask in example.masks}
        if len(example.masks) > MOST_THINGS or not shapes <= {frame.shape[:2]}:
            raise Fault(f"{example.place}: masks", expected=f"at most {MOST_THINGS} of {frame.shape[:2]}",
                        actual=f"{len(example.masks)} of {sorted(shapes)}", remedy="leave the picture out")
        letterbox = Letterbox.fit(*frame.shape[:2])
        self._first_mask.append(self._masks.count)
        for mask in example.masks:
            self._masks.add(np.rint(letterbox.place_mask(mask) * 255).astype(np.uint8)[None])
        for sample in example.samples:
            numbered = replace(sample, scene_seed=self._first_seed + self.count - 1)
            self._samples.write(json.dumps(sample_as_json(numbered)) + "\n")
        self._complete.add(example.complete)
        self._waiting.append(letterbox.place(frame))
        if len(self._waiting) == SCENES_AT_ONCE:
            self._see()

    @torch.inference_mode()
    def _see(self) -> None:
        squares = np.stack(self._waiting)
        self._waiting.clear()
        self._frames.add(squares)
        pixels = torch.from_numpy(np.concatenate([scale_pixels(one) for one in squares]))
        seen = self._trunk(pixels.to(memory_format=torch.channels_last))
        features = [level.numpy().astype(np.float16) for level in seen.levels]
        if not self._levels:
            self._levels = [GrowingArray(self._folder / f"{level}.npy", values.dtype, values.shape[1:])
                            for level, values in zip(LEVELS, features, strict=True)]
        for array, values in zip(self._levels, features, strict=True):
            array.add(values)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._waiting and error is None:
            self._see()
        for array in (*self._levels, self._masks, self._frames):
            array.close()
        self._samples.close()
        (self._folder / DESCRIPTION).write_text(json.dumps({
            "first_mask": self._first_mask, "first_seed": self._first_seed, "complete": self._complete == {True}}))


class GrowingArray:
    """A .npy file whose first axis grows: its header has room for the number of rows, which is written at the end."""

    def __init__(self, path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> None:
        self._stream, self._dtype, self._shape, self.count = path.open("w+b"), dtype, shape, 0
        self._header()

    def add(self, rows: NDArray) -> None:
        """Append rows (N, *shape)."""
        if rows.shape[1:] != self._shape or rows.dtype != self._dtype:
            raise ValueError(f"rows must be {self._dtype} (N, {self._shape}), got {rows.dtype} {rows.shape}")
        self._stream.write(np.ascontiguousarray(rows).tobytes())
        self.count += len(rows)

    def close(self) -> None:
        """Write the number of rows."""
        self._stream.seek(0)
        self._header()
        self._stream.close()

    def _header(self) -> None:
        np.lib.format.write_array_header_1_0(self._stream, {
            "descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False,
            "shape": (self.count, *self._shape)})
