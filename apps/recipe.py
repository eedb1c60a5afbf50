"""`python -m pixsearch.apps.recipe --size SIZE`: both training stages of a size, its bundle, its packs and its scores.

What is done already is left alone, and what was interrupted goes on, so that the same command is given again.
"""

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from pixsearch.apps.calibrate import calibrate
from pixsearch.apps.commands.train import CONFIGS
from pixsearch.apps.console import PATH, Commands
from pixsearch.apps.eval_curator import evaluate_curator
from pixsearch.apps.eval_egoqa import evaluate_egoqa
from pixsearch.apps.everyday import write_everyday_pack
from pixsearch.contract.files import read_manifest
from pixsearch.edge.bundle import KIND
from pixsearch.export.bundle import START_CALIBRATION, export_bundle
from pixsearch.model.checkpoint import load_model
from pixsearch.model.config import RunConfig, load_config
from pixsearch.model.training import LOG_FILE, train

PRECISION = "int8"


@dataclass(frozen=True)
class Step:
    """One part of the recipe. `left` : what is known of it before it is run, for the plan."""

    title: str
    done: Callable[[], bool]
    run: Callable[[], object]
    left: Callable[[], str] = lambda: "to do"


def recipe(size: str, data: Path, runs: Path) -> list[Step]:
    """All steps of a size, in order."""
    stages = [load_config(CONFIGS / f"{size}-stage{stage}.toml") for stage in (1, 2)]
    bundle, pack = runs / f"{size}-{PRECISION}", runs / f"{size}-everyday.pxpack"
    model = runs / stages[-1].name
    return [
        *(_training(config, data, runs) for config in stages),
        Step(f"bundle {bundle}", bundle.exists, lambda: export_bundle(load_model(model), bundle, PRECISION)),
        Step(f"everyday pack {pack}", pack.exists, lambda: write_everyday_pack(model, bundle, data, pack)),
        Step("confidence, fitted on the validation splits", lambda: _is_calibrated(bundle),
             lambda: calibrate(bundle, data, pack=pack)),
        Step("egoqa, validation split", lambda: False, lambda: _show(evaluate_egoqa(
            bundle, "validation", data=data, runs=runs))),
        Step("curator, validation split", lambda: False, lambda: _show(evaluate_curator(
            bundle, "validation", data=data))),
    ]


def _training(config: RunConfig, data: Path, runs: Path) -> Step:
    log = runs / f"{config.name}.run" / LOG_FILE
    return Step(f"training {config.name}, {config.steps} steps", (runs / config.name).exists,
                lambda: train(config, data, runs), lambda: time_left(config, log))


def time_left(config: RunConfig, log: Path) -> str:
    """How far a run's log has come, and how long the rest takes at the pace of either phase."""
    records = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    paced = [record for record in records if "seconds" in record]
    if not paced:
        return "to do; the time left shows with the first steps"
    at = paced[-1]["step"]
    rest = {"sight": max(0, config.sight_steps - at), "full": config.steps - max(at, config.sight_steps)}
    paces = {phase: [(one["seconds"] - before["seconds"]) / (one["step"] - before["step"])
                     for before, one in zip(paced, paced[1:], strict=False)
                     if one["seconds"] > before["seconds"] and one["step"] > before["step"]
                     and (one["step"] <= config.sight_steps) == (phase == "sight")]
             for phase in rest}
    known = {phase: statistics.median(pace) for phase, pace in paces.items() if pace}
    if not known:
        return f"at step {at}"
    slowest = max(known.values())
    seconds = sum(steps * known.get(phase, slowest) for phase, steps in rest.items())
    return f"at step {at}, about {seconds / 3600:.1f} h left"


def _is_calibrated(bundle: Path) -> bool:
    return bundle.exists() and read_manifest(bundle, KIND)["calibration"] != START_CALIBRATION


def _show(result: dict[str, object]) -> None:
    click.echo(json.dumps({key: result[key] for key in ("benchmark", "n", "bundle", "metrics")}, indent=1))


def print_plan(steps: list[Step]) -> None:
    """One line a step: done, how far it is, or to do."""
    for number, step in enumerate(steps, 1):
        click.echo(f"{number}  {step.title}: {'done' if step.done() else step.left()}")


@click.group(cls=Commands, invoke_without_command=True)
@click.option("--size", default="mini", show_default=True, help="Which size's run files to take.")
@click.option("--data", type=PATH, default=Path("data"), show_default=True, help="The folder of `make data`.")
@click.option("--runs", type=PATH, default=Path("runs"), show_default=True, help="Where runs are kept.")
@click.option("--plan", is_flag=True, help="Only print what is done and what is left.")
def main(size: str, data: Path, runs: Path, plan: bool) -> None:
    """Train a size in both stages, export it, fit its confidence and score it; goes on where it stopped."""
    steps = recipe(size, data, runs)
    print_plan(steps)
    for step in steps if not plan else ():
        if not step.done():
            click.echo(f"now: {step.title}")
            step.run()
            print_plan(steps)


if __name__ == "__main__":
    main(prog_name="python -m pixsearch.apps.recipe")
