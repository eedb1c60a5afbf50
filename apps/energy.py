"""What work costs in joules, where the system tells: RAPL on desktop processors, INA3221 on Jetson boards."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

SYS = Path("/sys")
RAPL = "class/powercap/intel-rapl:*"  # AMD's too
INA = "bus/i2c/drivers/ina3221/*/hwmon/hwmon*"
WHOLE_BOARD = "VDD_IN"  # the rail before all others
SAMPLE_S = 0.02


class Meter(Protocol):
    """Something that counts energy."""

    @property
    def source(self) -> str:
        """What is read, and of what."""

    def joules(self, work: Callable[[], object]) -> float:
        """What the machine takes while `work` runs, idle power included."""


@dataclass(frozen=True)
class RaplMeter:
    """Counters of processor packages, in microjoules, that begin again at their range."""

    counters: tuple[Path, ...]
    source: str = "RAPL, processor packages"

    def joules(self, work: Callable[[], object]) -> float:
        """See `Meter.joules`."""
        before = [_number(counter / "energy_uj") for counter in self.counters]
        work()
        total = 0
        for counter, start in zip(self.counters, before, strict=True):
            used = _number(counter / "energy_uj") - start
            total += used if used >= 0 else used + _number(counter / "max_energy_range_uj")
        return total / 1e6


@dataclass(frozen=True)
class InaMeter:
    """Rails as pairs of files, millivolts and milliamperes, read again and again."""

    rails: tuple[tuple[Path, Path], ...]
    source: str = "INA3221, whole board"

    def joules(self, work: Callable[[], object]) -> float:
        """See `Meter.joules`."""
        watts, done = [self._watts()], threading.Event()

        def sample() -> None:
            while not done.wait(SAMPLE_S):
                watts.append(self._watts())

        thread = threading.Thread(target=sample, daemon=True)
        started = time.monotonic()
        thread.start()
        try:
            work()
        finally:
            done.set()
            thread.join()
        return sum(watts) / len(watts) * (time.monotonic() - started)

    def _watts(self) -> float:
        return sum(_number(volts) * _number(amperes) for volts, amperes in self.rails) / 1e6


def open_meter(root: Path = SYS) -> Meter | None:
    """What can be read here; None where nothing can, as in most virtual machines."""
    try:
        packages = tuple(path for path in sorted(root.glob(RAPL)) if _text(path / "name").startswith("package"))
        if packages and all(_number(path / "energy_uj") >= 0 for path in packages):
            return RaplMeter(packages)
        rails = {_text(label): (label.with_name(label.name.replace("label", "input")),
                                label.with_name(label.name.replace("in", "curr", 1).replace("label", "input")))
                 for folder in sorted(root.glob(INA)) for label in sorted(folder.glob("in*_label"))}
        chosen = [rails[WHOLE_BOARD]] if WHOLE_BOARD in rails else [*rails.values()]
        usable = tuple((volts, amperes) for volts, amperes in chosen if amperes.is_file())
        if usable and InaMeter(usable)._watts() >= 0:
            return InaMeter(usable)
    except (OSError, ValueError):  # counters are often for root alone
        return None
    return None


def _text(path: Path) -> str:
    return path.read_text().strip()


def _number(path: Path) -> int:
    return int(_text(path))
