"""A miniature corpus and dictionary on disk, for tests of training: a few hand-made samples of random scenes."""

import json
from pathlib import Path

import numpy as np

from pixsearch.contract.grammar import Modality, Search, Text
from pixsearch.contract.preprocess import FRAME_PIXELS, MASK_PIXELS
from pixsearch.model import corpus
from pixsearch.model.corpus import Corpus
from pixsearch.model.data.records import Sample, Span, Split, sample_as_json
from pixsearch.model.looks import Looks
from pixsearch.model.sizes import SIZES

SCENES = 3
SEED = 1_000_000


def some_samples(scene: int) -> list[Sample]:
    """One question of each stage about a scene of two things."""
    said = (Text("The cup is on the left."),)
    sees = Sample(SEED + scene, Split.TRAIN, 1, "where", "Where is the cup?", said, "left",
                  None, (Span(0, 0, 7, 0, "cup"),))
    evidence = "Norvik mug (sure) | maker: Norvik"
    trace = (Text("The mug"), Search(Modality.REGION, None, evidence), Text(" is made by Norvik."))
    searches = Sample(SEED + scene, Split.TRAIN, 2, "fact", "Who makes the mug?", trace, "Norvik", Modality.REGION,
                      (Span(0, 0, 7, 1, "mug"),), point=(400.0, 200.0))
    return [sees, searches]


def some_looks() -> Looks:
    """Two looks of a cup and one of a mug."""
    rng = np.random.default_rng(0)
    vectors = {"cup": rng.normal(size=(2, SIZES["tiny"].region)), "mug": rng.normal(size=(1, SIZES["tiny"].region))}
    return Looks({word: (one / np.linalg.norm(one, axis=1, keepdims=True)).astype(np.float32)
                  for word, one in vectors.items()}, {}, SIZES["tiny"].region)


def write_corpus(folder: Path) -> Corpus:
    """Features of the tiny size's trunk, filled at random, with a mask for each of two things a scene."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    sides = [FRAME_PIXELS // stride for stride in (4, 8, 16, 32)]
    for level, channels, side in zip(corpus.LEVELS, SIZES["tiny"].trunk, sides, strict=True):
        np.save(folder / f"{level}.npy", rng.random((SCENES, channels, side, side)).astype(np.float16))
    masks = np.zeros((2 * SCENES, MASK_PIXELS, MASK_PIXELS), np.uint8)
    masks[::2, 20:50, 10:40] = 255
    masks[1::2, 40:70, 50:80] = 255
    np.save(folder / "masks.npy", masks)
    rows = [sample_as_json(sample) for scene in range(SCENES) for sample in some_samples(scene)]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "corpus.json").write_text(json.dumps({"first_mask": [0, 2, 4], "first_seed": SEED}))
    return Corpus(folder)


