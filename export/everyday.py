"""What the everyday pack holds: the 1,000 ImageNet classes with WordNet's facts and their prototypes as vectors."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pixsearch.model.checkpoint import Checkpoint
from pixsearch.model.data.everyday import class_names, everyday_entity
from pixsearch.model.data.records import Entity
from pixsearch.model.data.wordnet import WordNet


@dataclass(frozen=True)
class EverydayEntry:
    """One class as a pack entity."""

    entity: Entity  # its id is the WordNet 3.0 id
    aliases: list[str]
    gloss: str
    prototype: NDArray[np.float32]  # unit vector in region space
    text_vector: NDArray[np.float32]  # unit vector in text space


def everyday_entries(checkpoint: Checkpoint, data: Path) -> Iterator[EverydayEntry]:
    """All classes, in the classifier's order. `data` is the folder that `make data` fills."""
    model, tokenizer = checkpoint.model.eval(), checkpoint.tokenizer
    wordnet = WordNet(data / "wordnet" / "3.0")
    prototypes = torch.nn.functional.normalize(model.region.prototypes.detach(), dim=-1).numpy()
    for (id, name), prototype in zip(class_names().items(), prototypes, strict=True):
        synset = wordnet.synset(id)
        aliases = [lemma for lemma in synset.lemmas if lemma.lower() != name.lower()]
        words = tokenizer.encode(f"{name}, {', '.join(aliases)}: {synset.gloss}")
        with torch.inference_mode():
            text_vector = model.text(torch.tensor([words]))[0].numpy()
        yield EverydayEntry(everyday_entity(wordnet, id, name), aliases, synset.gloss, prototype, text_vector)
