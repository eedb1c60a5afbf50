"""SAM 2.1 from a folder sees and draws the masks, and follows a thing by its memory."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from base_lab import STAGE1, a_folder, drawn_scene, set_up
from transformers import Sam2VideoConfig

from pixsearch.contract.faults import Fault
from pixsearch.export.bundle import export_bundle
from pixsearch.export.parity import parity
from pixsearch.model import training
from pixsearch.model.checkpoint import WEIGHTS_FILE, load_merged
from pixsearch.model.families.random_model import write_random_sam
from pixsearch.model.network import trained_parameters
from pixsearch.model.sam import sam_config
from pixsearch.model.sam_tracking import SamTracker

pytestmark = pytest.mark.usefixtures("one_thread")


def test_sam_learns_masks_of_words_and_is_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, runs = set_up(tmp_path, monkeypatch)
    write_random_sam(tmp_path / "sam")
    config = replace(STAGE1, weights=a_folder(tmp_path, "llava"), sam=str(tmp_path / "sam"), sight_rate=2e-3,
                     sight_steps=90, steps=100)
    run = training.Run(config, data, runs)
    before = {name: tensor.detach().clone() for name, tensor in run.model.named_parameters()}
    for number in (90, 91, 92):
        run.train_step(run.steps[number])
    moved = {name for name, tensor in run.model.named_parameters() if not torch.equal(before[name], tensor)}
    assert not [name for name in moved if name.startswith("eye.")]
    assert moved <= set(trained_parameters(run.model))
    for part in ("decoder.masks.transformer", "decoder.masks.output_hypernetworks_mlps.0", "decoder.query",
                 "decoder.masks.iou_prediction_head", "decoder.prompts", "decoder.known", "pyramid.layout"):
        assert any(part in name for name in moved), part

    training.train(config, data, runs)
    records = [json.loads(line) for line in (runs / "stage1.run" / training.LOG_FILE).read_text().splitlines()]
    assert records[-1]["validation"]["giou"] >= 0.6  # 90 steps from random weights; ours reach .9
    checkpoint = load_merged(runs / "stage1")
    export_bundle(checkpoint, tmp_path / "sam-fp32")
    assert max(one.relative for one in parity(checkpoint, tmp_path / "sam-fp32", []).values()) < 1e-3
    kept = (runs / "stage1" / WEIGHTS_FILE).stat().st_size
    assert kept < sum(path.stat().st_size for path in (tmp_path / "sam").iterdir()) + 3e6


def test_a_thing_is_followed_by_what_is_remembered(tmp_path: Path) -> None:
    write_random_sam(tmp_path / "sam")
    tracker, (frame, (cup, _)) = SamTracker(tmp_path / "sam"), drawn_scene(0)
    with pytest.raises(ValueError, match="begin"):
        tracker.follow(frame)
    tracker.begin(frame, cup)
    later = [tracker.follow(np.roll(frame, shift, axis=1)) for shift in (4, 8)]
    assert all(mask.shape == cup.shape and mask.dtype == np.bool_ for mask in later)
    # random weights follow nothing; that the second frame's mask depends on what was remembered shows the way
    other = SamTracker(tmp_path / "sam")
    other.begin(frame, ~cup)
    assert (other.follow(np.roll(frame, 4, axis=1)) != later[0]).any()


def test_a_published_configuration_is_brought_to_the_graphs_square(tmp_path: Path) -> None:
    Sam2VideoConfig().save_pretrained(tmp_path)  # what the published ones are made with: 1,024 pixels
    config = sam_config(tmp_path)
    assert config.vision_config.backbone_feature_sizes == [[96, 96], [48, 48], [24, 24]]
    assert config.prompt_encoder_config.image_size == 384


def test_a_folder_without_sam_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=r"SAM 2\.1"):
        sam_config(tmp_path / "nothing")
