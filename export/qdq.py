"""Static int8 for TensorRT: symmetric quantize-dequantize pairs around convolutions, without quantized biases.

Calibrated on real frames. Convolutions whose outputs would move too far are kept in float: after a first pass with all
of them, each one's error is measured on the same frames, and those below LEAST_SQNR stay as they are. Depthwise
convolutions with channels of very different range are the usual ones.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import CalibrationMethod
from onnxruntime.quantization.qdq_loss_debug import (
    collect_activations,
    compute_activation_error,
    create_activation_matching,
    modify_model_output_intermediate_tensors,
)

from pixsearch.export.calibration import Feeds, Reader

LEAST_SQNR = 20.0  # dB: the noise of quantization is a tenth of the signal
# what TensorRT reads: zero points of 0, and biases in float
SYMMETRIC = {"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False}
QUANTIZED = ["Conv"]


@dataclass(frozen=True)
class LayerError:
    """What int8 does to one convolution.

    sqnr : signal over quantization noise of its output in dB, all layers before it quantized as well
    kept : whether it stays in float for that
    """

    name: str
    sqnr: float
    kept: bool


def quantize_symmetric(path: Path, feeds: Sequence[Feeds], least_sqnr: float = LEAST_SQNR) -> list[LayerError]:
    """Quantize one exported graph in place; returns the error of each convolution, in the graph's order.

    feeds : inputs by name that the ranges are taken from. Raises ValueError without any.
    """
    if not feeds:
        raise ValueError("calibration needs at least one input")
    with tempfile.TemporaryDirectory() as folder:
        every = Path(folder) / "every.onnx"
        _quantize(path, every, feeds, [])
        errors = _layer_errors(path, every, feeds, Path(folder), least_sqnr)
        chosen = Path(folder) / "chosen.onnx"
        _quantize(path, chosen, feeds, [error.name for error in errors if error.kept])
        path.write_bytes(chosen.read_bytes())
    return errors


def _quantize(source: Path, target: Path, feeds: Sequence[Feeds], kept: list[str]) -> None:
    quantize_static(source, target, Reader(feeds), quant_format=QuantFormat.QDQ, op_types_to_quantize=QUANTIZED,
                    per_channel=True, activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
                    nodes_to_exclude=kept, calibrate_method=CalibrationMethod.MinMax, extra_options=SYMMETRIC)


def _layer_errors(plain: Path, quantized: Path, feeds: Sequence[Feeds], folder: Path, least: float
                  ) -> list[LayerError]:
    activations = []
    for number, source in enumerate((plain, quantized)):
        shown = folder / f"shown{number}.onnx"
        modify_model_output_intermediate_tensors(source, shown)
        activations.append(collect_activations(shown, Reader(feeds)))
    errors = compute_activation_error(create_activation_matching(activations[1], activations[0]))
    found = []
    for node in onnx.load(plain).graph.node:
        if node.op_type in QUANTIZED and (measured := errors.get(node.output[0])):
            sqnr = float(np.mean(measured["xmodel_err"]))
            found.append(LayerError(node.name, sqnr, sqnr < least))
    return found
