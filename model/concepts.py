"""Words and the ImageNet classes that they cover: "dog" covers 118 classes, "Egyptian cat" one.

Ties words to class prototypes, so that names ground in real photographs without any mask label.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from pixsearch.model.data.everyday import class_names
from pixsearch.model.data.wordnet import WordNet
from pixsearch.model.region import CLASSES

KIND_CLASSES = 20  # a word that covers more names a kind ("animal"): its things look too different from each other
MOST_CLASSES = 500  # a kind that covers more ("entity", "object") says nothing of how a thing looks


class Concepts:
    """Every name of every class and of every kind above it, with the classes below."""

    def __init__(self, data: Path) -> None:
        wordnet = WordNet(data / "wordnet" / "3.0")
        covered: dict[str, set[int]] = {}
        for index, (id, name) in enumerate(class_names().items()):
            covered.setdefault(name.lower(), set()).add(index)
            for synset in (id, *wordnet.ancestors(id)):
                for lemma in wordnet.synset(synset).lemmas:
                    covered.setdefault(lemma.lower(), set()).add(index)
        self.classes = {word: sorted(found) for word, found in sorted(covered.items()) if len(found) <= MOST_CLASSES}
        self.words = list(self.classes)
        self.phrases = [f"the {word}" for word in self.words]

    def is_kind(self, word: str) -> bool:
        """Whether a word names a wide kind of things."""
        return len(self.classes.get(word.lower(), [])) > KIND_CLASSES

    def rows(self, words: Sequence[str | None]) -> Tensor:
        """Which classes each word covers: bool (len(words), CLASSES); a row without any for an unknown word."""
        table = torch.zeros(len(words), CLASSES, dtype=torch.bool)
        for row, word in enumerate(words):
            if word is not None:
                table[row, self.classes.get(word.lower(), [])] = True
        return table
