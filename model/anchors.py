"""Where the frozen language model keeps the words of spans, before any training: the targets of the KL term."""

import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import torch
from safetensors.torch import load_file, save_file

from pixsearch.contract.grammar import Text
from pixsearch.contract.tokenizer import Tokenizer
from pixsearch.model.corpus import Corpus
from pixsearch.model.losses import Anchors
from pixsearch.model.network import PixSearch
from pixsearch.model.tagger import pool_span

PHRASES_AT_ONCE = 128


def phrases_of(corpora: Sequence[Corpus], words: Iterable[str]) -> list[str]:
    """All words of spans and `words`, each once, shortest first."""
    found = set(words)
    for corpus in corpora:
        for sample in corpus.samples:
            for span in sample.spans:
                part = sample.trace[span.segment]
                if isinstance(part, Text):
                    found.add(part.text[span.start:span.end])
    return sorted(found, key=lambda phrase: (len(phrase), phrase))


def load_anchors(folder: Path, model: PixSearch, tokenizer: Tokenizer, phrases: list[str]) -> Anchors:
    """The anchors of `phrases`, fitted unless `folder` has kept them from an earlier run."""
    key = hashlib.sha256(json.dumps(phrases).encode() + model.language.fingerprint())  # other weights, other anchors
    path = folder / f"{model.size.name}-{key.hexdigest()[:16]}.safetensors"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        save_file({"means": fit_anchors(model, tokenizer, phrases)}, partial)
        partial.replace(path)
    means = load_file(path)["means"]
    rows = {phrase: row for row, phrase in enumerate(phrases)}
    return Anchors(rows, means.to(model.device), float(means.var(dim=0).mean()))


@torch.inference_mode()
def fit_anchors(model: PixSearch, tokenizer: Tokenizer, phrases: list[str]) -> torch.Tensor:
    """Mean last hidden state of every phrase, read on its own by the language model as it is now: (P, width)."""
    means: list[torch.Tensor] = []
    with click.progressbar(length=len(phrases), label="anchors", file=sys.stderr) as bar:
        for start in range(0, len(phrases), PHRASES_AT_ONCE):
            chunk = phrases[start:start + PHRASES_AT_ONCE]
            tokens = [tokenizer.encode(phrase) for phrase in chunk]
            ids = torch.full((len(chunk), 1 + max(map(len, tokens))), tokenizer.special.pad)
            words = torch.zeros(ids.shape)
            for row, one in enumerate(tokens):
                ids[row, :1 + len(one)] = torch.tensor([tokenizer.special.bos, *one])
                words[row, 1:1 + len(one)] = 1.0
            ids, words = ids.to(model.device), words.to(model.device)
            means.append(pool_span(model.language.words_alone(ids), words).cpu())
            bar.update(len(chunk))
    return torch.cat(means)
