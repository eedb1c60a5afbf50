"""Half precision for TensorRT: products in FP16 on tensor cores, what may overflow or cancel in FP32.

Normalisations, softmax and sums over axes stay in FP32, and in the language graph the residual stream and attention as
well: Gemma's residuals pass 65,504, and means of squares lose their small terms. Inputs and outputs stay FP32, so that
a device feeds the same arrays whatever the precision.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

from pixsearch.contract import graphs

PRODUCTS = frozenset({"Conv", "MatMul", "Gemm"})
# harmless between two convolutions, which then fuse; activations of the encoder are clipped to 0..6
BETWEEN_CONVOLUTIONS = frozenset({"Clip", "Relu", "Add", "AveragePool"})
CONVOLUTIONAL = frozenset({graphs.VISION, graphs.REGION})


def halve_graph(name: str, path: Path) -> None:
    """Convert one exported graph in place."""
    model = onnx.load(path)
    if name == graphs.LANGUAGE:
        _halve_weights(model.graph)
    else:
        halved = PRODUCTS | (BETWEEN_CONVOLUTIONS if name in CONVOLUTIONAL else frozenset())
        kept = {node.op_type for node in model.graph.node} - halved
        model = convert_float_to_float16(model, keep_io_types=True,
                                         op_block_list=sorted({*DEFAULT_OP_BLOCK_LIST, *kept}))
    onnx.save(model, path)


def _halve_weights(graph: onnx.GraphProto) -> None:
    """Matrices in FP16, their products with casts around them; embeddings in FP16, read and then cast.

    The converter that serves the other graphs leaves casts of shapes in this one, which TensorRT does not compile.
    """
    matrices = {tensor.name: tensor for tensor in graph.initializer
                if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2}
    halved: set[str] = set()
    for node in list(graph.node):
        if node.op_type == "Transpose" and node.input[0] in matrices:  # the head: the embeddings turned
            matrices[node.output[0]] = matrices[node.input[0]]
        elif node.op_type == "Gather" and node.input[0] in matrices:
            _cast_after(graph, node)
            halved.add(node.input[0])
        elif node.op_type == "MatMul" and node.input[1] in matrices:
            _cast_before(graph, node)
            _cast_after(graph, node)
            halved.add(matrices[node.input[1]].name)
    for tensor in graph.initializer:
        if tensor.name in halved:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    del graph.value_info[:]  # says float32 of what is not any more; shapes are inferred again where they are needed


def _cast_before(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    cast = helper.make_node("Cast", [node.input[0]], [f"{node.name}.half"], f"{node.name}.to_half",
                            to=TensorProto.FLOAT16)
    graph.node.insert(_place(graph, node), cast)
    node.input[0] = cast.output[0]


def _cast_after(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    cast = helper.make_node("Cast", [f"{node.name}.product"], [node.output[0]], f"{node.name}.to_float",
                            to=TensorProto.FLOAT)
    graph.node.insert(_place(graph, node) + 1, cast)
    node.output[0] = cast.input[0]


def _place(graph: onnx.GraphProto, node: onnx.NodeProto) -> int:
    return next(place for place, one in enumerate(graph.node) if one.name == node.name)
