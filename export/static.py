"""Static int8 for CPUs: the trunk's convolutions with int8 activations, whose ranges photographs give.

An output is measured behind its clipping, and the sums of residual blocks stay int8: ranges taken before ReLU6 are much
too wide. The first five convolutions are kept in float: alone they cost region vectors more than all others together.
Weights keep their int8 values, but in channels that are all but constant.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import CalibrationMethod

from pixsearch.export.calibration import Feeds, Reader

TRUNK = "trunk."  # in the names of its weights
FLOAT_FIRST = 5  # convolutions
BEHIND = ("Clip", "Add")  # what follows a convolution and stays int8
QUANTIZED = ["Conv", *BEHIND]


def static_trunk(path: Path, feeds: Sequence[Feeds]) -> onnx.ModelProto | None:
    """A vision or region graph with an int8 trunk, or None where it has no trunk of convolutions.

    feeds : inputs by name that the ranges are taken from
    """
    with tempfile.TemporaryDirectory() as folder:
        folded, target = Path(folder) / "folded.onnx", Path(folder) / "static.onnx"
        fold_weights(path, folded)
        chosen = trunk_nodes(onnx.load(folded))
        if not chosen:
            return None
        quantize_static(folded, target, Reader(feeds), quant_format=QuantFormat.QDQ,
                        op_types_to_quantize=QUANTIZED, nodes_to_quantize=chosen, per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                        calibrate_method=CalibrationMethod.MinMax)
        return onnx.load(target)


def fold_weights(path: Path, folded: Path, of: str = TRUNK) -> None:
    """Write a graph whose weights with `of` in their names are float32 constants again.

    `quantize.py` keeps them as int8 that is scaled before use.
    """
    model = onnx.load(path)
    graph = model.graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for name in [one.removesuffix(".int8") for one in stored if one.endswith(".int8") and of in one]:
        for node in [one for one in graph.node if one.output[0] in (f"{name}.float", name)]:
            graph.node.remove(node)
        weights = stored[f"{name}.int8"] * stored[f"{name}.scale"]
        graph.initializer.append(numpy_helper.from_array(weights.astype(np.float32), name))
    used = {name for node in graph.node for name in node.input}
    for tensor in [one for one in graph.initializer if one.name not in used]:
        graph.initializer.remove(tensor)
    onnx.save(model, folded)


def trunk_convolutions(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The trunk's, in its order."""
    return [node for node in model.graph.node if node.op_type == "Conv" and TRUNK in node.input[1]]


def trunk_nodes(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes to be quantized; none in a trunk of few convolutions."""
    convolutions = trunk_convolutions(model)[FLOAT_FIRST:]
    names, made = [node.name for node in convolutions], {node.output[0] for node in convolutions}
    constants = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in BEHIND and {one for one in node.input if one} - constants <= made:
            names.append(node.name)
            made.add(node.output[0])
    return names
