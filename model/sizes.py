"""The sizes of the model: one row each, the rest derived."""

from dataclasses import dataclass, field

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
    full_attention: tuple[int, ...] = field(init=False)  # positions of the layers with Gemma's global rotary base

    def __post_init__(self) -> None:
        # every sixth layer of Gemma 3 attends globally and turns with another rotary base
        object.__setattr__(self, "full_attention", tuple(i for i, layer in enumerate(self.layers) if layer % 6 == 5))


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
    )
}


def size_named(name: str) -> Size:
    """The row of a size. Raises Fault for an unknown name."""
    if name not in SIZES:
        raise Fault("size", expected=" or ".join(SIZES), actual=repr(name), remedy="choose one of them")
    return SIZES[name]
