"""What each training step learns from: drawn from the corpus by seed and step, the same whenever a run was resumed.

A batch may be cut into parts, each learned from by itself. Which samples a part has depends on seed, step and part
alone, so that any number of processes that share the parts out learn the same.
"""

import math
import os
from collections.abc import Container, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pixsearch.contract.faults import Fault
from pixsearch.contract.tokenizer import Tokenizer
from pixsearch.model.batches import (
    SIGHT_A_SCENE,
    Batch,
    Others,
    SceneRows,
    can_mirror,
    make_batch,
    make_others,
    make_scenes,
)
from pixsearch.model.concepts import Concepts
from pixsearch.model.config import RunConfig
from pixsearch.model.corpus import Corpus
from pixsearch.model.data.records import Sample
from pixsearch.model.looks import Looks
from pixsearch.model.namings import Namings, name_batch

MIRRORED = 0.5  # of the scenes of sight steps
MOST_WORKERS = 7  # processes that make batches where a GPU waits for them
AHEAD = 4  # batches that each of them makes before they are asked for


class SightStep(NamedTuple):
    """What the mask side alone learns from: as many queries for each scene."""

    scenes: SceneRows
    others: Others
    words: list[str]  # names without a picture
    covered: Tensor  # (words, CLASSES) bool: the classes that each of them covers
    corner: tuple[int, int]  # masks are compared at every second row and column from here on


class FullStep(NamedTuple):
    """What everything learns from."""

    batch: Batch
    namings: Namings

    @property
    def scenes(self) -> SceneRows:
        """The batch's scenes."""
        return self.batch.scenes


class Steps(Dataset[SightStep | FullStep]):
    """The parts of a run's steps by number: all parts of the first step, then those of the second."""

    def __init__(self, corpus: Corpus, tokenizer: Tokenizer, concepts: Concepts, looks: Looks, known: Container[str],
                 config: RunConfig) -> None:
        """known : phrases that have an anchor; a mirrored scene's words must be among them"""
        self.corpus, self.tokenizer, self.concepts, self.looks = corpus, tokenizer, concepts, looks
        self.known, self.config = known, config

    def __getitem__(self, number: int) -> SightStep | FullStep:
        step, part = divmod(number, self.config.parts)
        rng = np.random.default_rng(seeds(self.config, step, part, 1))
        return self._sight(rng) if step < self.config.sight_steps else self._full(step, part, rng)

    def following(self, step: int, device: torch.device, rank: int = 0, processes: int = 1
                  ) -> Iterator[SightStep | FullStep]:
        """The parts of a process, from `step` on. Where a GPU learns, other processes make them ahead of time."""
        parts = self.config.parts
        numbers = [one * parts + part for one in range(step, self.config.steps)
                   for part in range(rank, parts, processes)]
        workers = min(MOST_WORKERS, len(os.sched_getaffinity(0)) - 1) if device.type == "cuda" else 0
        ahead = AHEAD if workers else None
        return iter(DataLoader(self, batch_size=None, sampler=numbers, num_workers=workers,
                               prefetch_factor=ahead))

    def _sight(self, rng: np.random.Generator) -> SightStep:
        pool, config = self.corpus.shown, self.config
        samples = [pool[i] for i in rng.integers(len(pool), size=config.sight_batch // config.parts)]
        mirrored = [rng.random() < MIRRORED and can_mirror(sample, self.corpus, self.known) for sample in samples]
        others = make_others(samples, self.corpus, self.concepts, self.looks, rng, SIGHT_A_SCENE, mirrored,
                             self.known)
        named = rng.integers(len(self.concepts.words), size=config.sight_words)
        return SightStep(make_scenes(samples, self.corpus, mirrored), others,
                         [self.concepts.phrases[i] for i in named],
                         self.concepts.rows([self.concepts.words[i] for i in named]),
                         (int(rng.integers(2)), int(rng.integers(2))))

    def _full(self, step: int, part: int, rng: np.random.Generator) -> FullStep:
        samples = draw(self.corpus, self.config, step)[part::self.config.parts]  # both stages in each
        batch = make_batch(samples, self.corpus, self.tokenizer, self.concepts, self.looks, rng)
        return FullStep(batch, name_batch(self.concepts, self.tokenizer, self.config.words, rng))


def seeds(config: RunConfig, step: int, part: int, use: int) -> list[int]:
    """What seeds the random numbers of a part of a step; `use` tells apart what they are for."""
    return [config.seed, step, use, *([part] if config.parts > 1 else [])]


def draw(corpus: Corpus, config: RunConfig, step: int) -> list[Sample]:
    """The samples of a step; where corpora have none of a stage, the other fills the batch.

    Raises Fault for stage 1 where there are none of it.
    """
    rng = np.random.default_rng([config.seed, step])
    exact = config.batch * (config.stage1_share if config.stage == 2 else 1.0)
    first = math.floor(exact) + int(rng.random() < exact % 1)  # met on average where it is no whole number
    ones, twos = corpus.of_stage(1), corpus.of_stage(2)
    if config.stage == 1 and not ones:
        raise Fault(f"corpora of run {config.name}", expected="samples of stage 1", actual="none",
                    remedy="add a corpus that has some, see docs/corpora.md")
    if not (ones and twos):
        first = config.batch if ones else 0
    chosen: list[Sample] = []
    for pool, count in ((ones, first), (twos, config.batch - first)):
        if count:
            chosen += [pool[i] for i in rng.integers(len(pool), size=count)]
    return chosen
