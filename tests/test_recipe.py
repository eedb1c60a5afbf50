"""The plan of `make train-mini`: what is done, how far a run has come, and how long the rest takes."""

import json
from pathlib import Path

from click.testing import CliRunner

from pixsearch.apps.commands.train import CONFIGS
from pixsearch.apps.recipe import main, time_left
from pixsearch.model.config import load_config

STAGE1 = load_config(CONFIGS / "mini-stage1.toml")


def a_log(path: Path, *records: tuple[int, float]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"step": step, "losses": {}, "seconds": seconds}) + "\n"
                            for step, seconds in records))
    return path


def test_a_run_that_has_not_begun_has_no_time_left(tmp_path: Path) -> None:
    assert time_left(STAGE1, tmp_path / "log.jsonl").startswith("to do")


def test_time_left_follows_the_pace_of_each_phase(tmp_path: Path) -> None:
    sight, full = STAGE1.sight_steps, STAGE1.steps - STAGE1.sight_steps
    log = a_log(tmp_path / "log.jsonl", (sight - 200, 0), (sight - 100, 3600), (sight, 7200), (sight + 50, 10800))
    assert time_left(STAGE1, log) == f"at step {sight + 50}, about {(full - 50) / 50:.1f} h left"


def test_a_pause_between_sessions_is_no_pace(tmp_path: Path) -> None:
    log = a_log(tmp_path / "log.jsonl", (100, 3600), (200, 7200), (250, 40), (300, 1840))
    steps = STAGE1.steps - 300
    assert time_left(STAGE1, log) == f"at step 300, about {steps * 36 / 3600:.1f} h left"


def test_the_plan_names_every_step_and_what_is_done(tmp_path: Path) -> None:
    (tmp_path / "mini-stage1").mkdir()
    a_log(tmp_path / "mini-stage2.run" / "log.jsonl", (100, 3600), (200, 7200))
    result = CliRunner().invoke(main, ["--plan", "--runs", str(tmp_path)])
    lines = result.output.splitlines()
    assert result.exit_code == 0, result.output
    assert lines[0].endswith("done") and "at step 200" in lines[1]
    assert [line.split()[0] for line in lines] == [str(number) for number in range(1, 8)]
    assert all("to do" in line for line in lines[2:])
