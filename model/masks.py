"""The mask decoder: words (and a point or a box) → the pixels that are meant.

A two-way transformer after Segment Anything (arXiv 2304.02643), small, over a pyramid of frozen features. The words'
own idea of how the thing looks, and how an index knows things of that name, are compared with every position first:
maps of where such things are.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pixsearch.model.attention import FOURIER_BANDS, Attention, fourier, grid_of
from pixsearch.model.sizes import Size

TVERSKY_MISS, TVERSKY_EXTRA, FOCAL_POWER = 0.7, 0.3, 0.75
TVERSKY_WEIGHT, BCE_WEIGHT = 8.0, 2.0  # the paper's
IOU_WEIGHT, PLACE_WEIGHT = 1.0, 3.0  # of the predicted IoU and of the place on the coarse grid
COVERED_WELL = 0.5  # of the coverage of the best cell
SPREAD, DRAWN = 8, 16  # channels of coarse knowledge, and inside the drawing network
LIKENESS_GAIN, HINT_GAIN, COORDINATE_GAIN = 4.0, 4.0, 4.0  # bring hints to the scale of features


class Prompts(NamedTuple):
    """What may come with the words, N queries; flags are 0 where nothing was given."""

    point: Tensor  # (N, 3): x, y in 0..1 of the square, flag
    box: Tensor  # (N, 5): x0, y0, x1, y1 in 0..1, flag
    previous: Tensor  # (N, 1, M, M): logits of an earlier mask, all zero when there is none
    looks: Tensor  # (N, LOOKS, region): unit vectors of things of that name in an index, all zero when none is known


class Drawn(NamedTuple):
    """What the decoder says of N queries."""

    logits: Tensor  # (N, 1, M, M)
    quality: Tensor  # (N, 1), logits of the predicted IoU
    where: Tensor  # (N, m²), logits of the thing's place on the coarse grid


class TwoWayLayer(nn.Module):
    """Prompt tokens attend to each other and to the image, then the image attends to them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.among, self.look, self.answer = (Attention(width) for _ in range(3))
        self.think = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))

    def forward(self, tokens: Tensor, image: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.norms[0](tokens + self.among(tokens, tokens, tokens))
        tokens = self.norms[1](tokens + self.look(tokens, image + place, image))
        tokens = self.norms[2](tokens + self.think(tokens))
        return tokens, self.norms[3](image + self.answer(image + place, tokens, tokens))


class MaskDecoder(nn.Module):
    """Span queries and optional prompts over the pyramid → mask logits and their predicted IoU.

    First the place is found, as a distribution over the coarse grid that is trained directly; then the mask is drawn
    by a small network whose weights come from what stands in its best cell, over fine features and coordinates
    relative to that cell (conditional convolutions, arXiv 2003.05664).
    """

    def __init__(self, size: Size, layers: int = 3) -> None:
        super().__init__()
        inner = size.context
        self.query = nn.Sequential(nn.LayerNorm(size.width), nn.Linear(size.width, inner), nn.GELU(),
                                   nn.Linear(inner, inner))
        self.appearance = nn.Sequential(nn.LayerNorm(size.width), nn.Linear(size.width, size.region))
        self.quality_token = nn.Parameter(torch.randn(inner) * 0.02)
        self.absent = nn.Parameter(torch.randn(3, inner) * 0.02)  # no point, no corner, no corner
        self.kinds = nn.Parameter(torch.randn(3, inner) * 0.02)  # point, first corner, second corner
        self.place = nn.Linear(4 * FOURIER_BANDS, inner)
        self.hints = nn.Conv2d(3, inner, 3, padding=1)  # likeness to what the words expect, point, box
        self.known = nn.Conv2d(1, inner, 3, padding=1, bias=False)  # likeness to looks
        nn.init.zeros_(self.known.weight)  # weights from before there were looks go on as they were
        self.earlier = nn.Conv2d(1, inner, 4, stride=4)
        self.layers = nn.ModuleList(TwoWayLayer(inner) for _ in range(layers))
        self.seek, self.offer = nn.Linear(inner, inner), nn.Linear(inner, inner)
        self.spread = nn.Conv2d(inner, SPREAD, 1)
        self.weights = nn.Sequential(nn.LayerNorm(2 * inner), nn.Linear(2 * inner, inner), nn.GELU(),
                                     nn.Linear(inner, (size.detail + SPREAD + 2 + DRAWN + 3) * DRAWN + 1))
        self.quality = nn.Sequential(nn.Linear(2 * inner, inner), nn.GELU(), nn.Linear(inner, 1))

    def expected_look(self, query: Tensor) -> Tensor:
        """The span's idea of how the thing looks: (N, width) → unit vectors in region space (N, region)."""
        return F.normalize(self.appearance(query), dim=-1)

    def forward(self, query: Tensor, detail: Tensor, context: Tensor, dense: Tensor, prompts: Prompts,
                corner: tuple[int, int] | None = None, inside: Tensor | None = None) -> Drawn:
        """What N queries mean.

        query (N, width), context (N, D, m, m), dense (N, R, h, h) unit region vectors; detail (S, C, M, M), where each
        of S scenes is for the next N / S queries. For training: corner draws only every second row and column from
        there on; inside (N, m²) bool are the cells to draw from, so that drawing is learned where the thing is
        """
        count, side = query.shape[0], context.shape[-1]
        grid = grid_of(side, query.device)  # (m², 2)
        expected = likeness(self.expected_look(query)[:, None], dense, side)
        image = context + self.hints(torch.cat([expected, self._shown(prompts, grid, side)], dim=1))
        image = image + self.known(likeness(prompts.looks, dense, side))
        image = (image + self.earlier(torch.tanh(prompts.previous))).flatten(2).transpose(1, 2)  # (N, m², D)
        place = self.place(fourier(grid))[None]  # (1, m², D)
        tokens = torch.cat([self.query(query)[:, None], self.quality_token.expand(count, 1, -1),
                            self._prompt_tokens(prompts)], dim=1)
        for layer in self.layers:
            tokens, image = layer(tokens, image, place)
        where = (self.offer(image + place) @ self.seek(tokens[:, 0])[..., None])[..., 0]  # (N, m²) logits
        where = where * image.shape[-1] ** -0.5
        cell = (where if inside is None else where.masked_fill(~inside, -torch.inf)).argmax(dim=1)  # (N,)
        spread = self.spread(image.transpose(1, 2).reshape(count, -1, side, side))
        logits = self._draw(detail, spread, grid[cell], torch.cat([tokens[:, 0], _at(image, cell)], dim=-1), corner)
        # whether the place is right is part of the quality, whatever training draws from
        found = _at(image, where.argmax(dim=1))
        return Drawn(logits, self.quality(torch.cat([tokens[:, 1], found], dim=-1)), where)

    def _shown(self, prompts: Prompts, grid: Tensor, side: int) -> Tensor:
        """Maps (N, 2, m, m): where the point is, what the box holds."""
        x, y = grid[:, 0][None], grid[:, 1][None]  # (1, m²)
        point, box = prompts.point, prompts.box
        distance = (x - point[:, 0:1]) ** 2 + (y - point[:, 1:2]) ** 2
        near = torch.exp(-distance * side ** 2 / 2.0) * point[:, 2:3]  # one cell wide
        sharp = 2.0 * side
        inside = (torch.sigmoid((x - box[:, 0:1]) * sharp) * torch.sigmoid((box[:, 2:3] - x) * sharp)
                  * torch.sigmoid((y - box[:, 1:2]) * sharp) * torch.sigmoid((box[:, 3:4] - y) * sharp)) * box[:, 4:5]
        return torch.stack([near, inside], dim=1).reshape(-1, 2, side, side) * HINT_GAIN

    def _draw(self, detail: Tensor, spread: Tensor, centre: Tensor, code: Tensor, corner: tuple[int, int] | None
              ) -> Tensor:
        """Fine features, coarse knowledge and relative coordinates through the query's own small network."""
        size = detail.shape[-1]
        spread = F.interpolate(spread, size=(size, size), mode="bilinear", align_corners=False)
        places = grid_of(size, detail.device)
        if corner is not None:
            detail, spread = every_second(detail, corner), every_second(spread, corner)
            places = every_second(places.T.reshape(2, size, size), corner).flatten(1).T
        count, (scenes, channels, size, _) = len(code), detail.shape
        relative = (places[None] - centre[:, None]).transpose(1, 2)  # (N, 2, M²)
        own = torch.cat([spread.flatten(2), relative * COORDINATE_GAIN], dim=1)  # (N, SPREAD + 2, M²)
        sizes = [channels * DRAWN, (SPREAD + 2) * DRAWN, DRAWN, DRAWN * DRAWN, DRAWN, DRAWN, 1]
        fine, coarse, first_bias, second, second_bias, last, last_bias = self.weights(code).split(sizes, dim=1)
        # queries of one scene share its fine features, which are large: no copy for each query
        x = (fine.reshape(scenes, -1, channels) @ detail.flatten(2)).reshape(count, DRAWN, -1)
        x = F.relu(x + coarse.reshape(count, DRAWN, -1) @ own + first_bias[..., None])
        x = F.relu(second.reshape(count, DRAWN, DRAWN) @ x + second_bias[..., None])
        return (last[:, None] @ x + last_bias[..., None]).reshape(count, 1, size, size)

    def _prompt_tokens(self, prompts: Prompts) -> Tensor:
        """Three tokens: the point and the box's two corners, or the learnt signs of their absence."""
        corners = prompts.box[:, :4].reshape(-1, 2, 2)
        points = torch.cat([prompts.point[:, None, :2], corners], dim=1)  # (N, 3, 2)
        flags = torch.stack([prompts.point[:, 2], prompts.box[:, 4], prompts.box[:, 4]], dim=1)[..., None]
        return flags * (self.place(fourier(points)) + self.kinds) + (1.0 - flags) * self.absent


def likeness(looks: Tensor, dense: Tensor, side: int) -> Tensor:
    """Map (N, 1, side, side) of the likeness to the nearest of some looks (N, K, R), zero where all of them are zero.

    dense (N, R, h, h)
    """
    cosines = (looks @ dense.flatten(2)).amax(dim=1).reshape(-1, 1, *dense.shape[2:])
    return LIKENESS_GAIN * F.interpolate(cosines, size=(side, side), mode="bilinear", align_corners=False)


def _at(image: Tensor, cell: Tensor) -> Tensor:
    """One vector a query: image (N, m², D), cell (N,) → (N, D)."""
    return image.gather(1, cell[:, None, None].expand(-1, 1, image.shape[-1]))[:, 0]


def cells_inside(gold: Tensor, side: int) -> Tensor:
    """The cells that a thing covers best: gold (N, M, M) coverage → bool (N, side²), some in every row."""
    cells = F.adaptive_avg_pool2d(gold[:, None], side).flatten(1)
    return cells >= COVERED_WELL * cells.amax(dim=1, keepdim=True)


def every_second(maps: Tensor, corner: tuple[int, int]) -> Tensor:
    """Every second row and column of maps (…, M, M), from a corner (row, column) on."""
    return maps[..., corner[0]::2, corner[1]::2]


def mask_losses(drawn: Drawn, gold: Tensor) -> dict[str, Tensor]:
    """Focal-Tversky 8 and BCE 2 as the paper weighs them; the squared error of the predicted IoU; where the thing is.

    gold (N, M, M) coverage 0..1. The IoU of a mask that would be drawn from elsewhere counts as 0.
    """
    logits = drawn.logits[:, 0]
    share = logits.sigmoid()
    hit = (share * gold).sum(dim=(1, 2))
    missed, extra = ((1 - share) * gold).sum(dim=(1, 2)), (share * (1 - gold)).sum(dim=(1, 2))
    tversky = (hit + 1.0) / (hit + TVERSKY_MISS * missed + TVERSKY_EXTRA * extra + 1.0)
    cell = F.binary_cross_entropy_with_logits(logits, gold)
    side = round(drawn.where.shape[1] ** 0.5)
    right = cells_inside(gold, side).gather(1, drawn.where.argmax(dim=1, keepdim=True))[:, 0]
    error = (drawn.quality.sigmoid()[:, 0] - iou(logits, gold) * right).square().mean()
    cells = F.adaptive_avg_pool2d(gold[:, None], side).flatten(1)
    cells = cells / cells.sum(dim=1, keepdim=True).clamp(min=1e-6)
    place = -(cells * drawn.where.log_softmax(dim=-1)).sum(dim=1).mean()
    return {"tversky": TVERSKY_WEIGHT * ((1 - tversky).clamp(min=1e-6) ** FOCAL_POWER).mean(),
            "bce": BCE_WEIGHT * cell, "iou": IOU_WEIGHT * error, "place": PLACE_WEIGHT * place}


def iou(logits: Tensor, gold: Tensor) -> Tensor:
    """Intersection over union of thresholded masks: (N, M, M), (N, M, M) → (N,), without gradient."""
    guess, truth = logits.detach() > 0, gold > 0.5
    both = (guess & truth).sum(dim=(-2, -1)).float()
    return both / (guess | truth).sum(dim=(-2, -1)).clamp(min=1).float()
