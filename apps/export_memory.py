"""A memory as a folder of rows and pictures that people can read and `pack build` takes."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import atomic_directory
from pixsearch.index.memory import MemoryPack

ROWS = "entities.jsonl"


def export_memory(memory: MemoryPack, output: Path) -> int:
    """Write a new folder, whole or not at all; returns how many things. Raises Fault where something is there."""
    if output.exists() or not output.parent.is_dir():
        raise Fault(f"output {output}", expected="a new name in an existing folder",
                    actual="something there" if output.exists() else "no such folder", remedy="choose another name")
    items = memory.items()
    with (atomic_directory(output) as folder, (folder / ROWS).open("w", encoding="utf-8") as rows,
          click.progressbar(items, label="exporting", file=sys.stderr) as bar):
        for item in bar:
            row: dict[str, Any] = {"id": str(item.id), "name": item.entity, "kind": item.kind, "facts": item.facts,
                                   "text": item.text, "source": item.source}
            if picture := memory.picture(item.id):
                row["images"] = [f"{item.id}.webp"]
                (folder / f"{item.id}.webp").write_bytes(picture)
            rows.write(json.dumps(row, ensure_ascii=False) + "\n")
    return len(items)
