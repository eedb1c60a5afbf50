"""The sizes of the model: one row each, the rest derived."""

from dataclasses import dataclass, field
from typing import Any

from pixsearch.contract.faults import Fault

GEMMA_LAYERS = 18  # Gemma-3-270M


@dataclass(frozen=True)
class Size:
    """One row of the table of sizes."""

    name: str
    layers: tuple[int, ...]  # Gemma layers that the language part is initialised from
    width: int = 640  # of the hidden states
    heads: int = 4
    kv_heads: int = 1
    head_width: int = 256
    feed_forward: int = 2048
    pretrained: bool = True  # vision and language start from published weights
    trunk: tuple[int, int, int, int] = (24, 40, 112, 1280)  # channels at strides 4, 8, 16 and of the head at 32
    detail: int = 32  # channels of the mask features at stride 4
    context: int = 128  # channels of the mask decoder at stride 16
    region: int = 256  # dimensions of a region vector
    text: int = 256  # dimensions of a text vector
    lora_rank: int = 32
    adapted: tuple[str, ...] = ("q", "k", "v", "o", "gate", "up", "down")  # linear layers that learn by LoRA
    image_grid: int = 6  # image tokens a side
    family: str = ""  # of `model/families/`: language part and image tokens come from a folder of its kind
    deep: int = 0  # further vectors of an image token, which the first layers add
    weights: str = ""  # that folder
    quantized: bool = False  # its linear layers are kept in 4 bits (nf4) while adapters learn
    sam: str = ""  # a folder of SAM 2.1, which then sees and draws the masks
    full_attention: tuple[int, ...] = field(init=False)  # positions of the layers with Gemma's global rotary base

    def __post_init__(self) -> None:
        # every sixth layer of Gemma 3 attends globally and turns with another rotary base
        object.__setattr__(self, "full_attention", tuple(i for i, layer in enumerate(self.layers) if layer % 6 == 5))


    @property
    def image_tokens(self) -> int:
        """How many vectors stand for the frame in a prompt."""
        return self.image_grid ** 2

    @property
    def image_width(self) -> int:
        """Of an image token, with what it adds to the first layers."""
        return self.width * (1 + self.deep)


def _published(name: str, family: str, layers: int, width: int, heads: int, kv_heads: int, head_width: int,
               feed_forward: int) -> Size:
    """A published vision-language model; adapters as the paper has them."""
    return Size(name, tuple(range(layers)), width, heads, kv_heads, head_width, feed_forward, family=family,
                **PAPER_ADAPTERS)


PAPER_ADAPTERS: Any = {"lora_rank": 8, "adapted": ("q_proj", "v_proj")}
SIZES = {
    size.name: size
    for size in (
        # layers 4 and 16 are the two whose loss costs least: 4.15 → 4.36 nats a token on WordNet glosses
        Size("small", layers=tuple(layer for layer in range(GEMMA_LAYERS) if layer not in (4, 16))),
        # cut from a trained small model, where 13 and 15 cost least: 0.21 → 0.55 nats a token of a trace
        Size("nano", layers=tuple(layer for layer in range(GEMMA_LAYERS) if layer not in (4, 13, 15, 16))),
        Size("mini", layers=tuple(range(GEMMA_LAYERS))),
        Size("tiny", layers=(0, 5), width=64, heads=2, head_width=32, feed_forward=128, pretrained=False,
             trunk=(8, 8, 16, 32), detail=16, context=32, region=16, text=16, lora_rank=4),
        Size("base", layers=(), **PAPER_ADAPTERS),  # whatever a folder holds
        _published("qwen2.5-vl-3b", "qwen2_5_vl", 36, 2048, 16, 2, 128, 11008),
        _published("qwen2.5-vl-7b", "qwen2_5_vl", 28, 3584, 28, 4, 128, 18944),
        _published("qwen3-vl-4b", "qwen3_vl", 36, 2560, 32, 8, 128, 9728),
        _published("smolvlm2-2.2b", "smolvlm", 24, 2048, 32, 32, 64, 8192),
        _published("llava-1.5-13b", "llava", 40, 5120, 40, 40, 128, 13824),
        Size("tiny-base", layers=(), pretrained=False, trunk=(8, 8, 16, 32), detail=16, context=32, region=16, text=16,
             **PAPER_ADAPTERS),
    )
}


def size_named(name: str) -> Size:
    """The row of a size. Raises Fault for an unknown name."""
    if name not in SIZES:
        raise Fault("size", expected=" or ".join(SIZES), actual=repr(name), remedy="choose one of them")
    return SIZES[name]
