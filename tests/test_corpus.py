"""A corpus as it is written: scenes composed, seen by the trunk, and read again."""

from pathlib import Path

import numpy as np
import torch
from exams import COLOURS, NOUNS, _thing, an_exam

from pixsearch.contract.preprocess import frame_batch
from pixsearch.model import corpus
from pixsearch.model.corpus import Corpus, Materials, build_corpus, make_scene
from pixsearch.model.data.knowledge import make_entities
from pixsearch.model.data.records import Split
from pixsearch.model.sizes import SIZES
from pixsearch.model.vision import random_trunk


def test_scenes_are_seen_once_and_read_again(tmp_path: Path, monkeypatch) -> None:
    exam = an_exam(tmp_path)
    things = [_thing(tmp_path, noun, kind, colour, Split.VALIDATION)
              for noun, kind in NOUNS.items() for colour in COLOURS]
    materials = Materials(Split.VALIDATION, things, exam.places, make_entities(things, Split.VALIDATION, 1), exam.world)
    monkeypatch.setattr(corpus, "load_materials", lambda *_: materials)
    trunk = random_trunk(SIZES["tiny"].trunk).eval()
    written = build_corpus(tmp_path / "corpus", tmp_path, Split.VALIDATION, 2, trunk)
    assert len({sample.scene_seed for sample in written.samples}) == 2
    frame, _ = frame_batch(make_scene(materials, 1).frame)
    with torch.inference_mode():
        seen = trunk(torch.from_numpy(frame))
    for kept, level in zip(Corpus(tmp_path / "corpus").scene_features([1]).levels, seen.levels, strict=True):
        assert np.allclose(kept.numpy(), level.numpy(), atol=2e-2)
