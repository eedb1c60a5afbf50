"""Cameras that are lost and come back, pipelines, alarms: the loop is never stuck and never lies about it."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Run

from pixsearch.apps.trials.camera_losses import kept, run_losses
from pixsearch.apps.trials.clips import write_clip
from pixsearch.apps.trials.loop_speed import measure
from pixsearch.apps.trials.soak import soak
from pixsearch.contract.faults import Fault
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.live import Backoff, Limits, State, open_camera
from pixsearch.edge.live.health import Figures, alarms
from pixsearch.edge.live.pace import CALM_S, HOT_LEVEL, LEVELS, Pace

WELL = Figures(capture_fps=30, usual_fps=30, disk_mb=1000, hottest_c=50, busy_s=0.1)


@pytest.mark.loopback
def test_cameras_that_are_lost_come_back_and_nothing_leaks(red_assistant: Assistant) -> None:
    result = run_losses(red_assistant, 3)
    assert kept(result), result


def test_a_loop_that_is_asked_and_loses_its_camera_keeps_its_memory(red_assistant: Assistant) -> None:
    result = soak(red_assistant, seconds=6, settled_s=3, ask_every_s=0.2)
    assert result["answered"] == result["asked"] > 5
    assert result["growth_mb"] < 20 and result["threads"][1] <= result["threads"][0]


def test_speed_is_measured_of_still_moving_and_asked_scenes(red_assistant: Assistant) -> None:
    result = measure(red_assistant, seconds=1)
    assert result["still"]["encoded_fps"] < 1 < result["still"]["perceived_fps"]
    assert result["moving"]["encoded_fps"] > 1 and result["answering"]["answers"] > 0


@pytest.mark.parametrize(("state", "silent_s", "changes", "name"), [
    (State.STREAMING, 0.1, {}, None),
    (State.STALLED, 2.0, {}, "no-frame"),
    (State.LOST, None, {}, "no-frame"),
    (State.STREAMING, 0.1, {"capture_fps": 14}, "falling-rate"),
    (State.STREAMING, 0.1, {"busy_s": 21}, "stuck-engine"),
    (State.STREAMING, 0.1, {"disk_mb": 199}, "full-disk"),
    (State.STREAMING, 0.1, {"hottest_c": 85}, "hot-board"),
])
def test_each_limit_has_its_alarm(state: State, silent_s: float | None, changes: dict, name: str | None) -> None:
    told = alarms(Limits(), state, silent_s, Figures(**{**vars(WELL), **changes}))
    assert [alarm.name for alarm in told] == ([name] if name else [])


def test_load_and_heat_slow_the_loop_and_calm_makes_it_fast_again() -> None:
    pace = Pace(warm_c=75)
    pace.adapt(0.95, None, now=0)
    pace.adapt(0.95, None, now=1)
    assert pace.level == LEVELS[2]
    pace.adapt(0.1, None, now=2)
    assert pace.level == LEVELS[2]  # not at once
    pace.adapt(0.1, None, now=2 + CALM_S)
    assert pace.level == LEVELS[1]
    pace.adapt(0.1, 80, now=20)
    pace.adapt(0.1, 80, now=40)
    assert pace.level == LEVELS[HOT_LEVEL]


def test_pauses_grow_up_to_a_bound() -> None:
    assert [Backoff().pause(tries) for tries in (0, 1, 2, 99)] == [0.25, 0.5, 1.0, 5.0]


@pytest.mark.skipif(shutil.which("gst-launch-1.0") is None, reason="GStreamer's programs are not installed")
def test_a_pipeline_is_a_camera_and_one_that_fails_says_why() -> None:
    camera = open_camera("videotestsrc num-buffers=5 ! video/x-raw,width=64,height=48")
    assert camera.live and [frame.shape for frame in camera] == [(48, 64, 3)] * 5
    camera.close()
    with pytest.raises(Fault, match="(?i)nosuchsource"):
        open_camera("nosuchsource ! identity")


def test_a_pipeline_without_its_program_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Fault, match="apt install"):
        open_camera("csi:1")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_well_when_told_to(red_bundle: Path, red_pack: Path, tmp_path: Path, number: int) -> None:
    clip = write_clip(tmp_path / "clip.avi", moving=True, seconds=2)
    process = subprocess.Popen(
        [sys.executable, "-m", "pixsearch.apps.main", "glasses", "--camera", clip, "--repeat",
         "--bundle", red_bundle, "--pack", red_pack],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdin and process.stdout and process.stderr
    assert "streaming" in process.stderr.readline()
    process.stdin.write("100,100 What is this?\n")
    process.stdin.flush()
    assert process.stdout.readline() == "question  What is this?\n"
    began = time.monotonic()
    process.send_signal(number)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 0 and "Traceback" not in told and time.monotonic() - began < 10


def test_the_command_asks_typed_questions_of_a_clip_and_ends_with_it(
        run: Run, red_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    clip = write_clip(tmp_path / "clip.avi", moving=False, seconds=1)
    monkeypatch.setattr("sys.stdin", io.StringIO("What is this?\n"))
    result = run("glasses", "--camera", clip, "--pack", red_pack)
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize(("arguments", "status", "told"), [
    (("--camera", "nowhere.mp4"), 1, "no such file"), (("--record", "o.mp4"), 2, "--questions")])
def test_what_can_not_be_shown_is_told_at_once(run: Run, arguments: tuple[str, ...], status: int, told: str) -> None:
    result = run("glasses", *arguments)
    assert result.exit_code == status and told in result.stderr
