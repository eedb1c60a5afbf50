"""Attention between sets of vectors, and the places of a square grid as vectors."""

import torch
from torch import Tensor, nn

FOURIER_BANDS = 6


def fourier(points: Tensor) -> Tensor:
    """Points (…, 2) in 0..1 → sines and cosines (…, 4 * FOURIER_BANDS) at octaves."""
    octaves = 2.0 ** torch.arange(FOURIER_BANDS, dtype=torch.float32, device=points.device) * torch.pi
    angles = (points[..., None] * octaves).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def grid_of(side: int, device: torch.device) -> Tensor:
    """Centres (x, y) of a grid's cells in 0..1, row by row: (side², 2)."""
    centres = (torch.arange(side, dtype=torch.float32, device=device) + 0.5) / side
    rows, columns = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([columns, rows], dim=-1).reshape(-1, 2)


class Attention(nn.Module):
    """Multi-head attention of queries to keys that carry their own values."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        count, length, width = queries.shape
        q, k, v = (part.reshape(count, part.shape[1], self.heads, -1).transpose(1, 2)
                   for part in (self.q(queries), self.k(keys), self.v(values)))
        scores = (q * (width // self.heads) ** -0.5) @ k.transpose(-1, -2)
        return self.o((scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(count, length, width))
