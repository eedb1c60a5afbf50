"""`pixsearch eval`: scores on a benchmark."""

from pathlib import Path
from typing import Any

import click

from pixsearch.apps.console import MAX_BUDGET, PATH, bundle_option, json_option, print_json
from pixsearch.apps.eval_photos import evaluate_photos
from pixsearch.apps.eval_scenes import DATA, evaluate_scenes

SPLITS = click.Choice(["validation", "test"])


@click.group("eval")
def evaluation() -> None:
    """Score the assistant on a benchmark."""


@evaluation.command()
@click.option("--split", type=SPLITS, help="One half of the photographs; both unless given.")
@click.option("--limit", type=click.IntRange(min=1), help="Ask only this many questions.")
@click.option("--budget", type=click.IntRange(0, MAX_BUDGET), help="Searches a question may take.")
@bundle_option
@json_option
def photos(
    split: str | None, limit: int | None, budget: int | None, bundle: Path | None, as_json: bool
) -> None:
    """Ask hand-written questions about real photographs, with the everyday pack."""
    _show(evaluate_photos(bundle, split, limit, budget), as_json)


@evaluation.command()
@click.option("--split", type=SPLITS, default="test", show_default=True, help="Which held-out split.")
@click.option("--limit", type=click.IntRange(min=1), help="Ask about only this many scenes.")
@click.option("--ablation", is_flag=True, help="Score again with fewer sorts of search, and with other budgets.")
@click.option(
    "--data", type=PATH, default=DATA, show_default=True, help="The folder that `make data` filled."
)
@bundle_option
@json_option
def scenes(
    split: str, limit: int | None, ablation: bool, data: Path, bundle: Path | None, as_json: bool
) -> None:
    """Ask questions about composed scenes that no training has seen."""
    _show(evaluate_scenes(bundle, split, limit, ablation, data), as_json)


def _show(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    click.echo(f"{result['benchmark']}: {result['n']} questions, {result['bundle']}, {result['seconds']} s")
    tables = {"": result["metrics"], **result.get("splits", {}), **result.get("ablation", {})}
    for name, metrics in tables.items():
        for metric, value in metrics.items():
            click.echo(f"{name:<12}{metric:<22}{value if value is None else format(value, '.3f')}")
