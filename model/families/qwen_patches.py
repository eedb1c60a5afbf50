"""Pixels as the towers of Qwen-VL read them: patches in the order in which they are merged."""

import torch
from torch import Tensor

FRAME_PIXELS = 384  # what the frame has; a tower takes the nearest square that its patches fill


def side_for(patch: int, merge: int) -> int:
    """Pixels of the square that whole merged patches fill."""
    return round(FRAME_PIXELS / (patch * merge)) * patch * merge


def patches(pixels: Tensor, patch: int, merge: int, frames: int) -> tuple[Tensor, Tensor]:
    """Pixels (B, 3, S, S) → patches (B * cells², 3 * frames * patch²) and grids (B, 3): one moment, rows, columns.

    A still picture is `frames` equal moments; merge x merge patches that become one token follow each other.
    """
    count, channels, side, _ = pixels.shape
    cells = side // patch
    x = pixels.reshape(count, channels, cells // merge, merge, patch, cells // merge, merge, patch)
    x = x.permute(0, 2, 5, 3, 6, 1, 4, 7)  # (B, rows, columns, merge, merge, 3, patch, patch)
    x = x.reshape(count * cells * cells, channels, 1, patch, patch).expand(-1, -1, frames, -1, -1)
    return x.flatten(1), torch.tensor([[1, cells, cells]] * count, device=pixels.device)
