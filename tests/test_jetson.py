"""The kit for boards: collected, installed without network, checked before it counts, taken back; and its unit."""

import configparser
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import numpy as np
import pytest
from kit_wheels import pack, requirements
from packaging.requirements import Requirement
from test_live_loop import a_clip, until

from pixsearch.apps.live import run_live
from pixsearch.apps.main import cli
from pixsearch.apps.service import Manager
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.live import Limits, Loop, LoopOptions

KIT = Path(__file__).parents[1] / "export" / "jetson"
SCRIPTS = sorted(KIT.glob("*.sh"))


def sh(script: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", str(script), *map(str, arguments)], capture_output=True, text=True, timeout=300,
                          env={**os.environ, "PYTHON": sys.executable, **environment})


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels of all that the core needs."""
    folder = tmp_path_factory.mktemp("wheels")
    core = [one.name for one in map(Requirement, requires("pixsearch") or []) if one.marker is None]
    assert "onnxruntime" in core
    for package in requirements(core).values():
        pack(package, folder)
    return folder


@pytest.fixture(scope="module")
def kit(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As collect.sh makes it."""
    folder = tmp_path_factory.mktemp("kit") / "jetson-kit"
    done = sh(KIT / "collect.sh", "-o", folder, "--extras", "none", "--from", wheels)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_sound(script: Path) -> None:
    done = subprocess.run([Path(sys.executable).with_name("shellcheck"), script], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_kit_has_wheels_installer_unit_and_sums_of_all(kit: Path) -> None:
    listed = {line.split("  ./")[1] for line in (kit / "SHA256SUMS").read_text().splitlines()}
    found = {str(path.relative_to(kit)) for path in kit.rglob("*") if path.is_file()}
    assert listed == found - {"SHA256SUMS"} and {"install.sh", "pixsearch.service", "EXTRAS"} <= listed
    assert sum(name.startswith("wheels/pixsearch-") for name in listed) == 1


def test_collecting_leaves_what_is_there(tmp_path: Path) -> None:
    done = sh(KIT / "collect.sh", "-o", tmp_path)
    assert done.returncode == 1 and "it exists" in done.stderr


def test_installed_without_network_it_answers_and_the_release_before_comes_back(kit: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "opt"
    done = sh(kit / "install.sh", "--prefix", prefix, "--no-service")
    assert done.returncode == 0, done.stderr
    photo = KIT.parents[1] / "apps" / "photos" / "cat.jpg"
    told = subprocess.run([prefix / "current" / "bin" / "pixsearch", "ask", photo, "What animal is this?"],
                          capture_output=True, text=True, cwd=tmp_path)
    assert told.returncode == 0 and "cat" in told.stdout.lower(), told.stderr

    assert sh(kit / "install.sh", "--prefix", prefix, "--no-service", "--back").returncode == 1  # there is none before
    later, first = tmp_path / "later", os.readlink(prefix / "current")
    shutil.copytree(kit, later)
    (later / "EXTRAS").write_text("none\n\n")
    subprocess.run("find . -type f ! -name SHA256SUMS | xargs sha256sum > ../sums; mv ../sums SHA256SUMS", shell=True,
                   cwd=later, check=True)
    assert sh(later / "install.sh", "--prefix", prefix, "--no-service").returncode == 0
    second = os.readlink(prefix / "current")
    assert second != first == os.readlink(prefix / "previous")
    assert sh(later / "install.sh", "--prefix", prefix, "--no-service", "--back").returncode == 0
    assert os.readlink(prefix / "current") == first and (prefix / "current" / "bin" / "pixsearch").is_file()


@pytest.mark.parametrize("harm", ["changed", "missing"])
def test_a_damaged_kit_is_refused_before_anything_is_installed(kit: Path, tmp_path: Path, harm: str) -> None:
    copy = tmp_path / "kit"
    shutil.copytree(kit, copy)
    wheel = next((copy / "wheels").glob("click-*.whl"))
    wheel.unlink() if harm == "missing" else wheel.write_bytes(wheel.read_bytes()[:-1] + b"x")
    done = sh(copy / "install.sh", "--prefix", tmp_path / "opt", "--no-service")
    assert done.returncode == 1 and "damaged or missing" in done.stderr
    assert not list((tmp_path / "opt" / "releases").iterdir())


def test_the_unit_starts_what_exists_and_watches_longer_than_the_loop_needs() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(KIT / "pixsearch.service")
    service = unit["Service"]
    assert service["ExecStart"].split()[1] in cli.commands
    assert service["Type"] == "notify" and service["IPAddressDeny"] == "any"
    assert float(service["WatchdogSec"]) > 2 * Limits().stuck_engine_s


class Listening:
    """The other side of the protocol: a real socket, as a service manager has."""

    def __init__(self, path: Path) -> None:
        self.door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.door.bind(str(path))
        self.door.settimeout(0.2)

    def lines(self, seconds: float) -> list[str]:
        """What comes in so much time."""
        found, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                found += self.door.recv(4096).decode().splitlines()
            except TimeoutError:
                continue
        return found


@pytest.fixture
def manager_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listening]:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "300000")
    listening = Listening(tmp_path / "notify")
    yield listening
    listening.door.close()


def test_a_loop_is_ready_alive_and_stopping(red_assistant: Assistant, manager_socket: Listening,
                                            tmp_path: Path) -> None:
    clip = a_clip(tmp_path / "box.avi")
    stop = threading.Event()
    with Loop(red_assistant, str(clip), LoopOptions(repeat=True)) as loop:
        face = threading.Thread(target=run_live, args=(loop, stop))
        face.start()
        told = manager_socket.lines(2.0)
        stop.set()
        face.join()
    told += manager_socket.lines(0.5)
    assert told[0] == "READY=1" and told[-1] == "STOPPING=1"
    assert told.count("READY=1") == 1 and told.count("WATCHDOG=1") >= 3
    assert any(line.startswith("STATUS=streaming") for line in told)


def test_a_loop_that_stands_still_gives_no_sign_of_life(red_assistant: Assistant, manager_socket: Listening,
                                                        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def stuck(frame: np.ndarray) -> None:
        released.wait(20)

    monkeypatch.setattr(red_assistant, "perceive", stuck)  # a driver that never returns, whatever is asked of it
    with (Loop(red_assistant, str(a_clip(tmp_path / "box.avi")),
               LoopOptions(repeat=True, limits=Limits(stuck_engine_s=0.2))) as loop, Manager() as manager):
        until(lambda: not loop.alive)
        manager.look(loop)
        assert "WATCHDOG=1" not in manager_socket.lines(0.3)
        released.set()
        until(lambda: loop.alive)


def test_without_a_manager_nothing_is_sent(red_assistant: Assistant, tmp_path: Path,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setattr(socket, "socket", None)
    with Manager() as manager:
        manager.look(Loop(red_assistant, str(tmp_path)))
