"""What a collection takes, up to a billion regions, from rates that `make bench-index` measured: docs/sizing.md."""

import json
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import click

from pixsearch.apps.bench_engines import OurPack
from pixsearch.apps.console import PATH, OneCommand
from pixsearch.contract.faults import Fault
from pixsearch.contract.files import write_atomic
from pixsearch.index.schema import MAX_VECTORS

SIZES = (100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)  # regions
GB = 1e9


@dataclass(frozen=True)
class Rates:
    """Measured on one machine; everything else in the table is multiplied from these.

    disk, memory : bytes a region
    embed, index : regions a second, of one core that draws and embeds, and of one machine that writes and indexes
    """

    disk: float
    memory: float
    embed: float
    index: float
    regions: int
    machine: str

    @classmethod
    def of(cls, report: dict[str, Any]) -> "Rates":
        """From the largest collection in a report whose build was timed. Raises Fault where there is none."""
        timed = [one for one in report["results"] if one["engines"][OurPack().name].get("build_s")]
        if not timed:
            raise Fault("report of `make bench-index`", expected="a pack whose build was timed", actual="none",
                        remedy="remove its bench/index-* folders, and run it again")
        largest = max(timed, key=lambda one: int(one["regions"]))
        pack, regions = largest["engines"][OurPack().name], largest["regions"]
        return cls(pack["file_bytes"] / regions, pack["memory_mb"] * 1e6 / regions, 1 / report["seconds_a_view"],
                   regions / pack["build_s"], regions, report["machine"])


def page(rates: Rates) -> str:
    """The page: rates, then a row for each size."""
    lines = [
        "# Sizing", "",
        f"Made by `python -m pixsearch.apps.index_sizing` from what `make bench-index` measured at {rates.regions:,} "
        f"regions on {rates.machine}:",
        f"{rates.disk:.0f} bytes a region on disk, {rates.memory:.0f} in memory, {rates.embed:.1f} regions a second "
        f"drawn and embedded by one core, {rates.index:.0f} a second written and indexed.", "",
        "Rows above that size are multiplied from these rates, not measured. A pack holds at most "
        f"{MAX_VECTORS:,} vectors: larger collections are several packs, searched as one, or vectors in Milvus "
        "(`index/milvus.py`), whose server needs the memory of its own kind of index.", "",
        "| regions | packs | disk, GB | memory, GB | hours to embed, one core | hours to index, one machine |",
        "|---|---|---|---|---|---|"]
    for size in SIZES:
        lines.append(f"| {size:,} | {ceil(size / MAX_VECTORS):,} | {size * rates.disk / GB:,.2f} | "
                     f"{size * rates.memory / GB:,.2f} | {size / rates.embed / 3600:,.1f} | "
                     f"{size / rates.index / 3600:,.2f} |")
    lines += ["", "Embedding and indexing of different packs share nothing: hours divide by cores and machines."]
    return "\n".join(lines) + "\n"


@click.command(cls=OneCommand)
@click.option("--report", type=PATH, default=Path("bench/index.json"), show_default=True,
              help="What `make bench-index` wrote.")
@click.option("-o", "--output", type=PATH, default=Path("docs/sizing.md"), show_default=True)
def sizing(report: Path, output: Path) -> None:
    """Write the sizing table."""
    if not report.is_file():
        raise Fault(f"report {report}", expected="what `make bench-index` wrote", actual="none", remedy="run it first")
    write_atomic(output, page(Rates.of(json.loads(report.read_bytes()))).encode())


if __name__ == "__main__":
    sizing()
