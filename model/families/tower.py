"""A family's eye for the language part: the letterboxed frame → image tokens. Frozen, so that they may be cached."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pixsearch.contract.preprocess import PIXEL_MEAN, PIXEL_SCALE
from pixsearch.model.families.family import View
from pixsearch.model.sizes import Size
from pixsearch.model.vision import Features

BOTTLENECK = 256  # of what training changes in image tokens


class Tower(nn.Module):
    """Pixels as every part of the model takes them → a family's own image tokens."""

    mean: Tensor
    std: Tensor

    def __init__(self, vision: nn.Module, view: View, counts_patches: bool) -> None:
        super().__init__()
        self.vision, self.side, self.counts_patches = vision.eval(), view.side, counts_patches
        for name, values in (("mean", view.mean), ("std", view.std)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, S, S) in about -1..1 → (B, grid², (1 + deep) * width), float32."""
        plain = pixels * PIXEL_SCALE + PIXEL_MEAN  # 0..1
        if plain.shape[-1] != self.side:
            plain = F.interpolate(plain, size=(self.side, self.side), mode="bilinear", align_corners=False,
                                  antialias=plain.shape[-1] > self.side)
        dtype = next(self.vision.parameters()).dtype
        return self.vision(((plain - self.mean) / self.std).to(dtype)).float()


class TokenAdapter(nn.Module):
    """What training changes in a family's image tokens: nothing before training, then a little at every place."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.width = size.width
        self.place = nn.Parameter(torch.zeros(size.image_grid ** 2, size.width))
        leave = nn.Linear(BOTTLENECK, size.width)
        self.change = nn.Sequential(nn.LayerNorm(size.width), nn.Linear(size.width, BOTTLENECK), nn.GELU(), leave)
        nn.init.zeros_(leave.weight)
        nn.init.zeros_(leave.bias)

    def forward(self, features: Features) -> Tensor:
        """→ (B, N, (1 + deep) * width); deeper vectors stay as they are."""
        tokens = features.image
        assert tokens is not None
        first, deeper = tokens[..., :self.width], tokens[..., self.width:]
        return torch.cat([first + self.change(first) + self.place, deeper], dim=-1)
