"""`python -m pixsearch.apps.boards -o docs/boards.md`: what stages would take on Jetson boards, predicted from counts.

Operations and bytes are counted from the shipped graphs, node by node, as they run here. A stage takes as long as the
slower of its sums and its bytes, plus a launch for each kernel (the roofline model of Williams et al., 2009).
"""

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import click
import jinja2
import numpy as np
import onnxruntime

from pixsearch.apps.console import PATH
from pixsearch.apps.floors import MS, floor_ms, machine, measure_rates
from pixsearch.contract import graphs
from pixsearch.contract.files import read_manifest, write_atomic
from pixsearch.edge.bundle import DEFAULT_FOLDER

PRODUCTS = {"Conv", "Gemm", "MatMul", "MatMulNBits"}  # what TensorRT runs as kernels; it fuses the rest into them
WHOLE = {graphs.VISION, graphs.REGION}  # in int8 sums with int8 weights on boards; the others in FP16
PROMPT, EVIDENCE, WRITTEN, PAST = 64, 64, 24, 128  # tokens of a question, what a search forces, of words, read before
TIMES = 5  # runs here, of which the best counts
TEMPLATE = "boards.md.j2"


@dataclass(frozen=True)
class Board:
    """As its maker states it, without sparsity and without accelerators beside the GPU.

    int8, fp16 : 10¹² operations a second (a multiply-add is two); bandwidth : GB/s; source : where it is stated
    """

    name: str
    int8: float
    fp16: float
    bandwidth: float
    source: str


@dataclass(frozen=True)
class Use:
    """What small graphs, one at a time, reach of that, and what starting a kernel takes."""

    bandwidth: float = 0.6
    sums: float = 0.25
    launch_us: float = 8.0


@dataclass(frozen=True)
class Work:
    """Of one run of a graph. weights, activations : elements that are read, or written and read"""

    multiply_adds: int
    weights: int
    activations: int
    kernels: int

    def ms(self, board: Board, whole: bool, use: Use) -> float:
        """Predicted milliseconds. whole : in int8, else in FP16"""
        element = 1 if whole else 2
        moved = element * (self.weights + 2 * self.activations)
        sums = 2 * self.multiply_adds / (1e12 * use.sums * (board.int8 if whole else board.fp16))
        return MS * max(sums, moved / (1e9 * use.bandwidth * board.bandwidth)) + self.kernels * use.launch_us / MS


BOARDS = (
    Board("Orin Nano 8 GB, Super", 33.5, 16.7, 102.0, "67 sparse TOPS, 102 GB/s: data sheet of the developer kit"),
    Board("Orin NX 16 GB", 30.0, 15.0, 102.4, "60 of 100 sparse TOPS are the GPU's: data sheet"),
    Board("AGX Orin 64 GB", 85.0, 42.5, 204.8, "170 of 275 sparse TOPS are the GPU's: technical brief"),
    Board("Thor T5000", 517.0, 258.0, 273.0, "1,035 sparse FP8 TFLOPS: data sheet; int8 taken as FP8"),
)
STAGES = {  # a graph, and the lengths of its open axes
    "frame encoded": (graphs.VISION, {}),
    "question read": (graphs.LANGUAGE, {"T": PROMPT, "P": 0}),
    "evidence read": (graphs.LANGUAGE, {"T": EVIDENCE, "P": PAST}),
    "a token written": (graphs.LANGUAGE, {"T": 1, "P": PAST}),
    "mask": (graphs.MASK, {}),
    "region vector": (graphs.REGION, {}),
}
QUESTION = {name: WRITTEN if name == "a token written" else 1 for name in STAGES}  # runs for one with a region search


@dataclass(frozen=True)
class Row:
    """One stage, milliseconds: here, the floor of float32 here, and predicted for each board."""

    name: str
    work: Work
    here: float
    floor: float
    boards: list[float]


def run_counted(file: Path, feeds: Mapping[str, np.ndarray]) -> tuple[Work, float]:
    """Operations and bytes of one run, from the shapes that the runtime notes, and the best milliseconds here."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "run")
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # as written, not fused
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        session.run(None, dict(feeds))
        events = json.loads(Path(session.end_profiling()).read_text())
    plain = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return count(events), min(_ms(plain, feeds) for _ in range(TIMES))


def _ms(session: onnxruntime.InferenceSession, feeds: Mapping[str, np.ndarray]) -> float:
    started = time.perf_counter()
    session.run(None, dict(feeds))
    return MS * (time.perf_counter() - started)


def count(events: list[dict[str, Any]]) -> Work:
    """From a profile of ONNX Runtime: each product of a kernel is one event with its shapes."""
    multiply_adds = weights = activations = kernels = 0
    for event in events:
        arguments = event.get("args", {})
        if event.get("cat") != "Node" or arguments.get("op_name") not in PRODUCTS:
            continue
        operator, left, *others = arguments["op_name"], *map(_shape, arguments["input_type_shape"])
        out = _shape(arguments["output_type_shape"][0])
        packed = operator == "MatMulNBits" or not others  # a matrix that the runtime keeps in a form of its own
        right = [left[-1], out[-1]] if packed else others[0]
        multiply_adds += prod(out) * (prod(right[1:]) if operator == "Conv" else left[-1])
        activations += prod(out)
        if operator == "MatMul" and len(right) > 2:  # of two activations
            activations += prod(right)
        else:
            weights += prod(right)
        kernels += 1
    return Work(multiply_adds, weights, activations, kernels)


def _shape(described: Mapping[str, list[int]]) -> list[int]:
    (shape,) = described.values()
    return shape


def _feeds(described: Mapping[str, list[Any]], lengths: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Inputs of ones: what is counted, and the time, do not depend on values."""
    return {name: np.ones([lengths.get(axis, axis) for axis in shape], np.int64 if name == "ids" else np.float32)
            for name, shape in described.items()}


def page(bundle: Path, note: str, use: Use | None = None) -> str:
    """The page as Markdown."""
    use, rates = use or Use(), measure_rates()
    described = read_manifest(bundle, "bundle")["graphs"]
    rows = []
    for stage, (name, lengths) in STAGES.items():
        work, here = run_counted(bundle / graphs.graph_file(name), _feeds(described[name]["inputs"], lengths))
        rows.append(Row(stage, work, here, floor_ms(rates, 4 * work.weights, work.multiply_adds),
                        [work.ms(board, name in WHOLE, use) for board in BOARDS]))
    whole = [sum(QUESTION[row.name] * row.boards[place] for row in rows) for place in range(len(BOARDS))]
    here = sum(QUESTION[row.name] * row.here for row in rows)
    environment = jinja2.Environment(loader=jinja2.PackageLoader("pixsearch.apps"), keep_trailing_newline=True,
                                     trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(TEMPLATE).render(
        rows=rows, whole=whole, here=here, boards=BOARDS, use=use, prompt=PROMPT, evidence=EVIDENCE, written=WRITTEN,
        past=PAST, machine=", ".join(filter(None, (machine(), note))), bundle=bundle.name)


@click.command()
@click.option("-o", "--output", type=PATH, default=Path("docs/boards.md"), show_default=True)
@click.option("--bundle", type=PATH, default=DEFAULT_FOLDER, help="The bundle that is counted.")
@click.option("--note", default="", help="What the page says of this machine besides, such as the commit.")
def main(output: Path, bundle: Path, note: str) -> None:
    """Count the graphs of a bundle, and write the page."""
    write_atomic(output, page(bundle, note).encode())


if __name__ == "__main__":
    main(prog_name="python -m pixsearch.apps.boards")
