"""`pixsearch model`: look at, check, time and export model bundles."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from pixsearch.apps import bench_history
from pixsearch.apps.bench import ROUNDS, bench
from pixsearch.apps.bench_peers import UNIT
from pixsearch.apps.console import PATH, json_option, print_json
from pixsearch.apps.defaults import verified_with
from pixsearch.apps.eval_photos import read_photo_questions
from pixsearch.apps.extras import needs_extra
from pixsearch.apps.report import one_line
from pixsearch.contract import graphs
from pixsearch.contract.files import write_atomic
from pixsearch.contract.images import read_image
from pixsearch.edge.bundle import Bundle, default_bundle
from pixsearch.edge.engines import Limits, build_engine
from pixsearch.edge.self_check import self_check

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
@json_option
def verify(folder: Path | None, as_json: bool) -> None:
    """Check every byte of a bundle and what it says about two pictures; prints nothing when all is well.

    Every graph runs as it does here and once more with nothing optimised. Numbers are to be finite and alike, masks not
    blank, and a question is to be answered. With --json: how far the two are apart.
    """
    checked = self_check(folder or default_bundle(), verified_with())
    if as_json:
        print_json({name: {"calls": row.calls, **asdict(row.close)} for name, row in checked.items()})


@model.command("bench")
@click.argument("folder", type=PATH, required=False)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=ROUNDS,
    show_default=True,
    help="How often each stage runs.",
)
@click.option("--peers/--no-peers", default=True, show_default=True, help="Time published networks beside it.")
@click.option("--history", type=PATH, help="Add the figures to this file, one JSON object a line.")
@click.option("--check", is_flag=True, help="End with 1 where a stage got slower than the history says it was.")
@click.option("--factor", type=click.FloatRange(min=1), default=bench_history.FACTOR, show_default=True,
              help="Times its usual ratio to EfficientNet-Lite0 that a stage may take.")
@json_option
def bench_command(folder: Path | None, rounds: int, peers: bool, history: Path | None, check: bool, factor: float,
                  as_json: bool) -> None:
    """Time every stage of a bundle on this machine; the shipped one unless FOLDER is given."""
    if check and history is None:
        raise click.UsageError("--check compares with a history: give --history FILE")
    earlier = bench_history.read_history(history) if history else []
    result = bench(folder, rounds, peers)
    if as_json:
        print_json(result)
    else:
        _show(result)
    if history:
        entry = bench_history.entry_of(result, folder or default_bundle())
        remark = bench_history.check(entry, earlier, UNIT.name, factor) if check else None
        if remark:
            click.echo(remark, err=True)
        bench_history.append_entry(history, entry)


@model.command()
@click.argument("size")
@click.option("--precision", type=click.Choice(["fp32", "fp16", "int8"]), default="int8", show_default=True)
@click.option("--target", type=click.Choice(graphs.TARGETS), default=graphs.ONNX_TARGET, show_default=True)
@click.option("-o", "--output", type=PATH, required=True, help="The bundle's folder, such as nano-int8.")
@click.option("--checkpoint", type=PATH, help="Trained model; runs/SIZE-stage2 unless given.")
@needs_extra("export")
def export(size: str, precision: str, target: str, output: Path, checkpoint: Path | None) -> None:
    """Export a trained model of SIZE as a bundle for CPUs (onnx) or for engines that boards build (tensorrt)."""
    from pixsearch.export.bundle import export_bundle
    from pixsearch.model.checkpoint import load_merged

    frames = [read_image(photo) for photo in calibration_photos()] if precision == "int8" else []
    trained = load_merged(checkpoint or RUNS / f"{size}-stage2")
    manifest = export_bundle(trained, output, precision, None, target, frames)
    for name, notes in manifest["quantization"].items():
        kept = ", ".join(notes["kept_in_float"]) or "none"
        click.echo(f"{name}: {len(notes['sqnr_db'])} convolutions, kept in float: {kept}", err=True)


@model.command("engines")
@click.argument("folder", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, help="Folder for the engines.")
@click.option("--workspace", type=click.IntRange(min=16), default=Limits.workspace_mb, show_default=True,
              help="Scratch memory of a build in MB.")
def engines(folder: Path, output: Path, workspace: int) -> None:
    """Build the TensorRT engine of every graph of a bundle; proves that they parse and build, GPU or not."""
    bundle = Bundle.load(folder)
    output.mkdir(parents=True, exist_ok=True)
    for name in graphs.GRAPHS:
        engine = build_engine(bundle.folder / graphs.graph_file(name), Limits(workspace), output / "timings")
        write_atomic(output / f"{name}.engine", engine)
        click.echo(f"{name:<10}{len(engine) / 1e6:>8.1f} MB")


@model.command()
@click.argument("folder", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, help="The folder to write.")
@needs_extra("train")
def merge(folder: Path, output: Path) -> None:
    """Write a trained base model FOLDER in its publisher's form, adapters merged, for servers such as vLLM."""
    from pixsearch.model.families.merged import write_merged

    write_merged(folder, output)


@model.command("random")
@click.argument("family")
@click.option("-o", "--output", type=PATH, required=True, help="The folder to write.")
@click.option("--seed", default=0, show_default=True, help="Of its weights.")
@needs_extra("train")
def random_model(family: str, output: Path, seed: int) -> None:
    """Write a small random vision-language model of FAMILY, to try every path that a big one takes."""
    from pixsearch.model.families.random_model import write_random_model

    write_random_model(family, output, seed)


def calibration_photos() -> list[Path]:
    """The photographs of the validation half; those of the test half are never looked at for a choice."""
    return sorted({asked.photo for asked in read_photo_questions() if asked.split == "validation"})


def _show(result: dict[str, Any]) -> None:
    click.echo(f"{result['machine']}; {result['bundle']}, {result['threads']} threads")
    click.echo(f"{'stage':<24}{'p50 ms':>9}{'p95 ms':>9}{'floor':>9}{'x Lite0':>9}")
    for name, row in {**result["stages"], "ask": result["ask"]}.items():
        floor = f"{row['floor_ms']:.2f}" if "floor_ms" in row else ""
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        click.echo(f"{name:<24}{row['p50_ms']:>9.1f}{row['p95_ms']:>9.1f}{floor:>9}{ratio:>9}")
    for name, peer in result["peers"].items():
        click.echo(f"{name:<28}{peer['p50_ms']:>9.1f} ms, {peer['ratio']:.1f} times {peer['beside']} "
                   f"({peer['beside_p50_ms']:.1f} ms in the same turns); {peer['runtime']}")
    energy = result["energy"]
    click.echo(
        f"first token {result['ask']['first_token_p50_ms']:.0f} ms, "
        f"{result['decode']['tokens_per_s']:.0f} tokens/s, "
        f"start to answer {result['start_to_answer_s']:.1f} s, peak {result['peak_mb']:.0f} MB, "
        f"bundle {result['bundle_mb']:.0f} MB, "
        + (f"{energy['joules_per_ask']:.2f} J a question ({energy['source']})" if energy else "energy not readable")
    )
