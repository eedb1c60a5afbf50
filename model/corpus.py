"""The training corpus on disk: composed scenes seen once by the frozen trunk, their masks and their questions.

The trunk is frozen, so its features are computed once a scene and memory-mapped afterwards; the same goes for the
crops that the region head is fitted on.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

import click
import numpy as np
import torch
from numpy.typing import NDArray

from pixsearch.contract.files import atomic_directory
from pixsearch.contract.preprocess import frame_batch
from pixsearch.model.data.everyday import everyday_entities, everyday_nouns
from pixsearch.model.data.knowledge import World, make_entities, make_world
from pixsearch.model.data.places import load_places
from pixsearch.model.data.questions import make_samples
from pixsearch.model.data.records import Entity, Place, Sample, Scene, Split, Thing, sample_as_json, sample_from_json
from pixsearch.model.data.scenes import SETTINGS, compose
from pixsearch.model.data.things import load_things
from pixsearch.model.data.wordnet import WordNet
from pixsearch.model.processes import on_all_cores
from pixsearch.model.vision import Features, Trunk

WORLD_SEED = 20261
SCENE_SEEDS = {Split.TRAIN: 1_000_000, Split.VALIDATION: 2_000_000, Split.TEST: 3_000_000}
LEVELS = ("stride4", "stride8", "stride16", "head")  # of Features, what every size sees
MASKS, SAMPLES, DESCRIPTION = "masks.npy", "samples.jsonl", "corpus.json"
FRAMES = "frames.npy"  # of published pictures, uint8 (count, S, S, 3) letterboxed: composed scenes are made again
SCENES_AT_ONCE = 8


@dataclass(frozen=True)
class Materials:
    """Everything of one split that scenes and questions are made from."""

    split: Split
    things: list[Thing]
    places: list[Place]
    entities: dict[str, Entity]  # by Thing.id
    world: World


def load_materials(data: Path, split: Split) -> Materials:
    """Read `make data`'s folder for one split."""
    things = [thing for thing in load_things(data) if thing.split is split]
    places = [place for place in load_places(data) if place.split is split]
    wordnet = WordNet(data / "wordnet" / "3.0")
    everyday = {**everyday_entities(wordnet), **everyday_nouns(wordnet, things)}
    return Materials(split, things, places, make_entities(things, split, WORLD_SEED),
                     make_world(split, WORLD_SEED, places, everyday))


def make_scene(materials: Materials, number: int) -> Scene:
    """The n-th scene of a split."""
    split = materials.split
    return compose(SCENE_SEEDS[split] + number, materials.things, materials.places, SETTINGS[split])


def scene_samples(materials: Materials, scene: Scene, stages: tuple[int, ...] = (1, 2)) -> list[Sample]:
    """The questions of a scene, the same ones every time."""
    rng = Random(scene.seed)
    return [sample for stage in stages for sample in make_samples(
        scene, materials.entities, materials.world, materials.split, rng, stage)]


class Corpus:
    """Scenes of one split as the training loop reads them."""

    def __init__(self, folder: Path, seen: Mapping[str, str] | None = None) -> None:
        """seen : files that further frozen parts have added for fields of Features (`image_tokens.py`)"""
        names = {level: level for level in LEVELS} | dict(seen or {})
        self.features = Features(**{level: torch.from_numpy(np.load(folder / f"{name}.npy", mmap_mode="c"))
                                    for level, name in names.items()})  # float16, on the disk until asked for
        self.masks: NDArray[np.uint8] = np.load(folder / MASKS, mmap_mode="r")  # (all things, M, M) coverage
        lines = (folder / SAMPLES).read_text().splitlines()
        samples = [sample_from_json(json.loads(line)) for line in lines]
        description = json.loads((folder / DESCRIPTION).read_text())
        self.first_mask: list[int] = [*description["first_mask"], len(self.masks)]  # of each scene, and the end
        self.first_seed: int = description["first_seed"]
        self._complete: bool = description.get("complete", True)
        # a scene with masks of which nothing is said gives the mask decoder nothing to learn
        spoken_of = {one.scene_seed for one in samples if one.spans}
        self.samples = [one for one in samples
                        if one.scene_seed in spoken_of or self._mask_count(self.scene_of(one)) == 0]
        self.shown = [one for one in self.samples if one.scene_seed in spoken_of]  # with a mask for something said
        self._of_scene: dict[int, list[Sample]] = {}
        for one in self.samples:
            self._of_scene.setdefault(one.scene_seed, []).append(one)
        self._of_stage = {stage: [one for one in self.samples if one.stage == stage] for stage in (1, 2)}

    @property
    def scenes(self) -> int:
        """How many scenes there are."""
        return len(self.first_mask) - 1

    def of_stage(self, stage: int) -> list[Sample]:
        """The samples of a stage."""
        return self._of_stage[stage]

    def referred(self, sample: Sample) -> list[tuple[Sample, int]]:
        """All spans of all samples of the sample's scene: (sample, number of the span)."""
        return [(one, number) for one in self._of_scene[sample.scene_seed] for number in range(len(one.spans))]

    def is_complete(self, sample: Sample) -> bool:
        """Whether all things of the sample's scene have masks, so that the rest is background."""
        return self._complete

    def _mask_count(self, scene: int) -> int:
        return self.first_mask[scene + 1] - self.first_mask[scene]

    def scene_of(self, sample: Sample) -> int:
        """Row of the sample's scene in `features`."""
        return sample.scene_seed - self.first_seed

    def to(self, device: torch.device) -> None:
        """Bring the features into a device's memory: 1.1 MB a scene of EfficientNet-Lite0."""
        self.features = self.features.each(lambda level: level.to(device))

    def scene_features(self, rows: list[int], mirrored: Sequence[bool] = ()) -> Features:
        """Trunk features of scenes, float32, where the features are; `mirrored` ones are turned left to right.

        The trunk's own view of a mirrored frame differs little from the mirrored view.
        """
        features = self.features.each(lambda level: level[rows].float())
        turned = np.flatnonzero(mirrored)
        for row in turned:
            for level in features.levels:
                level[row] = level[row].flip(-1)
        return features._replace(image=None) if len(turned) else features  # no language part reads mirrored frames

    def mask(self, sample: Sample, thing: int) -> NDArray[np.float32]:
        """Coverage 0..1 of a thing of the sample's scene, (MASK_PIXELS, MASK_PIXELS) of the letterboxed square."""
        return self.masks[self.first_mask[self.scene_of(sample)] + thing].astype(np.float32) / 255.0

    def things(self, sample: Sample) -> NDArray[np.float32]:
        """Coverage of all things of the sample's scene, (K, MASK_PIXELS, MASK_PIXELS)."""
        scene = self.scene_of(sample)
        return self.masks[self.first_mask[scene]:self.first_mask[scene + 1]].astype(np.float32) / 255.0


def build_corpus(folder: Path, data: Path, split: Split, scenes: int, trunk: Trunk) -> Corpus:
    """Compose `scenes` scenes, see them once and write the corpus, unless it is there."""
    if not folder.exists():
        with atomic_directory(folder) as temporary:
            _write(temporary, load_materials(data, split), scenes, trunk.eval())
    return Corpus(folder)


def _write(folder: Path, materials: Materials, count: int, trunk: Trunk) -> None:
    stores: list[NDArray[np.float16]] = []
    masks: list[NDArray[np.uint8]] = []
    first_mask: list[int] = []
    chunks = [range(start, min(count, start + SCENES_AT_ONCE)) for start in range(0, count, SCENES_AT_ONCE)]
    with (folder / SAMPLES).open("w") as samples, click.progressbar(
            length=count, label=f"{materials.split} scenes", file=sys.stderr, show_pos=True) as bar:
        for seen in on_all_cores(_see, (materials, trunk), chunks):
            if not stores:
                stores = [np.lib.format.open_memmap(folder / f"{level}.npy", mode="w+", dtype=np.float16,
                                                    shape=(count, *values.shape[1:]))
                          for level, values in zip(LEVELS, seen.features, strict=True)]
            start, scenes = len(first_mask), len(seen.masks)
            for store, values in zip(stores, seen.features, strict=True):
                store[start:start + scenes] = values
            for coverage in seen.masks:
                first_mask.append(len(masks))
                masks += coverage
            samples.writelines(f"{line}\n" for line in seen.samples)
            bar.update(scenes)
    np.save(folder / MASKS, np.stack(masks))
    (folder / DESCRIPTION).write_text(json.dumps(
        {"first_mask": first_mask, "first_seed": SCENE_SEEDS[materials.split]}))


class _Seen(NamedTuple):
    """What is kept of a few scenes."""

    features: list[NDArray[np.float16]]  # at each level, (scenes, channels, side, side)
    masks: list[list[NDArray[np.uint8]]]  # of each scene, one a thing
    samples: list[str]  # JSON


def _see(of: tuple[Materials, Trunk], numbers: range) -> _Seen:
    materials, trunk = of
    scenes = [make_scene(materials, number) for number in numbers]
    pixels = torch.from_numpy(np.concatenate([frame_batch(scene.frame)[0] for scene in scenes]))
    with torch.inference_mode():
        features = trunk(pixels.to(memory_format=torch.channels_last))  # a third faster in that format
    return _Seen([values.numpy().astype(np.float16) for values in features.levels],
                 [_coverage(scene) for scene in scenes],
                 [json.dumps(sample_as_json(sample)) for scene in scenes for sample in scene_samples(materials, scene)])


def _coverage(scene: Scene) -> list[NDArray[np.uint8]]:
    letterbox = frame_batch(scene.frame)[1]
    return [np.rint(letterbox.place_mask(placed.mask) * 255).astype(np.uint8) for placed in scene.placed]
