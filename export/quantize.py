"""Quantization for CPUs: int8 for pictures, 4-bit blocks and int8 for words.

| graph | how |
|---|---|
| vision, mask, region | weights: int8, one scale a channel; arithmetic in float32 |
| language | feed-forward and attention: 4-bit blocks; embeddings: int8 rows, also the head |
| text | int8 rows |
"""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

from pixsearch.contract import graphs

SMALLEST = 2_048  # weights in a tensor that are worth it
OUTPUT_AXIS = {"Conv": 0, "MatMul": 1, "Gemm": 1}
BLOCK = 64  # weights that share a 4-bit scale
FAST_INT8 = 4  # MatMulNBits accuracy level: int8 activations
# Weights that meet quantized activations are unsigned: with signed ones, CPUs with AVX2 alone add pairs of products in
# 16 bits, which overflow.
ZERO = 128


def quantize_graph(name: str, path: Path) -> None:
    """Quantize one exported graph in place."""
    if name == graphs.LANGUAGE:
        _quantize_language(path)
        return
    model = onnx.load(path)
    if name == graphs.TEXT:
        _gather_int8_rows(model, _table(model, "table.weight"))
    else:
        _int8_weights(model)
    onnx.save(model, path)


def _int8_weights(model: onnx.ModelProto) -> None:
    """Keep weights as int8 with one scale a channel of the output; they become float again when the graph is opened.

    Static int8 activations were tried and left: calibrated on scenes, dense region vectors of real photographs
    correlated below .6 with float32, for depthwise convolutions have channels of very different range.
    """
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer if np.prod(tensor.dims) >= SMALLEST}
    for node in list(graph.node):
        if node.op_type not in OUTPUT_AXIS or len(node.input) < 2 or node.input[1] not in weights:
            continue
        tensor = weights.pop(node.input[1])
        turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        _dequantize(graph, tensor, 0 if turned else OUTPUT_AXIS[node.op_type])


def _dequantize(graph: onnx.GraphProto, tensor: onnx.TensorProto, axis: int) -> None:
    values = numpy_helper.to_array(tensor)
    moved = np.moveaxis(values, axis, 0)
    int8, scales = int8_rows(moved.reshape(len(moved), -1))
    shape = [len(moved) if dimension == axis else 1 for dimension in range(values.ndim)]
    name = tensor.name
    graph.initializer.remove(tensor)
    graph.initializer.extend([
        numpy_helper.from_array(np.ascontiguousarray(np.moveaxis(int8.reshape(moved.shape), 0, axis)), f"{name}.int8"),
        numpy_helper.from_array(scales.reshape(shape), f"{name}.scale")])
    nodes = [helper.make_node("Cast", [f"{name}.int8"], [f"{name}.float"], to=TensorProto.FLOAT),
             helper.make_node("Mul", [f"{name}.float", f"{name}.scale"], [name])]
    for place, node in enumerate(nodes):
        graph.node.insert(place, node)


def _quantize_language(path: Path) -> None:
    """Feed-forward and attention to 4-bit blocks, embeddings to int8 rows."""
    model = onnx.load(path)
    weights = {tensor.name for tensor in model.graph.initializer}
    others = [node.name for node in model.graph.node if node.op_type == "MatMul" and node.input[1] not in weights]
    blocks = MatMulNBitsQuantizer(model, block_size=BLOCK, is_symmetric=False, accuracy_level=FAST_INT8,
                                  nodes_to_exclude=others)
    blocks.process()
    model = blocks.model.model
    table = _table(model, "language.embedding.weight")
    _share_with_head(model, table, _gather_int8_rows(model, table))
    onnx.save(model, path)


def _table(model: onnx.ModelProto, suffix: str) -> onnx.TensorProto:
    return next(tensor for tensor in model.graph.initializer if tensor.name.endswith(suffix))


def int8_rows(table: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Symmetric int8 with one scale a row: (rows, width) → values and scales (rows, 1)."""
    scales = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-8) / 127.0
    return np.rint(table / scales).astype(np.int8), scales.astype(np.float32)


def _gather_int8_rows(model: onnx.ModelProto, table: onnx.TensorProto) -> tuple[str, str]:
    """Read rows of an embedding table as int8 and scale them after; the table is kept transposed for the head.

    returns the names of the table (width, rows), uint8 around ZERO, and of its scales (rows,)
    """
    graph = model.graph
    node = next(node for node in graph.node if node.op_type == "Gather" and node.input[0] == table.name)
    values, scales = int8_rows(numpy_helper.to_array(table))
    stored, scale = f"{table.name}.uint8", f"{table.name}.scale"
    unsigned = (values.astype(np.int16) + ZERO).astype(np.uint8)
    graph.initializer.extend([numpy_helper.from_array(np.ascontiguousarray(unsigned.T), stored),
                              numpy_helper.from_array(scales[:, 0].copy(), scale),
                              numpy_helper.from_array(np.array(ZERO, np.float32), f"{stored}.zero")])
    output, ids = node.output[0], node.input[1]
    axes = f"{output}.axes"
    graph.initializer.append(numpy_helper.from_array(np.array([-1]), axes))
    replacement = [
        helper.make_node("Gather", [stored, ids], [f"{output}.columns"], axis=1),  # (width, 1, T)
        helper.make_node("Transpose", [f"{output}.columns"], [f"{output}.rows"], perm=[1, 2, 0]),
        helper.make_node("Cast", [f"{output}.rows"], [f"{output}.unsigned"], to=TensorProto.FLOAT),
        helper.make_node("Sub", [f"{output}.unsigned", f"{stored}.zero"], [f"{output}.float"]),
        helper.make_node("Gather", [scale, ids], [f"{output}.scales"], axis=0),  # (1, T)
        helper.make_node("Unsqueeze", [f"{output}.scales", axes], [f"{output}.scale"]),
        helper.make_node("Mul", [f"{output}.float", f"{output}.scale"], [output]),
    ]
    _replace(graph, node, replacement)
    if not any(table.name in other.input for other in graph.node):
        graph.initializer.remove(table)
    return stored, scale


def _share_with_head(model: onnx.ModelProto, table: onnx.TensorProto, shared: tuple[str, str]) -> None:
    """The output head multiplies with the same int8 table: activations are quantized on the way."""
    graph = model.graph
    turn = next(node for node in graph.node if node.op_type == "Transpose" and node.input[0] == table.name)
    head = next(node for node in graph.node if node.op_type == "MatMul" and node.input[1] == turn.output[0])
    output, (stored, scale) = head.output[0], shared
    graph.initializer.append(numpy_helper.from_array(np.array(ZERO, np.uint8), f"{stored}.zero_point"))
    replacement = [
        helper.make_node("DynamicQuantizeLinear", [head.input[0]],
                         [f"{output}.quantized", f"{output}.activation_scale", f"{output}.zero"]),
        helper.make_node("MatMulInteger", [f"{output}.quantized", stored, f"{output}.zero", f"{stored}.zero_point"],
                         [f"{output}.integer"]),
        helper.make_node("Cast", [f"{output}.integer"], [f"{output}.float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{output}.activation_scale", scale], [f"{output}.scale"]),
        helper.make_node("Mul", [f"{output}.float", f"{output}.scale"], [output]),
    ]
    _replace(graph, head, replacement)
    graph.node.remove(turn)
    graph.initializer.remove(next(tensor for tensor in graph.initializer if tensor.name == table.name))


def _replace(graph: onnx.GraphProto, node: onnx.NodeProto, replacement: list[onnx.NodeProto]) -> None:
    place = list(graph.node).index(node)
    graph.node.remove(node)
    for offset, new in enumerate(replacement):
        graph.node.insert(place + offset, new)
