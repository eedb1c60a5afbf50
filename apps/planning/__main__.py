"""`python -m pixsearch.apps.planning -o docs/planning.md`: the planning page, with this machine's checks."""

from dataclasses import fields
from pathlib import Path

import click
import jinja2

from pixsearch.apps.console import PATH
from pixsearch.apps.floors import machine
from pixsearch.apps.planning.checks import Check, index_checks, parameter_checks, training_checks
from pixsearch.apps.planning.index import Cluster, DiskGraph, Graph, plan_index, seconds_a_vector
from pixsearch.apps.planning.training import BYTES_NF4, MODELS, Gpu, Recipe, memory_gb, plan
from pixsearch.contract.files import write_atomic

REGIONS = 10**9
GPUS = {"3B": (8,), "13B": (8, 32)}
TEMPLATE = "planning.md.j2"


def page(checks: list[Check], measured: tuple[float, int], where: str) -> str:
    """The page as Markdown. measured : seconds a vector on one core, on the way to a graph of so many."""
    gpu, cluster, recipe = Gpu(), Cluster(), Recipe()
    segment = round(cluster.segment_gb * 1e9 / Graph(1).vector_bytes)
    slow = seconds_a_vector(*measured, segment)
    plans = [(model.name, recipe, plan(model, recipe, gpu, count))
             for model in MODELS for count in GPUS[model.name.split()[0]]]
    quantized = [(model.name, memory_gb(model, Recipe(quantized=True, batch=1))) for model in MODELS]
    graphs = [(f"HNSW, {name}", plan_index(Graph(REGIONS, value_bytes=size), cluster, slow))
              for name, size in (("fp32", 4), ("int8", 1))]
    environment = jinja2.Environment(loader=jinja2.PackageLoader("pixsearch.apps"), keep_trailing_newline=True,
                                     trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(TEMPLATE).render(
        models=[(model, memory_gb(model, recipe)) for model in MODELS], plans=plans, quantized=quantized, gpu=gpu,
        recipe=recipe, cluster=cluster, graphs=graphs, disk=DiskGraph(REGIONS), checks=checks, machine=where,
        segment=segment, seconds=slow, measured=measured, nf4=BYTES_NF4, regions=REGIONS,
        names={one.name for one in fields(Recipe)})


@click.command()
@click.option("-o", "--output", type=PATH, default=Path("docs/planning.md"), show_default=True)
@click.option("--note", default="", help="What the page says of this machine besides, such as the commit.")
def main(output: Path, note: str) -> None:
    """Measure what can be measured here, and write the page."""
    graphs, measured = index_checks()
    checks = [*parameter_checks(), *training_checks(), *graphs]
    write_atomic(output, page(checks, measured, machine() + (f", {note}" if note else "")).encode())
    for check in checks:
        click.echo(f"{check.name:<45}{check.predicted:10.3f}{check.measured:10.3f} {check.unit:<4}{check.ratio:8.2f}")


if __name__ == "__main__":
    main(prog_name="python -m pixsearch.apps.planning")
