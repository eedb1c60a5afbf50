"""`model bench`: what each stage takes on this machine, beside its floor and a known peer."""

import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import click
import numpy as np

from pixsearch.apps.defaults import EVERYDAY_PACK, PHOTOS
from pixsearch.apps.extras import needs_extra
from pixsearch.apps.floors import MS, Rates, floor_ms, folder_mb, machine, measure_rates
from pixsearch.contract import graphs
from pixsearch.contract.images import Pixels, read_image
from pixsearch.contract.preprocess import CROP_PIXELS, FRAME_PIXELS
from pixsearch.edge.answer import Answer
from pixsearch.edge.assistant import Assistant, open_assistant
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.edge.language import Beginning, BundleLanguage
from pixsearch.edge.sessions import open_session

ROUNDS, WARM_UP = 20, 3
ASKED = (
    ("cat.jpg", "What animal is this?"),
    ("robin.jpg", "What is this bird called?"),
    ("coffee.jpg", "What drink is this?"),
)
LITE0_MULTIPLY_ADDS = 407_000_000  # of EfficientNet-Lite0 at 224 pixels, as its authors state
PEER = "efficientnet-lite0-fp32-224"
PEER_FILE = Path("build/peers/efficientnet-lite0-fp32.onnx")
START_RUNS = 3

Stages = dict[str, Callable[[], object]]


def bench(bundle_folder: Path | None = None, rounds: int = ROUNDS) -> dict[str, Any]:
    """Time every stage, whole questions with one region search, and a fresh process. Progress goes to stderr.

    Stages, questions and the peer take turns, so that a busy moment of the machine falls on all of them.
    """
    peer = _peer_file()
    rates = measure_rates()
    with open_assistant(bundle_folder, [EVERYDAY_PACK], budget=1) as assistant:
        frames = [(read_image(PHOTOS / name), question) for name, question in ASKED]
        work = {**_stages(assistant, *frames[0]), PEER: _peer(peer, assistant.bundle.threads)}
        times, answers = _run(assistant, frames, work, rounds)
        bundle = assistant.bundle
    peer_p50 = float(np.median(times[PEER]))
    stages = {
        name: {
            **_percentiles(times[name]),
            "floor_ms": round(_floor(name, bundle.folder, rates), 3),
            "ratio": round(float(np.median(times[name])) / peer_p50, 2),
        }
        for name in work
        if name != PEER
    }
    asked = [answer.timings.total for answer in answers]
    start_s, peak_mb = _fresh_process(bundle.folder)
    step = float(np.median(times["language_step"]))
    return {
        "machine": machine(),
        "bundle": bundle.name,
        "threads": bundle.threads,
        "stages": stages,
        "ask": {
            **_percentiles(asked),
            "ratio": round(float(np.median(asked)) / peer_p50, 2),
            "first_token_p50_ms": round(float(np.median([one.timings.first_token for one in answers])), 2),
            "with_region_search": sum(any(s.box for s in one.searches) for one in answers) / len(answers),
        },
        "decode": {
            "tokens_per_s": round(MS / step, 1),
            "floor_tokens_per_s": round(MS / _floor("language_step", bundle.folder, rates), 1),
        },
        "start_to_answer_s": round(start_s, 2),
        "peak_mb": round(peak_mb, 1),
        "bundle_mb": round(folder_mb(bundle.folder), 1),
        "peers": {PEER: {"p50_ms": round(peer_p50, 2), "ratio": 1.0}},
    }


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
) -> tuple[dict[str, list[float]], list[Answer]]:
    times: defaultdict[str, list[float]] = defaultdict(list)
    answers = []
    with click.progressbar(range(WARM_UP + rounds), label="rounds", file=sys.stderr) as bar:
        for number in bar:
            frame, question = frames[number % len(frames)]
            height, width = frame.shape[:2]
            answer = assistant.ask(frame, question, point=(width / 2, height / 2))  # pointed at: it is cut out
            taken = {name: _ms(stage) for name, stage in work.items()}
            if number >= WARM_UP:
                answers.append(answer)
                for name, value in taken.items():
                    times[name].append(value)
    return times, answers


def _ms(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return MS * (time.perf_counter() - started)


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


def _peer(path: Path, threads: int) -> Callable[[], object]:
    session = open_session(path, threads=threads)
    pixels = np.zeros((1, 3, CROP_PIXELS, CROP_PIXELS), dtype=np.float32)
    feeds = {name: pixels for name in session.inputs}
    return lambda: session.run(feeds)


@needs_extra("export")
def _peer_file() -> Path:
    """The peer's graph, exported once from its published weights."""
    if not PEER_FILE.is_file():
        from pixsearch.export.peers import export_efficientnet

        PEER_FILE.parent.mkdir(parents=True, exist_ok=True)
        export_efficientnet(PEER_FILE)
    return PEER_FILE


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
