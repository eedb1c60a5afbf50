"""A bundle's float32 twin: the same weights, with arithmetic in float32 throughout.

Where the trained float32 weights are not at hand, it shows what quantized arithmetic costs. What rounding the weights
themselves costs it shows only for those whose float32 originals are given; the others are the rounded ones.

| quantized | in the twin |
|---|---|
| MatMulNBits (4 or 8-bit blocks) | MatMul with the same weights in float32 |
| DynamicQuantizeLinear, MatMulInteger | MatMul of activations as they are |
| QuantizeLinear, DequantizeLinear around activations | left out |
| int8 weights that are scaled before use | stay: that is float32 arithmetic already |
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from pixsearch.contract import graphs
from pixsearch.contract.files import atomic_directory, read_manifest, write_manifest

LEFT = {"MatMulNBits", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger", "QLinearConv", "QLinearMatMul",
        "QuantizeLinear"}  # none may be in a twin
HALF_A_STEP = 0.51
Constants = dict[str, TensorProto]


def float_twin(model: onnx.ModelProto) -> onnx.ModelProto:
    """A graph with float32 arithmetic; the one given stays. Raises ValueError for an operation it knows no form of."""
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    graph = twin.graph
    constants = {one.name: one for one in graph.initializer}
    quantized = {node.output[0] for node in graph.node if node.op_type == "QuantizeLinear"}
    nodes: list[NodeProto] = []
    for node in graph.node:
        rule = RULES.get(node.op_type)
        if node.op_type == "DequantizeLinear" and node.input[0] in quantized:
            nodes.append(helper.make_node("Identity", [node.input[0]], [node.output[0]]))
        else:
            nodes += rule(node, constants) if rule else [node]
    if left := sorted({node.op_type for node in nodes} & LEFT):
        raise ValueError(f"no float32 form is known of {', '.join(left)}")
    used = {name for node in nodes for name in node.input} | {one.name for one in graph.output}
    for field, kept in ((graph.node, nodes), (graph.initializer, [constants[one] for one in constants if one in used])):
        del field[:]
        field.extend(kept)
    onnx.checker.check_model(twin)
    return twin


def restore(model: onnx.ModelProto, originals: Mapping[str, NDArray[np.float32]]) -> int:
    """Put float32 originals, by the end of their name, where their rounded form is; returns how many.

    Only one that rounds to what the graph holds is its original.
    """
    graph, found = model.graph, 0
    constants = {one.name: one for one in graph.initializer}
    for name in [one.removesuffix(".int8") for one in constants if one.endswith(".int8")]:
        original = next((value for key, value in originals.items() if name.endswith(key)), None)
        if original is None or f"{name}.scale" not in constants:
            continue
        values, scale = (numpy_helper.to_array(constants[f"{name}.{part}"]) for part in ("int8", "scale"))
        if values.shape == original.shape and (np.abs(values * scale - original) <= scale * HALF_A_STEP).all():
            for node in [one for one in graph.node if one.output[0] in (name, f"{name}.float")]:
                graph.node.remove(node)
            graph.initializer.append(numpy_helper.from_array(original, name))
            found += 1
    return found


def write_twin(bundle: Path, folder: Path, originals: Mapping[str, NDArray[np.float32]] | None = None) -> Path:
    """Write the twin of a bundle, whole or not at all; packs of one can be mounted with the other.

    originals : float32 weights by the end of their name; how many were used stands in the manifest under "restored"
    """
    manifest = {key: value for key, value in read_manifest(bundle, "bundle").items() if key != "files"}
    restored = {}
    with atomic_directory(folder) as new:
        for name in graphs.GRAPHS:
            model = onnx.load(bundle / graphs.graph_file(name))
            restored[name] = restore(model, originals or {})
            onnx.save(float_twin(model), new / graphs.graph_file(name))
        shutil.copyfile(bundle / graphs.TOKENIZER_FILE, new / graphs.TOKENIZER_FILE)
        write_manifest(new, manifest | {"name": f"{manifest['name']}-float32-twin", "precision": "fp32",
                                        "target": graphs.ONNX_TARGET, "restored": restored})
    return folder


def unpacked_blocks(node: NodeProto, constants: Constants) -> NDArray[np.float32]:
    """Weights of a MatMulNBits node, float32 (K, N): blocks along K share a scale and a zero point."""
    sizes = {one.name: one.i for one in node.attribute}
    bits, block, inner, outer = (sizes[name] for name in ("bits", "block_size", "K", "N"))
    packed, scales, *zeros = (numpy_helper.to_array(constants[name]) for name in node.input[1:4] if name)
    count = packed.shape[1]  # blocks in a column
    codes = _unpacked(packed.reshape(outer, count, -1), bits)[..., :block].astype(np.float32)  # (N, blocks, block)
    zero = _unpacked(zeros[0].reshape(outer, -1), bits)[:, :count] if zeros else np.full((outer, count), 1 << bits - 1)
    weights = (codes - zero[..., None].astype(np.float32)) * scales.reshape(outer, count, 1)
    return np.ascontiguousarray(weights.reshape(outer, -1)[:, :inner].T.astype(np.float32))


def _unpacked(packed: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Whole bytes, or two numbers a byte, the low half first."""
    if bits == 8:
        return packed
    return np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:-1], -1)


def _blocks(node: NodeProto, constants: Constants) -> list[NodeProto]:
    weights = _keep(constants, f"{node.input[1]}.float", unpacked_blocks(node, constants))
    return [helper.make_node("MatMul", [node.input[0], weights], [node.output[0]], name=node.name)]


def _dynamic(node: NodeProto, constants: Constants) -> list[NodeProto]:
    """Activations stay; what follows finds a scale of 1 and a zero point of 0."""
    values, scale, zero = node.output
    _keep(constants, scale, np.array(1, np.float32))
    _keep(constants, zero, np.array(0, np.float32))
    return [helper.make_node("Identity", [node.input[0]], [values])]


def _integer(node: NodeProto, constants: Constants) -> list[NodeProto]:
    """The product's second factor is a weight; its first one, activations that `_dynamic` left as they are."""
    left, right, *zeros = node.input
    table = numpy_helper.to_array(constants[right]).astype(np.float32)
    if len(zeros) > 1:
        table = table - numpy_helper.to_array(constants[zeros[1]]).astype(np.float32)
    return [helper.make_node("MatMul", [left, _keep(constants, f"{right}.float", table)], [node.output[0]])]


def _nothing(node: NodeProto, constants: Constants) -> list[NodeProto]:
    return [helper.make_node("Identity", [node.input[0]], [node.output[0]])]


def _keep(constants: Constants, name: str, values: NDArray[Any]) -> str:
    constants[name] = numpy_helper.from_array(values, name)
    return name


RULES: dict[str, Callable[[NodeProto, Constants], list[NodeProto]]] = {
    "MatMulNBits": _blocks, "DynamicQuantizeLinear": _dynamic, "MatMulInteger": _integer, "QuantizeLinear": _nothing}
