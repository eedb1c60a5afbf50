"""Runs on several processes learn what one process learns, and go on when one of them was killed."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from base_lab import SIZE, STAGE1, a_folder, set_up
from safetensors.torch import load_file

from pixsearch.contract.faults import Fault
from pixsearch.model import training
from pixsearch.model.checkpoint import WEIGHTS_FILE
from pixsearch.model.config import RunConfig
from pixsearch.model.progress import latest

TESTS = Path(__file__).parent
# nano's path is tiny's; a family's is what FSDP is for
SMALL = replace(STAGE1, size="tiny", start="base-tiny", stage=2, steps=6, sight_steps=2, sight_batch=4, batch=4,
                parts=2, stage1_share=0.5, log_every=1, save_every=2, rate=1e-3, new_rate=1e-3,
                sight_rate=1e-3, mask_rate=1e-3)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    return set_up(tmp_path, monkeypatch)


def start_two(folder: Path, config: RunConfig, *arguments: str, **settings: str) -> int:
    """Two processes on this machine by gloo; returns the exit status."""
    root = TESTS.parent
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0", "--standalone",
         str(TESTS / "one_of_several.py"), str(folder), json.dumps(asdict(config)), *arguments],
        env={**os.environ, "PYTHONPATH": f"{root}:{TESTS}", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "",
             **settings}, capture_output=True, text=True, timeout=600)
    if done.returncode and not arguments:
        raise AssertionError(done.stderr[-4000:])
    return done.returncode


def curve(runs: Path, name: str) -> list[float]:
    """The sum of losses after every step."""
    lines = (runs / f"{name}.run" / training.LOG_FILE).read_text().splitlines()
    records = {record["step"]: record for line in lines if "losses" in (record := json.loads(line))}
    return [sum(records[step]["losses"].values()) for step in sorted(records)]


def trained(runs: Path, name: str) -> dict[str, torch.Tensor]:
    return load_file(runs / name / WEIGHTS_FILE)


def test_two_processes_learn_what_one_learns_and_survive_a_death(places: tuple[Path, Path], tmp_path: Path) -> None:
    _, runs = places
    training.train(replace(SMALL, name="one"), *places)
    two = replace(SMALL, name="two")
    assert start_two(tmp_path, two, "5") != 0
    assert latest(runs / "two.run").name == "progress-4"
    assert {path.name for path in latest(runs / "two.run").iterdir()} == {
        "shard-0-of-2.safetensors", "shard-1-of-2.safetensors"}
    start_two(tmp_path, two)
    assert curve(runs, "two") == pytest.approx(curve(runs, "one"), rel=1e-3)
    one = trained(runs, "one")
    for name, tensor in trained(runs, "two").items():
        assert torch.allclose(tensor, one[name], atol=2e-3), name
    assert list((runs / "two.run").rglob("events.out.tfevents.*"))
    start_two(tmp_path, replace(SMALL, name="whole"))
    for name, tensor in trained(runs, "whole").items():  # the same sums in the same order: to the bit
        assert torch.equal(tensor, trained(runs, "two")[name]), name


def test_a_sharded_family_learns_what_one_process_learns(places: tuple[Path, Path], tmp_path: Path) -> None:
    _, runs = places
    config = replace(SMALL, size=SIZE.name, start="base-tiny-base", weights=a_folder(tmp_path, "llava"), steps=4)
    training.train(replace(config, name="one"), *places)
    start_two(tmp_path, replace(config, name="sharded"), ACCELERATE_USE_FSDP="true", FSDP_VERSION="2",
              FSDP_AUTO_WRAP_POLICY="TRANSFORMER_BASED_WRAP",
              FSDP_RESHARD_AFTER_FORWARD="true", FSDP_STATE_DICT_TYPE="SHARDED_STATE_DICT")
    assert curve(runs, "sharded") == pytest.approx(curve(runs, "one"), rel=1e-3)
    one, sharded = trained(runs, "one"), trained(runs, "sharded")
    assert set(one) == set(sharded)
    for name, tensor in sharded.items():
        assert torch.allclose(tensor, one[name], atol=2e-3), name
    # a run that two processes began, one goes on with
    first = training.Run(replace(config, name="sharded"), *places)
    assert first.step == 4


def test_parts_that_processes_cannot_share_are_a_fault(places: tuple[Path, Path],
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accelerate.Accelerator.num_processes", 3)
    with pytest.raises(Fault, match="multiple of 3"):
        training.Run(SMALL, *places)


def test_a_batch_in_parts_has_the_samples_of_the_whole(places: tuple[Path, Path]) -> None:
    run = training.Run(replace(SMALL, batch=8, parts=4), *places)
    parts = [run.steps[3 * 4 + part] for part in range(4)]
    whole = replace(SMALL, batch=8, parts=1)
    drawn = training.Run(whole, *places).steps[3]
    assert sorted(row for part in parts for row in part.scenes.rows) == sorted(drawn.scenes.rows)
