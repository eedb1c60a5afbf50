"""The mask decoder: words (and a point or a box) → the pixels that are meant.

A two-way transformer after Segment Anything (arXiv 2304.02643), small, over a pyramid of frozen features. The words'
own idea of how the thing looks is compared with every position first: a map of where such things are.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pixsearch.model.sizes import Size

TVERSKY_MISS, TVERSKY_EXTRA, FOCAL_POWER = 0.7, 0.3, 0.75
TVERSKY_WEIGHT, BCE_WEIGHT, IOU_WEIGHT = 8.0, 2.0, 1.0  # the paper's first two; the last trains the predicted IoU
FOURIER_BANDS = 6


class Prompts(NamedTuple):
    """What may come with the words, N queries; flags are 0 where nothing was given."""

    point: Tensor  # (N, 3): x, y in 0..1 of the square, flag
    box: Tensor  # (N, 5): x0, y0, x1, y1 in 0..1, flag
    previous: Tensor  # (N, 1, M, M): logits of an earlier mask, all zero when there is none


def fourier(points: Tensor) -> Tensor:
    """Points (…, 2) in 0..1 → sines and cosines (…, 4 * FOURIER_BANDS) at octaves."""
    octaves = 2.0 ** torch.arange(FOURIER_BANDS, dtype=torch.float32, device=points.device) * torch.pi
    angles = (points[..., None] * octaves).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class CrossAttention(nn.Module):
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


class TwoWayLayer(nn.Module):
    """Prompt tokens attend to each other and to the image, then the image attends to them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.among, self.look, self.answer = (CrossAttention(width) for _ in range(3))
        self.think = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))

    def forward(self, tokens: Tensor, image: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.norms[0](tokens + self.among(tokens, tokens, tokens))
        tokens = self.norms[1](tokens + self.look(tokens, image + place, image))
        tokens = self.norms[2](tokens + self.think(tokens))
        return tokens, self.norms[3](image + self.answer(image + place, tokens, tokens))


class MaskDecoder(nn.Module):
    """Span queries and optional prompts over the pyramid → mask logits and their predicted IoU."""

    def __init__(self, size: Size, layers: int = 2) -> None:
        super().__init__()
        inner, detail = size.context, size.detail
        self.query = nn.Sequential(nn.LayerNorm(size.width), nn.Linear(size.width, inner), nn.GELU(),
                                   nn.Linear(inner, inner))
        self.appearance = nn.Sequential(nn.LayerNorm(size.width), nn.Linear(size.width, size.region))
        self.quality_token = nn.Parameter(torch.randn(inner) * 0.02)
        self.absent = nn.Parameter(torch.randn(3, inner) * 0.02)  # no point, no corner, no corner
        self.kinds = nn.Parameter(torch.randn(3, inner) * 0.02)  # point, first corner, second corner
        self.place = nn.Linear(4 * FOURIER_BANDS, inner)
        self.likeness = nn.Conv2d(1, inner, 3, padding=1)
        self.earlier = nn.Conv2d(1, inner, 4, stride=4)
        self.layers = nn.ModuleList(TwoWayLayer(inner) for _ in range(layers))
        self.last_look, self.last_norm = CrossAttention(inner), nn.LayerNorm(inner)
        self.spread = nn.Conv2d(inner, detail, 1)
        self.refine = nn.Sequential(nn.Conv2d(detail, detail, 3, padding=1, groups=detail),
                                    nn.GELU(), nn.Conv2d(detail, detail, 1))
        self.kernel = nn.Sequential(nn.Linear(inner, inner), nn.GELU(), nn.Linear(inner, detail))
        self.quality = nn.Sequential(nn.Linear(inner, inner), nn.GELU(), nn.Linear(inner, 1))

    def expected_look(self, query: Tensor) -> Tensor:
        """The span's idea of how the thing looks: (N, width) → unit vectors in region space (N, region)."""
        return F.normalize(self.appearance(query), dim=-1)

    def forward(self, query: Tensor, detail: Tensor, context: Tensor, dense: Tensor, prompts: Prompts
                ) -> tuple[Tensor, Tensor]:
        """query (N, width), detail (N, C, M, M), context (N, D, m, m), dense (N, R, h, h) unit region vectors.

        Returns mask logits (N, 1, M, M) and predicted IoU logits (N, 1).
        """
        count, side = query.shape[0], context.shape[-1]
        likeness = (dense * self.expected_look(query)[:, :, None, None]).sum(dim=1, keepdim=True)
        likeness = F.interpolate(likeness, size=(side, side), mode="bilinear", align_corners=False)
        previous = torch.tanh(prompts.previous)
        image = context + self.likeness(likeness * 4.0) + self.earlier(previous)
        image = image.flatten(2).transpose(1, 2)  # (N, m², D)
        place = self.place(fourier(_grid(side, query.device)))[None]  # (1, m², D)
        tokens = torch.cat([self.query(query)[:, None], self.quality_token.expand(count, 1, -1),
                            self._prompt_tokens(prompts)], dim=1)
        for layer in self.layers:
            tokens, image = layer(tokens, image, place)
        tokens = self.last_norm(tokens + self.last_look(tokens, image + place, image))
        spread = self.spread(image.transpose(1, 2).reshape(count, -1, side, side))
        spread = F.interpolate(spread, size=detail.shape[-2:], mode="bilinear", align_corners=False)
        pixels = detail + self.refine(detail + spread)
        logits = (pixels * self.kernel(tokens[:, 0])[:, :, None, None]).sum(dim=1, keepdim=True)
        return logits, self.quality(tokens[:, 1])

    def _prompt_tokens(self, prompts: Prompts) -> Tensor:
        """Three tokens: the point and the box's two corners, or the learnt signs of their absence."""
        corners = prompts.box[:, :4].reshape(-1, 2, 2)
        points = torch.cat([prompts.point[:, None, :2], corners], dim=1)  # (N, 3, 2)
        flags = torch.stack([prompts.point[:, 2], prompts.box[:, 4], prompts.box[:, 4]], dim=1)[..., None]
        return flags * (self.place(fourier(points)) + self.kinds) + (1.0 - flags) * self.absent


def _grid(side: int, device: torch.device) -> Tensor:
    centres = (torch.arange(side, dtype=torch.float32, device=device) + 0.5) / side
    rows, columns = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([columns, rows], dim=-1).reshape(-1, 2)



def mask_losses(logits: Tensor, quality: Tensor, gold: Tensor) -> dict[str, Tensor]:
    """Focal-Tversky 8 and BCE 2 as the paper weighs them, and the squared error of the predicted IoU.

    logits (N, 1, M, M), quality (N, 1) logits, gold (N, M, M) coverage 0..1.
    """
    logits = logits[:, 0]
    share = logits.sigmoid()
    hit = (share * gold).sum(dim=(1, 2))
    missed, extra = ((1 - share) * gold).sum(dim=(1, 2)), (share * (1 - gold)).sum(dim=(1, 2))
    tversky = (hit + 1.0) / (hit + TVERSKY_MISS * missed + TVERSKY_EXTRA * extra + 1.0)
    cell = F.binary_cross_entropy_with_logits(logits, gold)
    error = (quality.sigmoid()[:, 0] - iou(logits, gold)).square().mean()
    return {"tversky": TVERSKY_WEIGHT * ((1 - tversky).clamp(min=1e-6) ** FOCAL_POWER).mean(),
            "bce": BCE_WEIGHT * cell, "iou": IOU_WEIGHT * error}


def iou(logits: Tensor, gold: Tensor) -> Tensor:
    """Intersection over union of thresholded masks: (N, M, M), (N, M, M) → (N,), without gradient."""
    guess, truth = logits.detach() > 0, gold > 0.5
    both = (guess & truth).sum(dim=(-2, -1)).float()
    return both / (guess | truth).sum(dim=(-2, -1)).clamp(min=1).float()
