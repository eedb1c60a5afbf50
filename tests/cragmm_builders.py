"""A miniature CRAG-MM in its published schema, and agents for it."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from edge_builders import GREEN, RED, a_frame
from PIL import Image

DOMAINS, CATEGORIES = ["animal", "food", "vehicle"], ["reasoning", "simple-knowledge", "multi-hop"]
DYNAMISMS, QUALITIES = ["static", "fast-changing"], ["normal", "low light"]


def png(colour: tuple[int, int, int] = RED) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(a_frame(colour)).save(stream, "PNG")
    return stream.getvalue()


def a_session(number: int, queries: list[tuple[str, str]], **changes) -> dict:
    """One row; queries with their reference answers."""
    ids = [f"{number}-{turn}" for turn in range(len(queries))]
    return {
        "session_id": f"session-{number}", "image": {"bytes": png(GREEN if number % 2 else RED), "path": None},
        "image_url": None, "image_quality": QUALITIES[number % 2],
        "turns": [{"interaction_id": id, "domain": DOMAINS[number % 3], "query_category": CATEGORIES[turn % 3],
                   "dynamism": DYNAMISMS[turn % 2], "query": query}
                  for turn, (id, (query, _)) in enumerate(zip(ids, queries, strict=True))],
        "answers": [{"interaction_id": id, "ans_full": answer}
                    for id, (_, answer) in reversed(list(zip(ids, queries, strict=True)))],
        **changes}


def columns(rows: list[dict], key: str) -> list[dict]:
    """A column of objects as `datasets` stores one of the type Sequence: an object of lists."""
    return [{name: [one[name] for one in row[key]] for name in row[key][0]} for row in rows]


def write_parquet(folder: Path, rows: list[dict], split: str = "validation", as_columns: bool = False,
                  labels: dict[str, list[str]] | None = None, file: str | None = None) -> Path:
    """The data's folder with one file of a split.

    as_columns : objects of lists instead of lists of objects; labels : columns of turns stored as numbers of classes
    """
    path = folder / "data" / (file or f"{split}-00000-of-00001.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    for row in rows if labels else ():
        for turn in row["turns"]:
            turn |= {name: names.index(turn[name]) for name, names in labels.items()}
    if as_columns:
        stored = [columns(rows, key) for key in ("turns", "answers")]
        rows = [{**row, "turns": turns, "answers": answers}
                for row, turns, answers in zip(rows, *stored, strict=True)]
    table = pa.Table.from_pylist(rows)
    features = {"turns": [{name: {"names": names, "_type": "ClassLabel"} for name, names in (labels or {}).items()}]}
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path, row_group_size=2)
    return folder


class Scripted:
    """An agent that answers by a table of queries, two at a time, and notes what it was told."""

    def __init__(self, search_pipeline=None, says: dict[str, str] | None = None) -> None:
        self.pipeline, self.says = search_pipeline, says or {}
        self.told: list[tuple[str, list[dict]]] = []

    def get_batch_size(self) -> int:
        return 2

    def batch_generate_response(self, queries, images, message_histories) -> list[str]:
        assert len(queries) == len(images) == len(message_histories) <= 2
        assert all(isinstance(image, Image.Image) and np.asarray(image).shape == (200, 300, 3) for image in images)
        self.told += zip(queries, message_histories, strict=True)
        return [self.says.get(query, "I don't know.") for query in queries]
