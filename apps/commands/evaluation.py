"""`pixsearch eval`: scores on a benchmark."""

from pathlib import Path
from typing import Any

import click

from pixsearch.apps.console import MAX_BUDGET, PATH, bundle_option, json_option, packs_option, print_json
from pixsearch.apps.eval_curator import evaluate_curator
from pixsearch.apps.eval_egoqa import RUNS, evaluate_egoqa
from pixsearch.apps.eval_photos import evaluate_photos
from pixsearch.apps.eval_scenes import DATA, evaluate_scenes
from pixsearch.apps.extras import needs_extra

SPLITS = click.Choice(["validation", "test"])
MADE = {"split": click.option("--split", type=SPLITS, default="test", show_default=True, help="Which held-out split."),
        "data": click.option("--data", type=PATH, default=DATA, show_default=True,
                             help="The folder that `make data` filled.")}


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
@MADE["split"]
@click.option("--limit", type=click.IntRange(min=1), help="Ask about only this many scenes.")
@click.option("--ablation", is_flag=True, help="Score again with fewer sorts of search, and with other budgets.")
@MADE["data"]
@bundle_option
@json_option
def scenes(
    split: str, limit: int | None, ablation: bool, data: Path, bundle: Path | None, as_json: bool
) -> None:
    """Ask questions about composed scenes that no training has seen."""
    _show(evaluate_scenes(bundle, split, limit, ablation, data), as_json)


@evaluation.command()
@MADE["split"]
@click.option("--limit", type=click.IntRange(min=1), help="Ask only this many questions, and fewer conversations.")
@click.option("--ablation", is_flag=True, help="Ask again in the ways that the assistant is compared with.")
@click.option("--fresh", is_flag=True, help="Ask again instead of going on from the answers that are kept.")
@MADE["data"]
@click.option("--runs", type=PATH, default=RUNS, show_default=True, help="Where questions and answers are kept.")
@bundle_option
@json_option
def egoqa(
    split: str, limit: int | None, ablation: bool, fresh: bool, data: Path, runs: Path, bundle: Path | None,
    as_json: bool
) -> None:
    """Ask 2,000 questions and 300 conversations about composed scenes, of an index of their own; writes a report."""
    result = evaluate_egoqa(bundle, split, limit, ablation, fresh, data, runs)
    _show(result, as_json)
    if not as_json:
        click.echo(f"wrote {result['report']}")


@evaluation.command()
@MADE["split"]
@click.option("--limit", type=click.IntRange(min=1), help="Ask only this many questions.")
@MADE["data"]
@bundle_option
@json_option
def curator(split: str, limit: int | None, data: Path, bundle: Path | None, as_json: bool) -> None:
    """Build a pack of 60 new things with a picture each, and ask about them in new scenes."""
    _show(evaluate_curator(bundle, split, limit, data), as_json)


@evaluation.command("crag-mm")
@click.option("--data", type=PATH, required=True, help="Folder with the benchmark's parquet or arrow files.")
@click.option("--split", default="validation", show_default=True, help="Which of its splits.")
@click.option("--images", type=PATH, help="Local copies of pictures that are only named by an address.")
@click.option("--limit", type=click.IntRange(min=1), help="Ask only the first sessions.")
@click.option("--ablation", is_flag=True, help="Also the paper's other rows: Table 1, modalities, budgets.")
@click.option("--fresh", is_flag=True, help="Ask again instead of going on from the answers that are kept.")
@click.option("--agent", metavar="MODULE:CLASS", help="Another agent with the starter kit's interface.")
@click.option("--pipeline", metavar="MODULE:FUNCTION", help="Makes the search pipeline that is asked instead of packs.")
@click.option("--judge", "judge_url", metavar="URL", help="A chat model that judges; exact words alone otherwise.")
@click.option("--judge-model", default="default", show_default=True, help="Its name there.")
@click.option("--tokenizer", type=PATH, help="A tokenizer.json that counts an answer's 75 tokens; the bundle's if not.")
@click.option("--runs", type=PATH, default=RUNS, show_default=True, help="Where answers and verdicts are kept.")
@packs_option
@bundle_option
@json_option
@needs_extra("corpora")
def crag_mm(as_json: bool, **options: Any) -> None:
    """Ask CRAG-MM's sessions from a local copy, by the starter kit's rules."""
    from pixsearch.apps.cragmm.evaluation import Options, evaluate_crag_mm

    result = evaluate_crag_mm(Options(**options))
    _show(result, as_json)
    if not as_json:
        click.echo(f"answers are in {result['answers']}")


def _show(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    click.echo(f"{result['benchmark']}: {result['n']} questions, {result['bundle']}, {result['seconds']} s")
    tables = {"": result["metrics"], **result.get("splits", {}), **result.get("ablation", {})}
    width = max(len(name) for name in tables) + 2
    for name, metrics in tables.items():
        for metric, value in metrics.items():
            click.echo(f"{name:<{width}}{metric:<30}{value if value is None else format(value, '.3f')}")
