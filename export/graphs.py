"""The parts of a model as the graphs that a device runs (signatures: `contract/graphs.py`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim

from pixsearch.contract import graphs
from pixsearch.contract.looks import LOOKS
from pixsearch.contract.preprocess import CROP_CELLS, CROP_PIXELS, FRAME_PIXELS, MASK_PIXELS
from pixsearch.contract.tokenizer import IMAGE_TOKENS, MAX_CONTEXT_TOKENS
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
        return self.model.see(self.model.trunk(pixels))


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


@dataclass(frozen=True)
class Graph:
    """One graph to export: a module, example inputs by name, and the dynamic dimensions of inputs."""

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]
    dynamic: dict[str, dict[int, Dim]]

    def export(self, path: Path) -> None:
        """Write the graph as ONNX."""
        names, outputs = graphs.SIGNATURES[self.name]
        shapes = {name: self.dynamic.get(name, {}) for name in names} if self.dynamic else None
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
        graphs.LANGUAGE: lambda: {"ids": ids(length), "image_tokens": noise(1, IMAGE_TOKENS, size.width),
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
    new, past = Dim("T", min=1, max=MAX_CONTEXT_TOKENS), Dim("P", min=0, max=MAX_CONTEXT_TOKENS)
    modules: dict[str, nn.Module] = {
        graphs.VISION: VisionGraph(model), graphs.LANGUAGE: LanguageGraph(model), graphs.MASK: MaskGraph(model),
        graphs.REGION: RegionGraph(model), graphs.TEXT: model.text}
    dynamic: dict[str, dict[str, dict[int, Dim]]] = {
        graphs.LANGUAGE: {"ids": {1: new}, "past_keys": {2: past}, "past_values": {2: past}},
        graphs.TEXT: {"ids": {1: new}}}
    for name, module in modules.items():
        generator = torch.Generator().manual_seed(0)
        yield Graph(name, module, example_inputs(model, name, generator), dynamic.get(name, {}))
