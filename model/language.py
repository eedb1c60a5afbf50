"""Gemma 3's text decoder (arXiv 2503.19786), written for one purpose: the same code trains and exports.

Differences from a general implementation: image vectors replace pad ids, the context stays below the sliding
window (so that every layer attends to everything before it), and the cache is two stacked tensors.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from pixsearch.contract.grammar import SPECIAL_TOKENS
from pixsearch.model.sizes import Size

LOCAL_ROTARY_BASE, GLOBAL_ROTARY_BASE = 10_000.0, 1_000_000.0
NORM_EPSILON = 1e-6


class Cache(NamedTuple):
    """Keys and values of all layers, each (layers, B, kv_heads, P, head_width)."""

    keys: Tensor
    values: Tensor


class RMSNorm(nn.Module):
    """Root-mean-square normalisation with a learned gain."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + NORM_EPSILON) * self.weight


def rotary(positions: Tensor, head_width: int, base: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines (T, head_width) of rotary position embedding for integer positions (T,)."""
    exponents = torch.arange(0, head_width, 2, dtype=torch.float32, device=positions.device) / head_width
    angles = positions.float()[:, None] * base ** -exponents
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def _turn(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cosines + torch.cat([-second, first], dim=-1) * sines


class Attention(nn.Module):
    """Grouped-query attention with normalised queries and keys."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_width = size.heads, size.kv_heads, size.head_width
        self.q = nn.Linear(size.width, size.heads * size.head_width, bias=False)
        self.k = nn.Linear(size.width, size.kv_heads * size.head_width, bias=False)
        self.v = nn.Linear(size.width, size.kv_heads * size.head_width, bias=False)
        self.o = nn.Linear(size.heads * size.head_width, size.width, bias=False)
        self.q_norm, self.k_norm = RMSNorm(size.head_width), RMSNorm(size.head_width)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor], past: tuple[Tensor, Tensor] | None,
                lengths: Sequence[int] | None) -> tuple[Tensor, Tensor, Tensor]:
        """x (B, T, width) → output (B, T, width), keys and values (B, kv_heads, P + T, head_width).

        lengths : of the sequences that are laid end to end in the one row of x, each of which sees itself alone
        """
        batch, length, _ = x.shape
        q = self.q(x).reshape(batch, length, self.heads, self.head_width).transpose(1, 2)
        k = self.k(x).reshape(batch, length, self.kv_heads, self.head_width).transpose(1, 2)
        v = self.v(x).reshape(batch, length, self.kv_heads, self.head_width).transpose(1, 2)
        q, k = _turn(self.q_norm(q), *turn), _turn(self.k_norm(k), *turn)
        if past is None:
            mixed = torch.cat([self._attend(*part) for part in zip(
                *(one.split(lengths or [length], dim=2) for one in (q, k, v)), strict=True)], dim=2)
        else:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
            mixed = self._attend_to_past(q, k, v)
        return self.o(mixed.transpose(1, 2).reshape(batch, length, -1)), k, v

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        group = self.heads // self.kv_heads
        return F.scaled_dot_product_attention(
            q, k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1),
            is_causal=True, scale=self.head_width ** -0.5)

    def _attend_to_past(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        length, total = q.shape[2], k.shape[2]
        place = torch.arange(total, device=q.device)
        later = place[None] > (place[total - length:])[:, None]  # (T, P + T)
        scores = (q * self.head_width ** -0.5) @ k.transpose(-1, -2)  # kv head broadcasts when there is one
        return (scores + later * -1e9).softmax(dim=-1) @ v


class Layer(nn.Module):
    """Attention and gated feed-forward, each between two norms."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.before_attention, self.after_attention = RMSNorm(size.width), RMSNorm(size.width)
        self.before_feed, self.after_feed = RMSNorm(size.width), RMSNorm(size.width)
        self.attention = Attention(size)
        self.gate = nn.Linear(size.width, size.feed_forward, bias=False)
        self.up = nn.Linear(size.width, size.feed_forward, bias=False)
        self.down = nn.Linear(size.feed_forward, size.width, bias=False)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor], past: tuple[Tensor, Tensor] | None,
                lengths: Sequence[int] | None) -> tuple[Tensor, Tensor, Tensor]:
        mixed, keys, values = self.attention(self.before_attention(x), turn, past, lengths)
        x = x + self.after_attention(mixed)
        inner = self.before_feed(x)
        x = x + self.after_feed(self.down(F.gelu(self.gate(inner), approximate="tanh") * self.up(inner)))
        return x, keys, values


class Language(nn.Module):
    """Decoder-only language model with tied embeddings over the cut vocabulary."""

    def __init__(self, size: Size, vocabulary: int, pad: int) -> None:
        super().__init__()
        self.size, self.pad = size, pad
        self.embedding = nn.Embedding(vocabulary, size.width)
        self.layers = nn.ModuleList(Layer(size) for _ in size.layers)
        self.norm = RMSNorm(size.width)
        nn.init.normal_(self.embedding.weight, std=size.width ** -0.5)

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return self.embedding.num_embeddings

    @property
    def learns(self) -> bool:
        """Whether training reaches this part."""
        return self.embedding.weight.requires_grad

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embedding.weight.device

    def train_special_rows(self) -> None:
        """Let the rows of the special tokens learn, and no others."""
        rows = self.embedding.weight
        rows.requires_grad_(True)
        special = torch.zeros(rows.shape[0], 1, device=rows.device)
        special[:len(SPECIAL_TOKENS)] = 1.0
        rows.register_hook(lambda gradient: gradient * special)

    def fingerprint(self) -> bytes:
        """Differs for other weights."""
        found = hashlib.sha256()
        for tensor in self.state_dict().values():
            found.update(tensor.cpu().contiguous().numpy())
        return found.digest()

    def embed(self, ids: Tensor, image_tokens: Tensor) -> Tensor:
        """Ids (B, T) → (B, T, width), the n-th pad id of each row replaced by the n-th of image_tokens (B, N, width).

        Pad ids beyond the last image vector (padding of a batch) repeat it; nothing attends to them.
        """
        words = self.embedding(ids) * self.size.width ** 0.5
        holes = ids == self.pad
        order = (holes.long().cumsum(dim=1) - 1).clamp(0, image_tokens.shape[1] - 1)
        filled = image_tokens.gather(1, order[..., None].expand(-1, -1, self.size.width))
        return torch.where(holes[..., None], filled, words)

    def forward(self, x: Tensor, past: Cache | None = None, lengths: Sequence[int] | None = None
                ) -> tuple[Tensor, Cache]:
        """Embedded tokens (B, T, width) → last hidden states (B, T, width) and the grown cache.

        lengths : of the sequences that are laid end to end in the one row of x; without a past
        """
        start = 0 if past is None else past.keys.shape[3]
        positions = torch.cat([torch.arange(length, device=x.device) for length in lengths or [x.shape[1]]]) + start
        turns = [rotary(positions, self.size.head_width, base) for base in (LOCAL_ROTARY_BASE, GLOBAL_ROTARY_BASE)]
        keys, values = [], []
        for number, layer in enumerate(self.layers):
            turn = turns[number in self.size.full_attention]
            x, k, v = layer(x, turn, None if past is None else (past.keys[number], past.values[number]),
                            lengths)
            keys.append(k)
            values.append(v)
        return self.norm(x), Cache(torch.stack(keys), torch.stack(values))

    def read(self, ids: Tensor, lengths: Sequence[int], image_tokens: Tensor) -> Tensor:
        """Ids (B, T) whose rows have `lengths` tokens and then padding → last hidden states, zero in the padding."""
        # a processor pays for every token, a GPU for every call
        return (self.read_padded if ids.is_cuda else self.read_end_to_end)(ids, lengths, image_tokens)

    def read_padded(self, ids: Tensor, lengths: Sequence[int], image_tokens: Tensor) -> Tensor:
        """All rows at once, padding included: nothing looks at what comes after it."""
        words = torch.arange(ids.shape[1], device=ids.device) < torch.tensor(lengths, device=ids.device)[:, None]
        return self(self.embed(ids, image_tokens))[0] * words[..., None]

    def read_end_to_end(self, ids: Tensor, lengths: Sequence[int], image_tokens: Tensor) -> Tensor:
        """All rows laid end to end without padding, of which there is as much as there are words."""
        parts = [self.embed(ids[row:row + 1, :length], image_tokens[row:row + 1]) for row, length in enumerate(lengths)]
        hidden, _ = self(torch.cat(parts, dim=1), lengths=lengths)
        return pad_sequence(hidden[0].split(list(lengths)), batch_first=True)

    def words_alone(self, ids: Tensor) -> Tensor:
        """Ids (B, T) of a text without any image → last hidden states (B, T, width)."""
        return self(self.embed(ids, torch.zeros(len(ids), 1, self.size.width, device=ids.device)))[0]

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden states (…, width) → next-token logits (…, vocabulary)."""
        return hidden @ self.embedding.weight.T
