"""Names without a picture: sentences in which a class or a kind is named, to tie words to prototypes."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pixsearch.contract.tokenizer import Tokenizer
from pixsearch.model.concepts import Concepts

# span words stand between the bars; questions in the style of the wearer, answers in the style of the model
SENTENCES = (
    ("Where is the {}?", "|The {}|"), ("What is this {}?", "|This {}|"), ("Which {} is that?", "|That {}|"),
    ("Point out the {}.", "|The {}|"), ("What do you see?", "|A {}|"), ("Tell me about the {} here.", "|The {} here|"),
    ("Is there a {}?", "Yes, there is| a {}|"), ("How old is the {} on the left?", "|The {} on the left|"),
    ("What is the {} called?", "|The {}|"), ("who made the {}", "|The {}|"),
)


class Namings(NamedTuple):
    """N sentences of T tokens, each with a name in it."""

    ids: Tensor  # (N, T)
    spans: Tensor  # (N, T) float weights of the name's tokens
    covered: Tensor  # (N, CLASSES) bool: the classes that the name covers


def name_batch(concepts: Concepts, tokenizer: Tokenizer, count: int, rng: np.random.Generator) -> Namings:
    """`count` random names in random sentences."""
    words = [concepts.words[i] for i in rng.integers(len(concepts.words), size=count)]
    rows = [_sentence(word, SENTENCES[rng.integers(len(SENTENCES))], tokenizer) for word in words]
    length = max(len(ids) for ids, _ in rows)
    ids, spans = torch.full((count, length), tokenizer.special.pad), torch.zeros(count, length)
    for row, (tokens, (start, end)) in enumerate(rows):
        ids[row, :len(tokens)] = torch.tensor(tokens)
        spans[row, start:end] = 1.0
    return Namings(ids, spans, concepts.rows(words))


def _sentence(word: str, sentence: tuple[str, str], tokenizer: Tokenizer) -> tuple[list[int], tuple[int, int]]:
    question, answer = (part.format(word) for part in sentence)
    before, span, _ = answer.split("|")
    head = [tokenizer.special.bos, tokenizer.special.question, *tokenizer.encode(question), tokenizer.special.answer,
            *tokenizer.encode(before)]
    words = tokenizer.encode(span)
    return head + words, (len(head), len(head) + len(words))
