"""What the trace builder keeps, a line of JSON for each question: {"place", "number", "sample", "masks"}.

"sample" is null for a question that needs no knowledge.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import write_atomic
from pixsearch.contract.masks import decode_mask, encode_mask
from pixsearch.model.data.corpora.example import Example
from pixsearch.model.data.records import sample_as_json, sample_from_json


def row_of(place: str, number: int, made: Example | None) -> dict[str, Any]:
    """The row of a question; `made` is None where it needs no knowledge."""
    return {"place": place, "number": number, "sample": sample_as_json(made.samples[0]) if made else None,
            "masks": [encode_mask(mask) for mask in made.masks] if made else []}


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The whole rows of a file of traces; one that was cut is left out."""
    for line in path.read_text("utf-8").split("\n")[:-1]:
        yield json.loads(line)


def whole_rows(path: Path) -> list[dict[str, Any]]:
    """The whole rows of a file that goes on from here: one that was cut is taken out of it."""
    if not path.exists():
        return []
    written = path.read_bytes()
    whole = written[:written.rfind(b"\n") + 1]
    if whole != written:
        write_atomic(path, whole)
    return list(read_rows(path))


def with_traces(examples: Iterable[Example | Fault], path: Path) -> Iterator[Example | Fault]:
    """The pictures of a corpus with the traces that were made for them instead of their own samples."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in read_rows(path):
        if row["sample"]:
            rows.setdefault(row["place"], []).append(row)
    for example in examples:
        if isinstance(example, Fault):
            yield example
            continue
        for row in rows.get(example.place, []):
            masks = tuple(decode_mask(code) for code in row["masks"])
            yield replace(example, masks=masks, samples=(sample_from_json(row["sample"]),))
