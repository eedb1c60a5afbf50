"""A bigger model teaches a smaller one, from a family's vocabulary to ours and on to fewer layers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from base_lab import STAGE1, a_folder, set_up
from miniature import some_samples

from pixsearch.contract.grammar import Text
from pixsearch.contract.tokenizer import Tokenizer, byte_tokenizer
from pixsearch.export.bundle import export_bundle
from pixsearch.export.parity import parity
from pixsearch.model import sizes, training
from pixsearch.model.batches import encode_sample
from pixsearch.model.checkpoint import load_merged
from pixsearch.model.distill import Pair, same_places
from pixsearch.model.families.parts import family_tokenizer

SMALLER = replace(sizes.SIZES["tiny"], name="smaller", layers=(0,))

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setitem(sizes.SIZES, SMALLER.name, SMALLER)
    return set_up(tmp_path, monkeypatch)


def losses(runs: Path, name: str) -> list[dict[str, float]]:
    lines = (runs / f"{name}.run" / training.LOG_FILE).read_text().splitlines()
    return [record["losses"] for line in lines if "losses" in (record := json.loads(line))]


def test_base_teaches_mini_and_mini_teaches_nano(places: tuple[Path, Path], tmp_path: Path) -> None:
    _, runs = places
    base = replace(STAGE1, name="base", stage=2, weights=a_folder(tmp_path, "smolvlm"), sight_steps=0, steps=12,
                   stage1_share=0.5)
    training.train(base, *places)
    mini = replace(base, name="mini", size="tiny", start="base-tiny", weights="", teacher="base", steps=30,
                   log_every=15)
    training.train(mini, *places)
    nano = replace(mini, name="nano", size=SMALLER.name, start="mini", teacher="mini")
    training.train(nano, *places)
    for name in ("mini", "nano"):
        first, last = losses(runs, name)
        assert {"soft_words", "soft_masks", "soft_places", "language"} <= set(first)
        assert last["language"] < first["language"], name
    first, last = losses(runs, "nano")
    assert last["soft_words"] < first["soft_words"]  # the same vocabulary, and layers that are missing at first
    checkpoint = load_merged(runs / "nano")
    assert len(checkpoint.model.language.layers) == 1
    export_bundle(checkpoint, tmp_path / "nano-fp32")
    assert max(one.relative for one in parity(checkpoint, tmp_path / "nano-fp32", []).values()) < 1e-4


def test_the_teacher_stays_as_it_is_and_both_read_the_same_samples(places: tuple[Path, Path], tmp_path: Path) -> None:
    base = replace(STAGE1, name="base", stage=2, weights=a_folder(tmp_path, "llava"), sight_steps=0, steps=1)
    training.train(base, *places)
    run = training.Run(replace(base, name="mini", size="tiny", start="base-tiny", weights="", teacher="base"), *places)
    pair = run.steps[0]
    assert isinstance(pair, Pair) and not pair.same_words
    assert pair.student.scenes.rows == pair.teacher.scenes.rows
    assert pair.student.batch.phrases == pair.teacher.batch.phrases
    before = {name: tensor.clone() for name, tensor in run.teacher.state_dict().items()}
    run.train_step(pair)
    words = []
    moved = torch.optim.AdamW([p for p in run.model.language.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(6):  # its words alone, since what is right may pull elsewhere
        words.append(run._losses(pair)["soft_words"])
        moved.zero_grad()
        words[-1].backward()
        moved.step()
    assert words[-1] < words[0]
    assert all(torch.equal(tensor, before[name]) for name, tensor in run.teacher.state_dict().items())


def test_places_at_which_both_have_read_the_same_characters(tmp_path: Path) -> None:
    sample = some_samples(0)[1]
    ours = Tokenizer(byte_tokenizer())
    theirs = Tokenizer(family_tokenizer(Path(a_folder(tmp_path, "llava"))))
    places = same_places([sample], ours, theirs)
    words = "".join(part.text for part in sample.trace if isinstance(part, Text))
    assert len(places) >= 3
    read = [encode_sample(sample, one) for one in (ours, theirs)]
    for _, left, right in places.tolist():
        said = [tokenizer.decode([id for place, id in enumerate(one.ids[:end + 1]) if one.counted[place]])
                for tokenizer, one, end in ((ours, read[0], left), (theirs, read[1], right))]
        assert said[0] == said[1] and words.startswith(said[0])
    assert len(same_places([sample], ours, ours)) == len(words)
