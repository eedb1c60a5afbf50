"""The parts of a model as the graphs that a device runs (signatures: `contract/graphs.py`)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from pixsearch.contract import graphs
from pixsearch.contract.looks import LOOKS
from pixsearch.contract.preprocess import CROP_CELLS, CROP_PIXELS, FRAME_PIXELS, MASK_PIXELS
from pixsearch.contract.tokenizer import MAX_WORDS
from pixsearch.model.language import Cache
from pixsearch.model.masks import Prompts
from pixsearch.model.network import PixSearch

OPSET = 18


class VisionGraph(nn.Module):
    """Frame → image tokens, mask features and dense region vectors."""

    def __init__(self, model: PixSearch) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        return self.model.see(self.model.look(pixels))


class LanguageGraph(nn.Module):
    """Prefill and step in one: new ids and the cache → logits of the last position, hidden states, grown cache."""

    def __init__(self, model: PixSearch) -> None:
        super().__init__()
        self.language = model.language

    def forward(self, ids: Tensor, image_tokens: Tensor, past_keys: Tensor, past_values: Tensor
                ) -> tuple[Tensor, ...]:
        past = Cache(past_keys[:, None], past_values[:, None])
        hidden, cache = self.language(self.language.embed(ids, image_tokens), past)
        return self.language.logits(hidden[:, -1]), hidden, cache.keys[:, 0], cache.values[:, 0]


class MaskGraph(nn.Module):
    """Words, features and prompts → tags, the last span, its mask and the mask's predicted IoU."""

    def __init__(self, model: PixSearch) -> None:
        super().__init__()
        self.model = model

    def forward(self, hidden: Tensor, hidden_mask: Tensor, detail: Tensor, context: Tensor, dense: Tensor,
                point: Tensor, box: Tensor, previous: Tensor, looks: Tensor) -> tuple[Tensor, ...]:
        prompts = Prompts(point, box, previous, looks)
        return self.model.segment(hidden, hidden_mask, detail, context, dense, prompts)


class RegionGraph(nn.Module):
    """Crop and pooling weights → unit vector."""

    def __init__(self, model: PixSearch) -> None:
        super().__init__()
        self.trunk, self.region = model.trunk, model.region

    def forward(self, pixels: Tensor, weights: Tensor) -> Tensor:
        return self.region.pool(self.trunk(pixels), weights)


def _name_shapes(path: Path, outputs: Sequence[Tensor]) -> None:
    """Say in a traced graph what shapes its outputs have, which the tracer forgets behind a concatenation."""
    model = onnx.load(path)
    for described, tensor in zip(model.graph.output, outputs, strict=True):
        for dimension, length in zip(described.type.tensor_type.shape.dim, tensor.shape, strict=True):
            dimension.dim_value = length
    onnx.save(model, path)


@contextmanager
def plain_attention(module: nn.Module) -> Iterator[None]:
    """Have all parts from transformers attend by plain matrix products, which every exporter knows."""
    configs: list[Any] = [part.config for part in module.modules() if hasattr(part, "config")]
    before = [config._attn_implementation for config in configs]
    for config in configs:
        config._attn_implementation = "eager"
    yield
    for config, name in zip(configs, before, strict=True):
        config._attn_implementation = name


@dataclass(frozen=True)
class Graph:
    """One graph to export: a module, example inputs by name, and the dynamic dimensions of inputs."""

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]
    dynamic: dict[str, dict[int, Dim]]
    traced: bool = False  # by running it once: towers of families count patches in Python as they go

    def export(self, path: Path) -> None:
        """Write the graph as ONNX."""
        names, outputs = graphs.SIGNATURES[self.name]
        shapes = {name: self.dynamic.get(name, {}) for name in names} if self.dynamic else None
        if self.traced:
            with plain_attention(self.module):
                torch.onnx.export(self.module.eval(), tuple(self.inputs[name] for name in names), str(path),
                                  input_names=list(names), output_names=list(outputs), opset_version=OPSET,
                                  dynamo=False)
            _name_shapes(path, self.module(*(self.inputs[name] for name in names)))
            return
        program = torch.onnx.export(
            self.module.eval(), tuple(self.inputs[name] for name in names), input_names=list(names),
            output_names=list(outputs), opset_version=OPSET, dynamo=True, external_data=False, verbose=False,
            dynamic_shapes=tuple(shapes.values()) if shapes else None)
        assert program is not None
        program.save(str(path))


def example_inputs(model: PixSearch, name: str, generator: torch.Generator, length: int = 7, past: int = 5
                   ) -> dict[str, Tensor]:
    """Random inputs of a graph; `length` new tokens after `past` earlier ones."""
    size = model.size

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    def ids(count: int) -> Tensor:
        return torch.randint(11, model.language.vocabulary, (1, count), generator=generator)

    cells = noise(1, 1, CROP_CELLS, CROP_CELLS).abs()
    valid = (torch.arange(graphs.SPAN_TOKENS) < 6).float()[None]
    cache = (len(size.layers), size.kv_heads, past, size.head_width)
    dense = noise(1, size.region, FRAME_PIXELS // 32, FRAME_PIXELS // 32)
    return {
        graphs.VISION: lambda: {"pixels": noise(1, 3, FRAME_PIXELS, FRAME_PIXELS)},
        graphs.LANGUAGE: lambda: {"ids": ids(length), "image_tokens": noise(1, size.image_tokens, size.image_width),
                                  "past_keys": noise(*cache), "past_values": noise(*cache)},
        graphs.MASK: lambda: {
            "hidden": noise(1, graphs.SPAN_TOKENS, size.width) * valid[..., None], "hidden_mask": valid,
            "detail": noise(1, size.detail, MASK_PIXELS, MASK_PIXELS),
            "context": noise(1, size.context, MASK_PIXELS // 4, MASK_PIXELS // 4),
            "dense": torch.nn.functional.normalize(dense, dim=1), "point": torch.tensor([[0.4, 0.6, 1.0]]),
            "box": torch.zeros(1, 5), "previous": torch.zeros(1, 1, MASK_PIXELS, MASK_PIXELS),
            "looks": torch.nn.functional.normalize(noise(1, LOOKS, size.region), dim=-1)},
        graphs.REGION: lambda: {"pixels": noise(1, 3, CROP_PIXELS, CROP_PIXELS), "weights": cells / cells.sum()},
        graphs.TEXT: lambda: {"ids": ids(length)},
    }[name]()


def model_graphs(model: PixSearch) -> Iterator[Graph]:
    """The five graphs of a model, with adapters already merged."""
    longest = model.size.image_tokens + MAX_WORDS
    new, past = Dim("T", min=1, max=longest), Dim("P", min=0, max=longest)
    modules: dict[str, nn.Module] = {
        graphs.VISION: VisionGraph(model), graphs.LANGUAGE: LanguageGraph(model), graphs.MASK: MaskGraph(model),
        graphs.REGION: RegionGraph(model), graphs.TEXT: model.text}
    dynamic: dict[str, dict[str, dict[int, Dim]]] = {
        graphs.LANGUAGE: {"ids": {1: new}, "past_keys": {2: past}, "past_values": {2: past}},
        graphs.TEXT: {"ids": {1: new}}}
    for name, module in modules.items():
        generator = torch.Generator().manual_seed(0)
        yield Graph(name, module, example_inputs(model, name, generator), dynamic.get(name, {}),
                    traced=name == graphs.VISION and model.tower is not None and model.tower.counts_patches)
