"""`make bench-index`: a pack's search beside raw hnswlib, usearch and faiss: speed at equal recall, memory, opening."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import psutil
from numpy.typing import NDArray

from pixsearch.apps.bench_engines import Engine, K, Numbers, OurPack, RawEntities, RawHnswlib, build_all, engines
from pixsearch.apps.bench_regions import LOOKALIKES, VIEWS_STORED, Collection, Vectors, rendered_regions
from pixsearch.apps.console import PATH, OneCommand, json_option, print_json
from pixsearch.apps.extras import needs_extra
from pixsearch.apps.floors import machine
from pixsearch.contract.files import write_atomic

QUERIES, WARM_UP, ROUNDS = 1000, 50, 3
ROWS_AT_A_TIME = 8192
TARGETS = (0.95, 0.98, 0.99)  # recalls at which speeds are compared
FILTERED = ("chair", "lamp", "table", "plant")  # half of the kinds
MEMORY_QUERIES = 2000
MB = 1e6


@click.command(cls=OneCommand)
@click.option("--regions", "counts", type=click.IntRange(10_000), multiple=True, default=(100_000, 1_000_000),
              show_default=True, help="How many; may be given several times.")
@click.option("--data", type=PATH, default=Path("data"), show_default=True, help="What `make data` made.")
@click.option("--output", type=PATH, default=Path("bench"), show_default=True, help="Where files and results go.")
@click.option("--models", type=click.IntRange(LOOKALIKES + 1),
              help="3D models to draw, for a quick try; all unless given.")
@json_option
def bench_index(counts: Sequence[int], data: Path, output: Path, models: int | None, as_json: bool) -> None:
    """Measure packs beside hnswlib, usearch and faiss; writes OUTPUT/index.json and prints a table."""
    rendered = rendered_regions(data, output, models)
    results = []
    for count in counts:
        folder = output / f"index-{count}"
        folder.mkdir(parents=True, exist_ok=True)
        results.append(measured(Collection(rendered, count // VIEWS_STORED), folder))
    report = {"machine": machine(), "drawn_views": int(np.prod(rendered.vectors.shape[:2])),
              "seconds_a_view": round(rendered.seconds_a_view, 4), "results": results}
    write_atomic(output / "index.json", json.dumps(report, indent=1).encode())
    if as_json:
        print_json(report)
    else:
        for result in results:
            click.echo(table(result))


@needs_extra("bench")
def measured(collection: Collection, folder: Path) -> dict[str, Any]:
    """Build what is missing in `folder`, then take turns searching with every engine."""
    vectors, queries = collection.stored(), collection.queries(QUERIES)
    filtered = OurPack(kinds=FILTERED, name="a pack, half of the kinds")
    chosen: list[Engine] = [*engines(), RawEntities(), filtered]
    build_seconds = build_all(folder, vectors, chosen)
    truths = _truths(vectors, queries, filtered)
    dimension, count = vectors.shape[1], len(vectors)
    np.save(folder / "queries.npy", collection.queries(MEMORY_QUERIES))
    del vectors
    for engine in chosen:
        engine.open(folder / engine.file, dimension)
    curves = _curves(chosen, queries, truths)
    rows: dict[str, dict[str, Any]] = {}
    for engine in chosen:
        at = {str(target): _at_recall(curves[engine.name], target) for target in TARGETS}
        rows[engine.name] = {"curve": curves[engine.name], "qps_at": at}
    for engine in engines():
        rows[engine.name].update(_alone(engine, folder, dimension), file_bytes=_size(folder / engine.file),
                                 build_s=round(build_seconds[engine.name], 1) if engine.name in build_seconds else None)
    raw, pooled, ours = rows[RawHnswlib.name], rows[RawEntities.name], rows[OurPack().name]
    return {"regions": count, "entities": count // VIEWS_STORED, "engines": rows,
            "chosen_ef": chosen[0].ef,  # type: ignore[attr-defined]
            "recall_at_chosen_ef": _chosen_recall(chosen[0], queries, truths[True]),
            "qps_ratio": _ratios(ours["qps_at"], pooled["qps_at"]),
            "qps_ratio_to_rows": _ratios(ours["qps_at"], raw["qps_at"]),
            "memory_ratio": _ratio(ours["memory_mb"], raw["memory_mb"])}


def _truths(vectors: Vectors, queries: Vectors, filtered: OurPack) -> dict[Any, Numbers]:
    """By brute force in float32: the K nearest rows (False), entities (True), and entities of the filter ("half")."""
    entities = len(vectors) // VIEWS_STORED
    every = np.empty((len(queries), entities), np.float32)
    rows: Numbers = np.zeros((len(queries), 0), np.int64)
    scores = np.zeros((len(queries), 0), np.float32)
    with click.progressbar(length=len(vectors), label="comparing all with all", file=sys.stderr) as bar:
        for start in range(0, len(vectors), ROWS_AT_A_TIME):
            part = queries @ vectors[start:start + ROWS_AT_A_TIME].T
            first = start // VIEWS_STORED
            pooled = part.reshape(len(queries), -1, VIEWS_STORED).max(axis=2)
            every[:, first:first + pooled.shape[1]] = pooled
            numbers = np.broadcast_to(np.arange(start, start + part.shape[1]), part.shape)
            rows, scores = _best(np.hstack([rows, numbers]), np.hstack([scores, part]))
            bar.update(part.shape[1])
    assert filtered.kinds is not None
    half = np.flatnonzero(np.arange(entities) % 8 < len(filtered.kinds))
    return {False: rows, True: _best(np.broadcast_to(np.arange(entities), every.shape), every)[0],
            "half": _best(np.broadcast_to(half, (len(queries), len(half))), every[:, half])[0]}


def _best(numbers: Numbers, scores: Vectors) -> tuple[Numbers, Vectors]:
    keep = np.argpartition(-scores, K, axis=1)[:, :K]
    return np.take_along_axis(numbers, keep, 1), np.take_along_axis(scores, keep, 1)


def _curves(chosen: Sequence[Engine], queries: Vectors, truths: dict[Any, Numbers]) -> dict[str, list[dict[str, Any]]]:
    """Recall and queries a second of one thread at every ef; engines and efs take turns, the median round counts."""
    seconds: dict[tuple[str, int], list[float]] = {(engine.name, ef): [] for engine in chosen for ef in engine.efs}
    recall: dict[tuple[str, int], float] = {}
    with click.progressbar(length=ROUNDS * len(seconds), label="searching", file=sys.stderr) as bar:
        for _ in range(ROUNDS):
            for engine in chosen:
                truth = truths["half" if isinstance(engine, OurPack) and engine.kinds else engine.of_entities]
                for ef in engine.efs:
                    taken, recall[engine.name, ef] = _run(engine, ef, queries, truth)
                    seconds[engine.name, ef].append(taken)
                    bar.update(1)
    return {engine.name: [{"ef": ef, "recall": round(recall[engine.name, ef], 4),
                           "qps": round(1 / float(np.median(seconds[engine.name, ef])), 1)} for ef in engine.efs]
            for engine in chosen}


def _run(engine: Engine, ef: int, queries: Vectors, truth: Numbers) -> tuple[float, float]:
    """Seconds a query, and recall at K."""
    for query in queries[:WARM_UP]:
        engine.search(query, ef)
    began = time.perf_counter()
    found = [engine.search(query, ef) for query in queries]
    taken = (time.perf_counter() - began) / len(queries)
    return taken, float(np.mean([len(np.intersect1d(one, exact)) / K for one, exact in zip(found, truth, strict=True)]))


def _chosen_recall(engine: Any, queries: Vectors, truth: Numbers) -> float:
    engine._of_ef[engine.ef] = engine._with(engine.ef)
    return round(_run(engine, engine.ef, queries, truth)[1], 4)


def _at_recall(curve: list[dict[str, Any]], target: float) -> float | None:
    """Queries a second at a recall, between the two measured points around it; None where it was not reached."""
    for below, above in zip([None, *curve], curve, strict=False):
        if above["recall"] >= target:
            if below is None or above["recall"] == below["recall"]:
                return float(above["qps"])
            share = (target - below["recall"]) / (above["recall"] - below["recall"])
            return round(float(np.exp((1 - share) * np.log(below["qps"]) + share * np.log(above["qps"]))), 1)
    return None


def _ratios(one: dict[str, float | None], other: dict[str, float | None]) -> dict[str, float | None]:
    return {target: _ratio(value, other[target]) for target, value in one.items()}


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else round(one / other, 3)


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat(
        ).st_size


def _alone(engine: Engine, folder: Path, dimension: int) -> dict[str, Any]:
    """Memory and seconds to open of one engine in a process of its own, opened there twice."""
    done = subprocess.run([sys.executable, "-m", "pixsearch.apps.bench_index_alone", engine.name, str(folder),
                           str(dimension)], check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def open_alone(name: str, folder: Path, dimension: int) -> dict[str, Any]:
    """What `_alone` measures, in the process that it starts.

    memory_mb : what the process grew by when it had opened the index and searched MEMORY_QUERIES times, with pages
        of mapped files counted; process_mb : all of it
    """
    engine = next(one for one in engines() if one.name == name)
    queries: NDArray[np.float32] = np.load(folder / "queries.npy")
    process, seconds = psutil.Process(), []
    before = process.memory_info().rss
    for _ in range(2):
        began = time.perf_counter()
        engine.open(folder / engine.file, dimension)
        seconds.append(time.perf_counter() - began)
        if len(seconds) == 1:
            for query in queries:
                engine.search(query, engine.efs[len(engine.efs) // 2])
            memory = process.memory_info().rss
    return {"memory_mb": round((memory - before) / MB, 1), "process_mb": round(memory / MB, 1),
            "open_s": round(seconds[0], 3), "open_again_s": round(seconds[1], 3)}


def table(result: dict[str, Any]) -> str:
    """One result as a table for a README."""
    lines = [f"{result['regions']} regions of {result['entities']} entities",
             "| engine | queries/s at recall .95, .98, .99 | memory, MB | file, MB | opens in, s |",
             "|---|---|---|---|---|"]
    for name, row in result["engines"].items():
        speeds = ", ".join("-" if value is None else f"{value:.0f}" for value in row["qps_at"].values())
        rest = (f"{row['memory_mb']:.0f} | {row['file_bytes'] / MB:.0f} | {row['open_again_s']:.2f} |"
                if "memory_mb" in row else "| | |")
        lines.append(f"| {name} | {speeds} | {rest}")
    ratios = ", ".join("-" if value is None else f"{value:.2f}" for value in result["qps_ratio"].values())
    strict = ", ".join("-" if value is None else f"{value:.2f}" for value in result["qps_ratio_to_rows"].values())
    lines += [f"a pack / hnswlib for the same entities: {ratios} of its queries/s at .95, .98, .99; "
              f"/ hnswlib for ten rows: {strict}", f"{result['memory_ratio']:.2f} of hnswlib's memory; "
              f"ef {result['chosen_ef']}, chosen at build, has recall {result['recall_at_chosen_ef']:.4f}"]
    return "\n".join(lines)


if __name__ == "__main__":
    bench_index()
