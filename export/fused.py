"""The language graph once more, in fewer and larger kernels of ONNX Runtime, for CPUs.

What torch exports has some ninety small operations a layer, and copies the whole key-value cache several times a token.
Here a layer is four matrix products and some fifteen kernels; com.microsoft's GroupQueryAttention turns queries and
keys, and writes into the cache where it lies. The weights are those of the plain graph.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from pixsearch.contract import graphs
from pixsearch.model.language import GLOBAL_ROTARY_BASE, LOCAL_ROTARY_BASE, NORM_EPSILON
from pixsearch.model.sizes import Size

MICROSOFT = "com.microsoft"
# of a layer, in the order of their nodes
LINEARS = ("q", "k", "v", "o", "gate", "up", "down")
NORMS = ("before_attention", "q_norm", "k_norm", "after_attention", "before_feed", "after_feed")


def fused_language(plain: onnx.ModelProto, size: Size, context: int) -> onnx.ModelProto:
    """The fused form of an exported language graph whose linear layers are in blocks of few bits.

    context : how many tokens the cache has room for
    Raises ValueError for a graph of another build.
    """
    return _Fusion(plain, size, context).model()


@dataclass
class _Fusion:
    plain: onnx.ModelProto
    size: Size
    context: int
    nodes: list[NodeProto] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.makers = {output: node for node in self.plain.graph.node for output in node.output}
        self.copied: set[int] = set()  # ids of nodes
        self.constants = {one.name: one for one in self.plain.graph.initializer}
        self.linears = [node for node in self.plain.graph.node if node.op_type == "MatMulNBits"]
        self.readers = {name: node for node in self.plain.graph.node for name in node.input}
        # RMSNorm: a mean of squares, its reciprocal root times x, and that times the weights
        self.norms = [self._weights(self.readers[node.output[0]]) for node in self.plain.graph.node
                      if node.op_type == "Reciprocal"]
        size = self.size
        wanted = [size.heads * size.head_width, *[size.kv_heads * size.head_width] * 2, size.width,
                  *[size.feed_forward] * 2, size.width] * len(size.layers)
        if [_attribute(node, "N") for node in self.linears] != wanted or len(self.norms) != len(NORMS) * len(
                size.layers) + 1:
            raise ValueError(f"no language graph of {size.name} in blocks of few bits")

    def model(self) -> onnx.ModelProto:
        """The whole graph."""
        embedded = next(node.input[0] for node in self.plain.graph.node if node.op_type == "Pow")
        self._copy(embedded)
        self._constants()
        x, more = embedded, ""
        for number in range(len(self.size.layers)):
            x, more = self._layer(number, x, more)
        self._add("SkipSimplifiedLayerNormalization", [x, more, self.norms[-1]], ["hidden"], MICROSOFT,
                  epsilon=NORM_EPSILON)
        self._copy("logits", until="hidden")
        used = {name for node in self.nodes for name in node.input}
        graph = helper.make_graph(self.nodes, "language", *self._signature(),
                                  [tensor for name, tensor in self.constants.items() if name in used])
        return helper.make_model(graph, opset_imports=self.plain.opset_import, ir_version=self.plain.ir_version)

    def _layer(self, number: int, x: str, more: str) -> tuple[str, str]:
        """One layer; x and what is still to be added to it (nothing before the first), and the same after it."""
        q, k, v, o, gate, up, down = self.linears[len(LINEARS) * number:len(LINEARS) * (number + 1)]
        norm = dict(zip(NORMS, self.norms[len(NORMS) * number:], strict=False))
        at = f"layer{number}"
        if more:
            x, inner = self._sum(x, more, norm["before_attention"], f"{at}.attention")
        else:
            inner = self._norm(x, norm["before_attention"], f"{at}.attention")
        queries, keys, values = self._together((q, k, v), inner, at, ("q", "k", "v"))
        queries, keys = self._heads(queries, "q", norm["q_norm"]), self._heads(keys, "k", norm["k_norm"])
        turn = "global" if number in self.size.full_attention else "local"
        cache = [f"{part}.{number}" for part in graphs.CACHE_PARTS]
        mixed = self._add(
            "GroupQueryAttention",
            [queries, keys, values, *(f"past_{name}" for name in cache), "last", "total", f"{turn}.cos", f"{turn}.sin"],
            [f"{at}.mixed", *cache], MICROSOFT, num_heads=self.size.heads, kv_num_heads=self.size.kv_heads,
            scale=self.size.head_width ** -0.5, do_rotary=1)
        attended = self._norm(self._linear(o, mixed, f"{at}.o"), norm["after_attention"], f"{at}.attended")
        x, inner = self._sum(x, attended, norm["before_feed"], f"{at}.feed")
        opening, passing = self._together((gate, up), inner, at, ("gate", "up"))
        gated = self._add("FastGelu", [opening], [f"{at}.gelu"], MICROSOFT)
        product = self._add("Mul", [gated, passing], [f"{at}.product"])
        return x, self._norm(self._linear(down, product, f"{at}.down"), norm["after_feed"], f"{at}.fed")

    def _constants(self) -> None:
        size = self.size
        for name, heads in (("q", size.heads), ("k", size.kv_heads)):
            self._constant(f"{name}.heads", np.array([1, -1, heads, size.head_width], np.int64))
            self._constant(f"{name}.flat", np.array([1, -1, heads * size.head_width], np.int64))
        self._constant("positions", np.arange(self.context, dtype=np.float32)[:, None])
        exponents = np.arange(0, size.head_width, 2, dtype=np.float32) / size.head_width
        for name, base in (("local", LOCAL_ROTARY_BASE), ("global", GLOBAL_ROTARY_BASE)):  # folded when it is opened
            self._constant(f"{name}.frequencies", np.float32(base) ** -exponents[None])
            angles = self._add("Mul", ["positions", f"{name}.frequencies"], [f"{name}.angles"])
            self._add("Cos", [angles], [f"{name}.cos"])
            self._add("Sin", [angles], [f"{name}.sin"])

    def _signature(self) -> tuple[list[onnx.ValueInfoProto], list[onnx.ValueInfoProto]]:
        inputs = [one for one in self.plain.graph.input if one.name in ("ids", "image_tokens")]
        outputs = [one for one in self.plain.graph.output if one.name in ("logits", "hidden")]
        inputs += [helper.make_tensor_value_info(name, TensorProto.INT32, [1]) for name in ("last", "total")]
        room = [1, self.size.kv_heads, self.context, self.size.head_width]
        for number in range(len(self.size.layers)):
            for kind in graphs.CACHE_PARTS:
                inputs.append(helper.make_tensor_value_info(f"past_{kind}.{number}", TensorProto.FLOAT, room))
                outputs.append(helper.make_tensor_value_info(f"{kind}.{number}", TensorProto.FLOAT, room))
        return inputs, outputs

    def _copy(self, name: str, until: str = "") -> None:
        """The plain graph's nodes that make a value, from what is there already or `until` on."""
        if name == until or (node := self.makers.get(name)) is None or id(node) in self.copied:
            return
        self.copied.add(id(node))
        for needed in node.input:
            self._copy(needed, until)
        self.nodes.append(node)

    def _weights(self, scaled: NodeProto) -> str:
        """What a norm's scaled x is multiplied with."""
        times = self.readers[scaled.output[0]]
        return next(name for name in times.input if name in self.constants)

    def _linear(self, node: NodeProto, x: str, output: str) -> str:
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.input[0], copy.output[0] = x, output
        self.nodes.append(copy)
        return output

    def _together(self, nodes: Sequence[NodeProto], x: str, at: str, names: Sequence[str]) -> list[str]:
        """Products of one x as one product; its weights are put together when the graph is opened."""
        whole, together = NodeProto(), "+".join(names)
        whole.CopyFrom(nodes[0])
        whole.input[0], whole.output[0] = x, f"{at}.{together}"
        for place in range(1, len(whole.input)):
            whole.input[place] = self._add("Concat", [node.input[place] for node in nodes],
                                           [f"{at}.{together}.{place}"], axis=0)
        widths = [_attribute(node, "N") for node in nodes]
        next(one for one in whole.attribute if one.name == "N").i = sum(widths)
        self.nodes.append(whole)
        self._constant(f"{together}.widths", np.array(widths, np.int64))
        outputs = [f"{at}.{name}" for name in names]
        self._add("Split", [whole.output[0], f"{together}.widths"], outputs, axis=-1)
        return outputs

    def _norm(self, x: str, weight: str, output: str) -> str:
        return self._add("SimplifiedLayerNormalization", [x, weight], [output], axis=-1, epsilon=NORM_EPSILON)

    def _sum(self, x: str, more: str, weight: str, output: str) -> tuple[str, str]:
        """The sum of both, and its norm."""
        self._add("SkipSimplifiedLayerNormalization", [x, more, weight], [output, "", "", f"{output}.sum"], MICROSOFT,
                  epsilon=NORM_EPSILON)
        return f"{output}.sum", output

    def _heads(self, x: str, name: str, weight: str) -> str:
        """Every head by itself brought to the same size."""
        split = self._add("Reshape", [x, f"{name}.heads"], [f"{x}.heads"])
        return self._add("Reshape", [self._norm(split, weight, f"{x}.norm"), f"{name}.flat"], [f"{x}.flat"])

    def _add(self, operation: str, inputs: list[str], outputs: list[str], domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operation, inputs, outputs, domain=domain, **attributes))
        return outputs[0]

    def _constant(self, name: str, values: NDArray[Any]) -> None:
        self.constants[name] = numpy_helper.from_array(values, name)


def _attribute(node: NodeProto, name: str) -> int:
    return next(one.i for one in node.attribute if one.name == name)
