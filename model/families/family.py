"""What a family of vision-language models must say of itself. `docs/families.md` shows how one is added."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

Config = Any  # of transformers: every family has a class of its own
OPENAI_MEAN, OPENAI_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP's
HALF = (0.5, 0.5, 0.5)  # mean and deviation of SigLIP and of newer towers


@dataclass(frozen=True)
class View:
    """How a tower takes the frame, and what it gives."""

    side: int  # pixels of the square that it takes
    grid: int  # image tokens a side
    deep: int = 0  # further vectors a token, that the first layers of the language part add
    mean: tuple[float, float, float] = OPENAI_MEAN  # of pixels in 0..1, where the folder does not say
    std: tuple[float, float, float] = OPENAI_STD


@dataclass(frozen=True)
class Family:
    """One kind of model: how it is taken apart, and how a small random one is made.

    vision      : the frozen part that turns pixels (B, 3, side, side) into image tokens
                  (B, grid * grid, (1 + deep) * width)
    decoder     : the module with `embed_tokens`, `layers`, `norm` and `rotary_emb`
    small       : the configuration of a random model, at least 128 wide, for a vocabulary
    two_dimensional : whether image tokens have a row and a column as positions (M-RoPE)
    counts_patches : whether the tower does so in Python as it goes, so that export must run it to know its operations
    starts      : special tokens of ours with the family's own token that each starts from
    """

    model_type: str  # as config.json has it
    view: Callable[[Config], View]
    vision: Callable[[nn.Module], nn.Module]
    decoder: Callable[[Any], Any]
    small: Callable[[int], Config]
    two_dimensional: bool = False
    counts_patches: bool = False
    starts: Mapping[str, str] = field(default_factory=dict)


def square(tokens: Tensor, count: int) -> Tensor:
    """Tokens of all images in one row (B * N, W) → (B, N, W)."""
    return tokens.reshape(count, -1, tokens.shape[-1])
