"""The span tagger: which words of the model's own output name a thing (B, I, O; PixSearch §3)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pixsearch.contract.graphs import TAG_BEGIN, TAG_INSIDE
from pixsearch.model.sizes import Size

TAGS = 3


class SpanTagger(nn.Module):
    """One bidirectional attention layer over the last hidden states of a text segment."""

    def __init__(self, size: Size, heads: int = 4) -> None:
        super().__init__()
        inner = size.context
        self.heads = heads
        self.enter = nn.Sequential(nn.LayerNorm(size.width), nn.Linear(size.width, inner))
        self.attend = nn.Linear(inner, 3 * inner)
        self.leave = nn.Linear(inner, inner)
        self.shift = nn.Conv1d(inner, inner, 3, padding=1)  # neighbours tell begin from inside
        self.classify = nn.Sequential(nn.GELU(), nn.Linear(inner, TAGS))

    def forward(self, hidden: Tensor, valid: Tensor) -> Tensor:
        """hidden (N, S, width), valid (N, S) with 1 for words → tag logits (N, S, TAGS)."""
        x = self.enter(hidden) * valid[..., None]
        count, length, inner = x.shape
        q, k, v = (part.reshape(count, length, self.heads, -1).transpose(1, 2)
                   for part in self.attend(x).chunk(3, dim=-1))
        bias = ((1.0 - valid) * -1e4)[:, None, None, :]  # (N, 1, 1, S): padding is not looked at
        scores = q @ k.transpose(-1, -2) / (inner // self.heads) ** 0.5 + bias
        mixed = (scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(count, length, inner)
        x = (x + self.leave(mixed)) * valid[..., None]
        return self.classify(x + self.shift(x.transpose(1, 2)).transpose(1, 2))


def last_span(tags: Tensor, valid: Tensor) -> Tensor:
    """The last B-I span of each segment as weights.

    tags (N, S, TAGS) logits, valid (N, S) → float (N, S), 1 inside the span. Without any B the whole segment counts,
    so that a query always has words to stand on.
    """
    place = torch.arange(tags.shape[1], device=tags.device)[None]  # (1, S)
    best = tags.argmax(dim=-1)
    words = valid > 0.5
    begins = torch.where((best == TAG_BEGIN) & words, place, torch.full_like(place, -1))
    start = begins.amax(dim=1, keepdim=True)  # (N, 1), -1 when there is none
    breaks = ((best != TAG_INSIDE) & (place > start)).float()
    inside = (place >= start) & (breaks.cumsum(dim=1) < 0.5) & words
    return torch.where(start >= 0, inside.float(), valid)


def pool_span(hidden: Tensor, span: Tensor) -> Tensor:
    """Mean hidden state of a span: (N, S, width), (N, S) → (N, width)."""
    return (hidden * span[..., None]).sum(dim=1) / span.sum(dim=1, keepdim=True).clamp(min=1.0)


def tag_loss(tags: Tensor, gold: Tensor) -> Tensor:
    """Cross-entropy with the paper's class weights O/B/I 0.1/1/1; gold (N, S) with -100 for padding."""
    weight = torch.tensor([0.1, 1.0, 1.0], device=tags.device)
    return F.cross_entropy(tags.reshape(-1, TAGS), gold.reshape(-1), weight=weight, ignore_index=-100)
