"""Static int8 for TensorRT: symmetric quantize-dequantize pairs in the trunk, without quantized biases.

Calibrated on real frames. Which nodes: `static.py`. After a first pass with all of them, each convolution's error is
measured on the same frames, and those below LEAST_SQNR stay in float as well.
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

from pixsearch.export import static
from pixsearch.export.calibration import Feeds, Reader

LEAST_SQNR = 5.0  # dB: the noise of quantization, of all layers before as well, is half the signal
# what TensorRT reads: zero points of 0, and biases in float
SYMMETRIC = {"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False}


@dataclass(frozen=True)
class LayerError:
    """What int8 does to one convolution.

    sqnr : signal over quantization noise of its output in dB, all layers before it quantized as well; None for the
           first ones, which stay in float unmeasured
    kept : whether it stays in float
    """

    name: str
    sqnr: float | None
    kept: bool


def quantize_symmetric(path: Path, feeds: Sequence[Feeds], least_sqnr: float = LEAST_SQNR) -> list[LayerError]:
    """Quantize one exported graph in place; returns the error of each convolution, in the graph's order.

    feeds : inputs by name that the ranges are taken from. Raises ValueError without any.
    """
    if not feeds:
        raise ValueError("calibration needs at least one input")
    with tempfile.TemporaryDirectory() as folder:
        plain, every, chosen = (Path(folder) / f"{name}.onnx" for name in ("plain", "every", "chosen"))
        static.fold_weights(path, plain)
        nodes = static.trunk_nodes(onnx.load(plain))
        if not nodes:
            return []
        _quantize(plain, every, feeds, nodes, [])
        errors = _layer_errors(plain, every, feeds, Path(folder), least_sqnr)
        _quantize(plain, chosen, feeds, nodes, [error.name for error in errors if error.kept])
        path.write_bytes(chosen.read_bytes())
    return errors


def _quantize(source: Path, target: Path, feeds: Sequence[Feeds], nodes: list[str], kept: list[str]) -> None:
    quantize_static(source, target, Reader(feeds), quant_format=QuantFormat.QDQ, op_types_to_quantize=static.QUANTIZED,
                    nodes_to_quantize=nodes, per_channel=True, activation_type=QuantType.QInt8,
                    weight_type=QuantType.QInt8, nodes_to_exclude=kept, calibrate_method=CalibrationMethod.MinMax,
                    extra_options=SYMMETRIC)


def _layer_errors(plain: Path, quantized: Path, feeds: Sequence[Feeds], folder: Path, least: float
                  ) -> list[LayerError]:
    activations = []
    for number, source in enumerate((plain, quantized)):
        shown = folder / f"shown{number}.onnx"
        modify_model_output_intermediate_tensors(source, shown)
        activations.append(collect_activations(shown, Reader(feeds)))
    errors = compute_activation_error(create_activation_matching(activations[1], activations[0]))
    found = []
    for number, node in enumerate(static.trunk_convolutions(onnx.load(plain))):
        if number < static.FLOAT_FIRST:
            found.append(LayerError(node.name, None, True))
        elif measured := errors.get(node.output[0]):
            sqnr = float(np.mean(measured["xmodel_err"]))
            found.append(LayerError(node.name, sqnr, sqnr < least))
    return found
