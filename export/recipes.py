"""What becomes of an exported graph: one recipe for each target and precision.

| target | precision | pictures (vision, region) | mask | words (language, text) |
|---|---|---|---|---|
| onnx | fp32 | float32 | float32 | float32 |
| onnx | int8 | int8 weights | int8 weights | 4-bit blocks, int8 rows (`quantize.py`) |
| tensorrt | fp32 | float32 | float32 | float32 |
| tensorrt | fp16 | FP16 products | FP16 products | FP16 products (`half.py`) |
| tensorrt | int8 | static symmetric int8 (`qdq.py`) | FP16 products | FP16 products |
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pixsearch.contract import graphs
from pixsearch.contract.faults import Fault
from pixsearch.contract.images import Pixels
from pixsearch.export.calibration import feeds_of
from pixsearch.export.half import halve_graph
from pixsearch.export.qdq import quantize_symmetric
from pixsearch.export.quantize import quantize_graph

Notes = dict[str, Any]  # about one graph, for the manifest
Recipe = Callable[[str, Path, Sequence[Pixels]], Notes]


def _as_it_is(name: str, path: Path, frames: Sequence[Pixels]) -> Notes:
    return {}


def _for_cpus(name: str, path: Path, frames: Sequence[Pixels]) -> Notes:
    quantize_graph(name, path)
    return {}


def _half(name: str, path: Path, frames: Sequence[Pixels]) -> Notes:
    halve_graph(name, path)
    return {}


def _static_int8(name: str, path: Path, frames: Sequence[Pixels]) -> Notes:
    if name not in (graphs.VISION, graphs.REGION):
        return _half(name, path, frames)
    if not frames:
        raise Fault("static int8", expected="frames to calibrate with", actual="none",
                    remedy="name photographs with --calibrate")
    logging.getLogger().setLevel(logging.ERROR)  # the quantizer advises a preparation that exported graphs do not need
    errors = quantize_symmetric(path, feeds_of(name, frames))
    return {"sqnr_db": {error.name: round(error.sqnr, 1) for error in errors if error.sqnr is not None},
            "kept_in_float": [error.name for error in errors if error.kept]}


RECIPES: dict[tuple[str, str], Recipe] = {
    (graphs.ONNX_TARGET, "fp32"): _as_it_is,
    (graphs.ONNX_TARGET, "int8"): _for_cpus,
    (graphs.TENSORRT_TARGET, "fp32"): _as_it_is,
    (graphs.TENSORRT_TARGET, "fp16"): _half,
    (graphs.TENSORRT_TARGET, "int8"): _static_int8,
}
