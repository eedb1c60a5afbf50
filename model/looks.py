"""How an index would know the things that words name: what training gives the mask decoder along with its words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixsearch.contract.looks import LOOKS, gather_looks
from pixsearch.model.concepts import Concepts
from pixsearch.model.corpus import load_materials
from pixsearch.model.data.records import Split
from pixsearch.model.network import PixSearch
from pixsearch.model.region_fit import views_of

KNOWN = 0.6  # of nouns whose look is given: a pack may not hold the thing
PROTOTYPES = 0.3  # of looks that come from classes where there are both, as the everyday pack has them
WRONG = 0.05  # of looks that belong to another noun, as when a name has two meanings


class Looks:
    """Region vectors by noun and by kind, from the index's pictures of a split's things and from classes."""

    def __init__(self, seen: Mapping[str, NDArray[np.float32]], classes: Mapping[str, NDArray[np.float32]],
                 dimension: int) -> None:
        """seen, classes : unit vectors (n, dimension) of pictures and of prototypes, by lower-case word"""
        self._seen, self._classes, self._dimension = seen, classes, dimension
        self._words = sorted(seen)

    @classmethod
    @torch.inference_mode()
    def of_split(cls, split: Split, data: Path, runs: Path, model: PixSearch, concepts: Concepts) -> Self:
        """The looks of a split's things in a model's region space; its views are made unless `runs` holds them."""
        materials = load_materials(data, split)
        head = model.region
        references = head(views_of(runs, materials, model.trunk).references)  # (things, REFERENCES, R)
        rows: dict[str, list[int]] = {}
        for row, thing in enumerate(materials.things):
            for word in {thing.noun.lower(), thing.category.lower()}:
                rows.setdefault(word, []).append(row)
        seen = {word: references[own].flatten(0, 1).numpy() for word, own in rows.items()}
        prototypes = torch.nn.functional.normalize(head.prototypes, dim=-1).numpy()
        return cls(seen, {word: prototypes[own] for word, own in concepts.classes.items()}, prototypes.shape[1])

    def draw(self, words: Sequence[str | None], rng: np.random.Generator) -> Tensor:
        """What an index might say of each word, (N, LOOKS, region): a part of what is known, or zeros for nothing."""
        drawn = [self._draw(word.lower(), rng) if word and rng.random() < KNOWN else self._nothing for word in words]
        return torch.from_numpy(np.stack([gather_looks(one) for one in drawn])) if drawn \
            else torch.zeros(0, LOOKS, self._dimension)

    @property
    def _nothing(self) -> NDArray[np.float32]:
        return np.zeros((0, self._dimension), np.float32)

    def _draw(self, word: str, rng: np.random.Generator) -> NDArray[np.float32]:
        if self._words and rng.random() < WRONG:
            word = self._words[rng.integers(len(self._words))]
        known = [vectors[word] for vectors in (self._seen, self._classes) if word in vectors]
        if not known:
            return self._nothing
        vectors = known[-1] if rng.random() < PROTOTYPES else known[0]
        return vectors[rng.permutation(len(vectors))[:rng.integers(1, len(vectors) + 1)]]
