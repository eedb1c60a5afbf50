"""`model bench`: what each stage takes on this machine, beside its floor and known peers."""

import subprocess
import sys
import time
from collections import defaultdict
from itertools import cycle
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

from pixsearch.apps import bench_peers
from pixsearch.apps.bench_peers import UNIT, Work, run_ms
from pixsearch.apps.defaults import EVERYDAY_PACK, PHOTOS
from pixsearch.apps.energy import open_meter
from pixsearch.apps.floors import MS, Rates, floor_ms, folder_mb, machine, measure_rates
from pixsearch.contract import graphs
from pixsearch.contract.images import Pixels, read_image
from pixsearch.contract.preprocess import CROP_PIXELS, FRAME_PIXELS
from pixsearch.edge.answer import Answer
from pixsearch.edge.assistant import Assistant, open_assistant
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.edge.language import Beginning, BundleLanguage

ROUNDS, WARM_UP = 20, 3
ASKED = (
    ("cat.jpg", "What animal is this?"),
    ("robin.jpg", "What is this bird called?"),
    ("coffee.jpg", "What drink is this?"),
)
LITE0_MULTIPLY_ADDS = 407_000_000  # of EfficientNet-Lite0 at 224 pixels, as its authors state
FRAME_SIZE = (640, 480)  # pixels, of the frame that stages are timed on
START_RUNS = 3

PERCEPTION = "perception"
PERCEPTION_PARTS = (graphs.VISION, graphs.MASK, graphs.REGION)  # what a frame takes until a thing in it is found
ENERGY_ASKS = 6

Stages = dict[str, Work]
Times = dict[str, list[float]]


def bench(bundle_folder: Path | None = None, rounds: int = ROUNDS, peers: bool = True) -> dict[str, Any]:
    """Time every stage, whole questions with one region search, and a fresh process. Progress goes to stderr.

    Stages, questions and the peer that they are compared with take turns, so that a busy moment of the machine falls
    on all of them. peers : whether the other peers are timed too
    """
    rates = measure_rates()
    with open_assistant(bundle_folder, [EVERYDAY_PACK], budget=1) as assistant:
        bundle = assistant.bundle
        frames = [(read_image(PHOTOS / name), question) for name, question in ASKED]
        work = _stages(assistant, cv2.resize(frames[0][0], FRAME_SIZE).astype(np.uint8), frames[0][1])
        unit = bench_peers.unit_work(bundle.threads)
        times, answers = _run(assistant, frames, {**work, **({UNIT.name: unit} if unit else {})}, rounds)
        times[PERCEPTION] = np.sum([times[part] for part in PERCEPTION_PARTS], axis=0).tolist()
        work[PERCEPTION] = lambda: [work[part]() for part in PERCEPTION_PARTS]
        others = bench_peers.time_others(work, bundle.threads) if peers else {}
        energy = _energy(assistant, frames)
    of_unit = times.pop(UNIT.name, None)
    floors = {name: _floor(name, bundle.folder, rates) for name in times}
    floors[PERCEPTION] = sum(floors[part] for part in PERCEPTION_PARTS)
    start_s, peak_mb = _fresh_process(bundle.folder)
    return {
        "machine": machine(),
        "bundle": bundle.name,
        "threads": bundle.threads,
        "stages": {
            name: {**_percentiles(values), "floor_ms": round(floors[name], 3), "ratio": _ratio(values, of_unit)}
            for name, values in times.items()
        },
        "ask": _asked(answers, of_unit),
        "decode": {
            "tokens_per_s": round(MS / float(np.median(times["language_step"])), 1),
            "floor_tokens_per_s": round(MS / floors["language_step"], 1),
        },
        "start_to_answer_s": round(start_s, 2),
        "peak_mb": round(peak_mb, 1),
        "bundle_mb": round(folder_mb(bundle.folder), 1),
        "energy": energy,
        "peers": {**_unit_row(of_unit, times), **others},
    }


def _asked(answers: list[Answer], of_unit: list[float] | None) -> dict[str, Any]:
    total = [answer.timings.total for answer in answers]
    return {
        **_percentiles(total),
        "ratio": _ratio(total, of_unit),
        "first_token_p50_ms": round(float(np.median([one.timings.first_token for one in answers])), 2),
        "with_region_search": sum(any(s.box for s in one.searches) for one in answers) / len(answers),
    }


def _ratio(values: list[float], of_unit: list[float] | None) -> float | None:
    """How many times longer than the peer; None where it was not timed."""
    return round(float(np.median(values)) / float(np.median(of_unit)), 4) if of_unit else None


def _unit_row(of_unit: list[float] | None, times: Times) -> dict[str, dict[str, Any]]:
    if of_unit is None:
        return {}
    return {UNIT.name: bench_peers.compared(of_unit, times[UNIT.beside], UNIT.beside, bench_peers.ORT)}


def _stages(assistant: Assistant, frame: Pixels, question: str) -> Stages:
    """One call of each stage, on a real frame."""
    bundle, embedder = assistant.bundle, BundleEmbedder(assistant.bundle)
    seen, prompt = assistant.perceive(frame), bundle.tokenizer.prompt(question)
    warm = BundleLanguage(bundle, seen.image_tokens)
    _, hidden = warm.feed(prompt)
    earlier, questions = Beginning(), cycle([prompt, bundle.tokenizer.prompt(ASKED[1][1])])
    BundleLanguage(bundle, seen.image_tokens, earlier).feed(next(questions))
    word = [prompt[-2]]
    mask = seen.segment(hidden[-2:-1]).mask
    vector = seen.region_vector(mask)
    return {
        "vision": lambda: assistant.perceive(frame),
        "language_prefill": lambda: BundleLanguage(bundle, seen.image_tokens).feed(prompt),
        "language_prefill_again": lambda: BundleLanguage(bundle, seen.image_tokens, earlier).feed(next(questions)),
        "language_step": lambda: warm.feed(word),
        "mask": lambda: seen.segment(hidden[-2:-1]),
        "region": lambda: seen.region_vector(mask),
        "text": lambda: embedder.text(question),
        "search": lambda: assistant.library.search_vectors(vector, k=5),
    }


def _run(
    assistant: Assistant, frames: list[tuple[Pixels, str]], work: Stages, rounds: int
) -> tuple[Times, list[Answer]]:
    times: defaultdict[str, list[float]] = defaultdict(list)
    answers = []
    with click.progressbar(range(WARM_UP + rounds), label="rounds", file=sys.stderr) as bar:
        for number in bar:
            answer = _ask(assistant, *frames[number % len(frames)])
            taken = {name: run_ms(stage) for name, stage in work.items()}
            if number >= WARM_UP:
                answers.append(answer)
                for name, value in taken.items():
                    times[name].append(value)
    return dict(times), answers


def _ask(assistant: Assistant, frame: Pixels, question: str) -> Answer:
    """Pointed at the middle: something is cut out."""
    height, width = frame.shape[:2]
    return assistant.ask(frame, question, point=(width / 2, height / 2))


def _energy(assistant: Assistant, frames: list[tuple[Pixels, str]]) -> dict[str, Any] | None:
    """Joules of a question, idle power included; None where this machine does not tell."""
    meter = open_meter()
    if meter is None:
        return None
    asked = [frames[number % len(frames)] for number in range(ENERGY_ASKS)]
    joules = meter.joules(lambda: [_ask(assistant, *one) for one in asked])
    return {"source": meter.source, "joules_per_ask": round(joules / ENERGY_ASKS, 3)}


def _percentiles(values: list[float]) -> dict[str, float]:
    p50, p95 = np.percentile(values, [50, 95])
    return {"p50_ms": round(float(p50), 2), "p95_ms": round(float(p95), 2)}


def _floor(stage: str, bundle: Path, rates: Rates) -> float:
    """Least milliseconds by the rates measured; 0 for a search, which reads next to nothing."""
    graph = stage.partition("_")[0]
    if graph not in graphs.GRAPHS:
        return 0.0
    sums = {
        graphs.VISION: LITE0_MULTIPLY_ADDS * (FRAME_PIXELS / CROP_PIXELS) ** 2,
        graphs.REGION: LITE0_MULTIPLY_ADDS,
    }
    size = sum(path.stat().st_size for path in bundle.glob(f"{graph}.onnx*"))
    return floor_ms(rates, size, int(sums.get(graph, 0)))


def _fresh_process(bundle: Path) -> tuple[float, float]:
    """Seconds from starting Python to the first answer, and the peak in MB; the median of a few starts."""
    name, question = ASKED[0]
    command = [
        sys.executable,
        "-m",
        "pixsearch.apps.first_answer",
        str(bundle),
        str(EVERYDAY_PACK),
        str(PHOTOS / name),
        question,
    ]
    runs = []
    for _ in range(START_RUNS):
        started = time.perf_counter()
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        runs.append((time.perf_counter() - started, float(printed)))
    seconds, peaks = zip(*runs, strict=True)
    return float(np.median(seconds)), float(np.median(peaks))
