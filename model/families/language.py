"""Any decoder of transformers as the language part: the interface of `model/language.py` over a family's layers."""

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pixsearch.contract.tokenizer import SpecialIds
from pixsearch.model.families.family import Family
from pixsearch.model.language import Cache
from pixsearch.model.sizes import Size

MASKED = -1e9
SAMPLED = 64  # values of each tensor that a fingerprint reads


class _Growing:
    """A cache as transformers' layers ask for it: earlier keys and values, and what each layer adds."""

    def __init__(self, past: Cache | None) -> None:
        self.past, self.keys, self.values = past, list[Tensor](), list[Tensor]()

    def update(self, keys: Tensor, values: Tensor, layer: int, _: object = None) -> tuple[Tensor, Tensor]:
        """Keys and values (B, kv_heads, T, head_width) of a layer → the same after all earlier ones."""
        if self.past is not None:
            keys = torch.cat([self.past.keys[layer], keys], dim=2)
            values = torch.cat([self.past.values[layer], values], dim=2)
        self.keys.append(keys)
        self.values.append(values)
        return keys, values


class FamilyLanguage(nn.Module):
    """A family's decoder, frozen, with rows of our own for the special tokens.

    Embedded tokens are (B, T, image_width): the vector itself, then `deep` further ones that the first layers add,
    zero for words.
    """

    special_of: Tensor

    def __init__(self, size: Size, family: Family, model: Any, vocabulary: int, special: SpecialIds,
                 starts: Sequence[int]) -> None:
        """starts : the family's own ids that the special tokens start from, -1 for the mean of all words."""
        super().__init__()
        self.is_loaded_in_4bit = size.quantized  # as peft asks for it
        self.size, self.pad, self.vocabulary = size, special.pad, vocabulary
        self.two_dimensional = family.two_dimensional
        self.decoder = family.decoder(model)
        rows, head = self.decoder.embed_tokens.weight, model.lm_head.weight
        tied = head.data_ptr() == rows.data_ptr()
        self.special_rows = nn.Parameter(_rows_of(rows, starts))
        self.special_head = None if tied else nn.Parameter(_rows_of(head, starts))
        self.decoder.embed_tokens.weight = nn.Parameter(_cut(rows, vocabulary), requires_grad=False)
        self.head = None if tied else nn.Parameter(_cut(head, vocabulary), requires_grad=False)
        ids = [getattr(special, name) for name in SpecialIds.__dataclass_fields__]
        self.special_ids = ids
        place = torch.full((vocabulary,), -1)
        place[ids] = torch.arange(len(ids))
        self.register_buffer("special_of", place, persistent=False)

    @property
    def learns(self) -> bool:
        """Whether training reaches this part."""
        return self.special_rows.requires_grad

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.special_rows.device

    def train_special_rows(self) -> None:
        """Let the rows of the special tokens learn, and no others."""
        for rows in (self.special_rows, self.special_head):
            if rows is not None:
                rows.requires_grad_(True)

    def compute_twice(self) -> None:
        """Keep less of each layer for the way back, and compute it again there: memory for time."""
        self.decoder.gradient_checkpointing_enable({"use_reentrant": False})
        self.decoder.train()

    def fingerprint(self) -> bytes:
        """Differs for other weights; reads a few values of each tensor, for there are billions."""
        found = hashlib.sha256()
        for name, tensor in self.state_dict().items():
            values = tensor.flatten()
            found.update(name.encode() + values[::max(1, len(values) // SAMPLED)].float().cpu().numpy().tobytes())
        return found.digest()

    def embed(self, ids: Tensor, image_tokens: Tensor) -> Tensor:
        """Ids (B, T) → (B, T, image_width), the n-th pad id of each row replaced by the n-th of image_tokens.

        image_tokens (B, N, image_width); (B, 1, width) will do where there is no image
        """
        place = self.special_of[ids][..., None]  # (B, T, 1)
        words = torch.where(place >= 0, self.special_rows[place[..., 0].clamp(min=0)],
                            self.decoder.embed_tokens(ids).float())
        deeper = self.size.deep * self.size.width
        words = nn.functional.pad(words, (0, deeper))
        if image_tokens.shape[-1] < words.shape[-1]:
            image_tokens = nn.functional.pad(image_tokens, (0, deeper))
        holes = ids == self.pad
        order = (holes.long().cumsum(dim=1) - 1).clamp(0, image_tokens.shape[1] - 1)
        filled = image_tokens.gather(1, order[..., None].expand(-1, -1, words.shape[-1]))
        return torch.where(holes[..., None], filled, words)

    def forward(self, x: Tensor, past: Cache | None = None) -> tuple[Tensor, Cache]:
        """Embedded tokens (B, T, image_width) → last hidden states (B, T, width) and the grown cache.

        The second token of the sequence begins an image, as in every prompt.
        """
        growing = _Growing(past)
        hidden = self._run(x, growing, pictured=True)
        return hidden, Cache(torch.stack(growing.keys), torch.stack(growing.values))

    def read(self, ids: Tensor, lengths: Sequence[int], image_tokens: Tensor) -> Tensor:
        """Ids (B, T) whose rows have `lengths` tokens and then padding → last hidden states, zero in the padding."""
        words = torch.arange(ids.shape[1], device=ids.device) < torch.tensor(lengths, device=ids.device)[:, None]
        return self._run(self.embed(ids, image_tokens), None, pictured=True) * words[..., None]

    def words_alone(self, ids: Tensor) -> Tensor:
        """Ids (B, T) of a text without any image → last hidden states (B, T, width)."""
        blank = torch.zeros(len(ids), 1, self.size.width, device=ids.device)
        return self._run(self.embed(ids, blank), None, pictured=False)

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden states (…, width) → next-token logits (…, vocabulary), float32."""
        table = self.decoder.embed_tokens.weight if self.head is None else self.head
        own = self.special_rows if self.special_head is None else self.special_head
        scores = (hidden.to(table.dtype) @ table.T).float()
        ids = torch.tensor(self.special_ids, device=scores.device)
        return scores.index_copy(-1, ids, (hidden @ own.T).float())

    def _run(self, x: Tensor, growing: _Growing | None, pictured: bool) -> Tensor:
        width, past = self.size.width, growing.past if growing else None
        start = 0 if past is None else past.keys.shape[3]
        x, deeper = x[..., :width], x[..., width:]
        x = x.to(self.decoder.norm.weight.dtype)
        turn = self.decoder.rotary_emb(x, self.positions(start, x.shape[1], pictured, x.device))
        mask = None if past is None else _causal(start, x.shape[1], x)
        for number, layer in enumerate(self.decoder.layers):
            given: Any = layer(x, attention_mask=mask, past_key_values=growing, position_embeddings=turn)
            x = given[0] if isinstance(given, tuple) else given
            if number < self.size.deep:
                x = x + deeper[..., number * width:(number + 1) * width].to(x.dtype)
        return self.decoder.norm(x).float()

    def positions(self, start: int, length: int, pictured: bool, device: torch.device) -> Tensor:
        """Of `length` tokens after `start` earlier ones: (1, T), or (3, 1, T) moment, row and column.

        An image counts as many positions as its grid has rows; the words go on after it.
        """
        place = torch.arange(length, device=device) + start
        if not self.two_dimensional:
            return place[None]
        if not pictured:
            return place.expand(3, 1, -1)
        grid = self.size.image_grid
        cell = place - 1
        inside = (cell >= 0) & (cell < grid * grid)
        words = torch.where(cell < 0, place, place - grid * grid + grid)
        parts = [torch.ones_like(cell), 1 + cell // grid, 1 + cell % grid]
        return torch.stack([torch.where(inside, part, words) for part in parts])[:, None]


def _causal(start: int, length: int, x: Tensor) -> Tensor:
    """Additive mask (1, 1, T, P + T): nothing looks at what comes later."""
    place = torch.arange(start + length, device=x.device)
    later = place[None] > (torch.arange(length, device=x.device) + start)[:, None]
    return (later.to(x.dtype) * MASKED)[None, None]


def _rows_of(table: Tensor, starts: Sequence[int]) -> Tensor:
    """Rows (len(starts), width) that special tokens begin with, slightly apart from each other, float32."""
    mean, spread = table.float().mean(dim=0), table.float().std()
    noise = torch.randn((len(starts), table.shape[1]), generator=torch.Generator().manual_seed(0)).to(table.device)
    rows = torch.stack([table[start].float() if start >= 0 else mean for start in starts])
    return rows + noise * spread * (0.1 if any(start >= 0 for start in starts) else 1.0)


def _cut(table: Tensor, count: int) -> Tensor:
    """The first rows of a table; what it lacks is zero: rows of special tokens, which stand elsewhere."""
    kept = table.new_zeros(count, table.shape[1])
    kept[:len(table)] = table[:count]
    return kept
