"""`make torture`: damage, kills, crowds, attacks and fuzzing, in numbers; prints a table, or JSON."""

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from pixsearch.apps.console import json_option, print_json
from pixsearch.apps.torture.attacks import ATTACKS, attacks
from pixsearch.apps.torture.crowd import crowd
from pixsearch.apps.torture.damage import damage
from pixsearch.apps.torture.fuzz import fuzz
from pixsearch.apps.torture.kills import OPERATIONS, kills
from pixsearch.apps.torture.outcome import MAX_TOLD, Outcome

Count = click.IntRange(min=0)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--flips", type=Count, default=2_000, show_default=True, help="Single bit flips.")
@click.option("--pages", type=Count, default=500, show_default=True, help="Zeroed pages of 4 KB.")
@click.option("--truncations", type=Count, default=500, show_default=True, help="Files cut off.")
@click.option("--kills", "kill_count", type=Count, default=500, show_default=True,
              help=f"kill -9, shared by {', '.join(OPERATIONS)}.")
@click.option("--seconds", type=click.FloatRange(min=0), default=60, show_default=True, help="Readers beside a writer.")
@click.option("--threads", type=Count, default=8, show_default=True, help="Reader threads.")
@click.option("--processes", type=Count, default=2, show_default=True, help="Reader processes.")
@click.option("--inputs", type=Count, default=1_000_000, show_default=True, help="Fuzzed inputs.")
@json_option
def torture(flips: int, pages: int, truncations: int, kill_count: int, seconds: float, threads: int, processes: int,
            inputs: int, as_json: bool) -> None:
    """Do to packs what disks, crashes, crowds and thieves do. Exit status 1 when anything did not hold."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("data", "config", "cache"):
            os.environ[f"XDG_{name.upper()}_HOME"] = str(place / "user" / name)  # never those of who runs it
        trials: list[tuple[str, int, Callable[[Path, Callable[[int], None]], Outcome | list[Outcome]]]] = [
            ("damage", flips + pages + truncations,
             lambda at, bar: damage(at, (flips, pages, truncations), bar)),
            ("kills", kill_count, lambda at, bar: kills(at, kill_count // len(OPERATIONS), bar)),
            ("crowd", round(seconds), lambda at, bar: crowd(at, seconds, threads, processes, bar)),
            ("attacks", len(ATTACKS), attacks),
            ("fuzzing", inputs, lambda at, bar: fuzz(inputs, os.cpu_count() or 1, bar))]
        outcomes = [outcome for name, length, trial in trials if length
                    for outcome in _run(place / name, name, length, trial)]
    failed = sum(len(outcome.failures) for outcome in outcomes)
    if as_json:
        print_json({"machine": f"{platform.machine()}, {os.cpu_count()} cores", "failed": failed,
                    "trials": [outcome.as_json() for outcome in outcomes]})
    else:
        for outcome in outcomes:
            _show(outcome)
    sys.exit(1 if failed else 0)


def _run(folder: Path, name: str, length: int,
         trial: Callable[[Path, Callable[[int], None]], Outcome | list[Outcome]]) -> Iterator[Outcome]:
    folder.mkdir()
    begun = time.monotonic()
    with click.progressbar(length=length, label=f"{name:<8}", file=sys.stderr) as bar:
        found = trial(folder, lambda steps: bar.update(steps))
    outcomes = found if isinstance(found, list) else [found]
    for outcome in outcomes:
        outcome.seconds = (time.monotonic() - begun) / len(outcomes)
        yield outcome


def _show(outcome: Outcome) -> None:
    click.echo(f"{outcome.trial:<52} {outcome.tried:>9,} tried {len(outcome.failures):>5} failed "
               f"{outcome.seconds:>6.0f} s")
    for failure in outcome.failures[:MAX_TOLD]:
        click.echo(f"    {failure}")


if __name__ == "__main__":
    torture()
