"""Where the frozen language model keeps the words of spans, before any training: the targets of the KL term."""

from collections.abc import Sequence

import torch

from pixsearch.contract.grammar import Text
from pixsearch.contract.tokenizer import Tokenizer
from pixsearch.model.corpus import Corpus
from pixsearch.model.losses import Anchors
from pixsearch.model.network import PixSearch

PHRASES_AT_ONCE = 64


def phrases_of(corpora: Sequence[Corpus]) -> list[str]:
    """All words of spans, each once, shortest first."""
    found = set()
    for corpus in corpora:
        for sample in corpus.samples:
            for span in sample.spans:
                part = sample.trace[span.segment]
                if isinstance(part, Text):
                    found.add(part.text[span.start:span.end])
    return sorted(found, key=lambda phrase: (len(phrase), phrase))


@torch.inference_mode()
def fit_anchors(model: PixSearch, tokenizer: Tokenizer, corpora: Sequence[Corpus]) -> Anchors:
    """Mean last hidden state of every phrase, read on its own by the language model as it is now."""
    phrases = phrases_of(corpora)
    blank = torch.zeros(1, 1, model.size.width)
    means: dict[str, torch.Tensor] = {}
    for start in range(0, len(phrases), PHRASES_AT_ONCE):
        chunk = phrases[start:start + PHRASES_AT_ONCE]
        tokens = [tokenizer.encode(phrase) for phrase in chunk]
        ids = torch.full((len(chunk), 1 + max(map(len, tokens))), tokenizer.special.pad)
        for row, one in enumerate(tokens):
            ids[row, :1 + len(one)] = torch.tensor([tokenizer.special.bos, *one])
        hidden, _ = model.language(model.language.embed(ids, blank.expand(len(chunk), -1, -1)))
        for row, (phrase, one) in enumerate(zip(chunk, tokens, strict=True)):
            means[phrase] = hidden[row, 1:1 + len(one)].mean(dim=0).clone()
    stacked = torch.stack(list(means.values()))
    return Anchors(means, float(stacked.var(dim=0).mean()))
