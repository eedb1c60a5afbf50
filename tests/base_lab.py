"""A laboratory for models made from a folder of weights: eight drawn scenes, a small dictionary, random models."""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from miniature import SEED, some_looks, some_samples
from numpy.typing import NDArray
from test_wordnet import write_wordnet

from pixsearch.contract.preprocess import Letterbox, frame_batch
from pixsearch.model import concepts, corpus, image_tokens, training
from pixsearch.model.config import RunConfig
from pixsearch.model.data.records import FRAME_HEIGHT, FRAME_WIDTH, sample_as_json
from pixsearch.model.families.random_model import write_random_model
from pixsearch.model.sizes import SIZES
from pixsearch.model.vision import random_trunk

SCENES = 8
SIZE = SIZES["tiny-base"]
STAGE1 = RunConfig(name="stage1", stage=1, size=SIZE.name, start="base-tiny-base", steps=100, scenes=SCENES,
                   validation_scenes=SCENES, batch=2, words=2, sight_steps=60, sight_batch=2, sight_words=4, rate=3e-3,
                   new_rate=3e-3, sight_rate=6e-3, mask_rate=2e-3, warmup=2, log_every=5, save_every=10,
                   validate_every=1000, validation_batches=2)


def drawn_scene(number: int) -> tuple[NDArray[np.uint8], list[NDArray[np.bool_]]]:
    """A frame with a red cup on the left and a blue mug around (400, 200), and their masks."""
    rng = np.random.default_rng(number)
    frame = rng.integers(90, 130, (FRAME_HEIGHT, FRAME_WIDTH, 3), dtype=np.uint8)
    masks = []
    for centre, colour in (((150, 260), (220, 30, 30)), ((410, 210), (30, 40, 220))):
        mask = np.zeros((FRAME_HEIGHT, FRAME_WIDTH), np.uint8)
        moved = tuple(int(x) for x in np.array(centre) + rng.integers(-20, 21, 2))
        cv2.ellipse(mask, moved, tuple(int(x) for x in rng.integers(60, 95, 2)), 0, 0, 360, 1, -1)
        frame[mask > 0] = colour
        masks.append(mask > 0)
    return frame, masks


def frames(*_: object) -> Iterator[NDArray[np.float32]]:
    """All scenes as the vision graph takes them."""
    yield np.concatenate([frame_batch(drawn_scene(number)[0])[0] for number in range(SCENES)])


def write_scenes(folder: Path) -> None:
    """The scenes as a corpus, seen by the trunk of the size that tests train."""
    folder.mkdir(parents=True)
    torch.manual_seed(0)  # the trunk that `prepare` makes
    with torch.inference_mode():
        seen = random_trunk(SIZE.trunk).eval()(torch.from_numpy(next(frames())))
    for level, values in zip(corpus.LEVELS, seen.levels, strict=True):
        np.save(folder / f"{level}.npy", values.numpy().astype(np.float16))
    letterbox = Letterbox.fit(FRAME_HEIGHT, FRAME_WIDTH)
    masks = [letterbox.place_mask(mask) for number in range(SCENES) for mask in drawn_scene(number)[1]]
    np.save(folder / "masks.npy", np.rint(np.stack(masks) * 255).astype(np.uint8))
    rows = [sample_as_json(sample) for number in range(SCENES) for sample in some_samples(number)]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "corpus.json").write_text(json.dumps({"first_mask": list(range(0, 2 * SCENES, 2)), "first_seed": SEED}))


def set_up(folder: Path, patch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Folders for data and runs: the scenes for training and, since they are to be learned by heart, for validation."""
    for split in ("train", "validation"):
        write_scenes(folder / "runs" / "corpus" / f"{split}-{SCENES}")
    (folder / "tabby").write_text(write_wordnet(folder / "data" / "wordnet" / "3.0")["tabby"])
    return patched(folder, patch)


def patched(folder: Path, patch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The same in a folder that is set up: what would be fetched is drawn."""
    tabby = (folder / "tabby").read_text()
    patch.setattr(concepts, "class_names", lambda: {tabby: "tabby"})
    patch.setattr(training.Looks, "of_split", lambda *_: some_looks())
    patch.setattr(image_tokens, "frames", frames)
    return folder / "data", folder / "runs"


def a_folder(folder: Path, family: str) -> str:
    """A small random model of a family as its publisher would lay it out."""
    write_random_model(family, folder / family)
    return str(folder / family)
