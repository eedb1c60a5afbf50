"""`pixsearch model`: look at, check, time and export model bundles."""

from pathlib import Path
from typing import Any

import click

from pixsearch.apps.bench import ROUNDS, bench
from pixsearch.apps.console import PATH, json_option, print_json
from pixsearch.apps.extras import needs_extra
from pixsearch.apps.report import one_line
from pixsearch.edge import bundle as bundles
from pixsearch.edge.bundle import Bundle, default_bundle

RUNS = Path("runs")


@click.group()
def model() -> None:
    """Look at, check, time and export model bundles."""


@model.command()
@click.argument("folder", type=PATH, required=False)
@json_option
def info(folder: Path | None, as_json: bool) -> None:
    """Show what a bundle says about itself; the shipped one unless FOLDER is given."""
    manifest = Bundle.load(folder or default_bundle()).manifest
    if as_json:
        print_json(manifest)
        return
    for key, value in manifest.items():
        if key not in ("files", "graphs", "preprocessing"):
            click.echo(one_line(f"{key:<16}{value}"))


@model.command()
@click.argument("folder", type=PATH, required=False)
def verify(folder: Path | None) -> None:
    """Check every byte of a bundle and open every graph; prints nothing when all is well."""
    bundles.verify(folder or default_bundle())


@model.command("bench")
@click.argument("folder", type=PATH, required=False)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=ROUNDS,
    show_default=True,
    help="How often each stage runs.",
)
@json_option
def bench_command(folder: Path | None, rounds: int, as_json: bool) -> None:
    """Time every stage of a bundle on this machine; the shipped one unless FOLDER is given."""
    result = bench(folder, rounds)
    if as_json:
        print_json(result)
    else:
        _show(result)


@model.command()
@click.argument("size")
@click.option("--precision", type=click.Choice(["fp32", "int8"]), default="int8", show_default=True)
@click.option("-o", "--output", type=PATH, required=True, help="The bundle's folder, such as nano-int8.")
@click.option("--checkpoint", type=PATH, help="Trained model; runs/SIZE-stage2 unless given.")
@needs_extra("export")
def export(size: str, precision: str, output: Path, checkpoint: Path | None) -> None:
    """Export a trained model of SIZE as a bundle, each graph compared with torch."""
    from pixsearch.export.bundle import export_bundle
    from pixsearch.model.checkpoint import load_merged

    export_bundle(load_merged(checkpoint or RUNS / f"{size}-stage2"), output, precision)


@model.command("random")
@click.argument("family")
@click.option("-o", "--output", type=PATH, required=True, help="The folder to write.")
@click.option("--seed", default=0, show_default=True, help="Of its weights.")
@needs_extra("train")
def random_model(family: str, output: Path, seed: int) -> None:
    """Write a small random vision-language model of FAMILY, to try every path that a big one takes."""
    from pixsearch.model.families.random_model import write_random_model

    write_random_model(family, output, seed)


def _show(result: dict[str, Any]) -> None:
    click.echo(f"{result['machine']}; {result['bundle']}, {result['threads']} threads")
    click.echo(f"{'stage':<18}{'p50 ms':>9}{'p95 ms':>9}{'floor':>9}{'x peer':>9}")
    for name, row in {**result["stages"], "ask": result["ask"]}.items():
        floor = f"{row['floor_ms']:.2f}" if "floor_ms" in row else ""
        click.echo(f"{name:<18}{row['p50_ms']:>9.1f}{row['p95_ms']:>9.1f}{floor:>9}{row['ratio']:>9.1f}")
    for name, peer in result["peers"].items():
        click.echo(f"{name:<18}{peer['p50_ms']:>9.1f}")
    click.echo(
        f"first token {result['ask']['first_token_p50_ms']:.0f} ms, "
        f"{result['decode']['tokens_per_s']:.0f} tokens/s, "
        f"start to answer {result['start_to_answer_s']:.1f} s, peak {result['peak_mb']:.0f} MB, "
        f"bundle {result['bundle_mb']:.0f} MB"
    )
