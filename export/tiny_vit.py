"""MobileSAM's encoder in shape, for timing: TinyViT-5M at 1024 pixels (arXiv 2306.14289, 2207.10666), random weights.

No installed package holds it; layers and sizes are the published ones.
"""

from collections import OrderedDict
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS, DEPTHS, WINDOWS = (64, 128, 160, 320), (2, 2, 6, 2), (7, 7, 14, 7)
HEAD_WIDTH, EXPANSION, MLP_RATIO = 32, 4, 4
NECK = 256  # channels that SAM's mask decoder takes


def conv(before: int, after: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution with batch normalisation."""
    return nn.Sequential(nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False),
                         nn.BatchNorm2d(after))


class Inverted(nn.Module):
    """MobileNet's inverted bottleneck: (B, C, H, W) → the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = EXPANSION * width
        self.layers = nn.Sequential(conv(width, inner), nn.GELU(), conv(inner, inner, 3, groups=inner), nn.GELU(),
                                    conv(inner, width))

    def forward(self, features: Tensor) -> Tensor:
        return functional.gelu(features + self.layers(features))


class Merge(nn.Sequential):
    """To the next stage: (B, C, H, W) → (B, D, H/stride, W/stride)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__(conv(before, after), nn.GELU(), conv(after, after, 3, stride, groups=after), nn.GELU(),
                         conv(after, after))


class WindowBlock(nn.Module):
    """Attention within windows, a depthwise convolution, and a feed-forward part: (B, C, H, W) → the same."""

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.window, self.heads = window, width // HEAD_WIDTH
        self.norm, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.bias = nn.Parameter(torch.zeros(self.heads, window**2, window**2))
        self.local = conv(width, width, 3, groups=width)
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, MLP_RATIO * width), nn.GELU(),
                                 nn.Linear(MLP_RATIO * width, width))

    def forward(self, features: Tensor) -> Tensor:
        features = self.local(features + self._attended(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
        return features + self.mlp(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def _attended(self, cells: Tensor) -> Tensor:
        batch, height, width, channels = cells.shape
        side = self.window
        padded = functional.pad(cells, (0, 0, 0, -width % side, 0, -height % side))
        rows, columns = padded.shape[1] // side, padded.shape[2] // side
        windows = padded.reshape(batch, rows, side, columns, side, channels).transpose(2, 3)
        words = self.norm(windows.reshape(batch * rows * columns, side**2, channels))  # (windows, side², C)
        query, key, value = self.qkv(words).reshape(len(words), side**2, self.heads, 3 * HEAD_WIDTH).transpose(
            1, 2).split(HEAD_WIDTH, dim=-1)
        weights = (query @ key.transpose(-2, -1) * HEAD_WIDTH**-0.5 + self.bias).softmax(dim=-1)
        mixed = self.out((weights @ value).transpose(1, 2).reshape(len(words), side**2, channels))
        whole = mixed.reshape(batch, rows, columns, side, side, channels).transpose(2, 3).reshape(padded.shape)
        return whole[:, :height, :width]


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation of the channels of (B, C, H, W)."""

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class TinyVit(nn.Sequential):
    """Pixels (1, 3, P, P) → features (1, 256, P/16, P/16) as SAM's mask decoder takes them."""

    def __init__(self) -> None:
        stages: list[nn.Module] = []
        for depth, window, (before, width) in zip(DEPTHS[1:], WINDOWS[1:], pairwise(WIDTHS), strict=True):
            stages.append(Merge(before, width, stride=1 if width == WIDTHS[-1] else 2))
            stages += [WindowBlock(width, window) for _ in range(depth)]
        first, last = WIDTHS[0], WIDTHS[-1]
        super().__init__(OrderedDict(
            patches=nn.Sequential(conv(3, first // 2, 3, 2), nn.GELU(), conv(first // 2, first, 3, 2)),
            convolutions=nn.Sequential(*(Inverted(first) for _ in range(DEPTHS[0]))),
            stages=nn.Sequential(*stages),
            neck=nn.Sequential(nn.Conv2d(last, NECK, 1, bias=False), ChannelNorm(NECK),
                               nn.Conv2d(NECK, NECK, 3, padding=1, bias=False), ChannelNorm(NECK))))
