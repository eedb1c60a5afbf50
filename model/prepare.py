"""The untrained model: published weights put together, vocabulary cut, region head and text vectors fitted."""

from pathlib import Path

import click
import torch
from gguf import GGUFReader

from pixsearch.contract.tokenizer import Tokenizer, byte_tokenizer
from pixsearch.model.checkpoint import BASE, Checkpoint, save_model
from pixsearch.model.corpus import load_materials
from pixsearch.model.data.everyday import class_names
from pixsearch.model.data.phrasing import all_phrasings
from pixsearch.model.data.records import Split
from pixsearch.model.data.things import load_things
from pixsearch.model.network import PixSearch
from pixsearch.model.pretrained import GemmaVocabulary, gguf_path, load_gemma
from pixsearch.model.region_fit import fit_region_head, view_recall, views_of
from pixsearch.model.sizes import Size
from pixsearch.model.text_vectors import distil_text_vectors
from pixsearch.model.vision import efficientnet_lite0

VOCABULARY = 16_384
NOUN_WEIGHT = 20  # how often names of things count in the corpus that the vocabulary is chosen by
GLOSS_FILES = ("data.noun", "data.verb", "data.adj", "data.adv")


def vocabulary_corpus(data: Path) -> list[str]:
    """Texts by whose use the vocabulary is chosen: dictionary entries with their examples, names, questions."""
    lines: list[str] = []
    for name in GLOSS_FILES:
        for line in (data / "wordnet" / "3.1" / name).read_text("ascii", "replace").splitlines():
            head, bar, gloss = line.partition("|")
            if bar and not line.startswith("  "):
                lines.append(f"{head.split()[4].replace('_', ' ')}: {gloss.strip()}")
    names = [*class_names().values(), *(thing.noun for thing in load_things(data) if thing.split is Split.TRAIN)]
    return lines + [f"The {name} {name}" for name in names] * NOUN_WEIGHT + all_phrasings(Split.TRAIN) * NOUN_WEIGHT


def prepare(size: Size, data: Path, runs: Path, seed: int = 0) -> Checkpoint:
    """The start of stage 1 for a size, written to `runs/base-<size>`; what it is fitted on is cached under `runs`."""
    if not size.pretrained:
        backend = byte_tokenizer()
        torch.manual_seed(seed)
        return Checkpoint(PixSearch(size, backend.get_vocab_size(), 0), backend, {"stage": BASE, "steps": 0})
    say = lambda text: click.echo(text, err=True)  # noqa: E731
    say("reading Gemma-3-270M")
    reader = GGUFReader(gguf_path(runs / "gemma"))
    backend = GemmaVocabulary(reader).cut(vocabulary_corpus(data), VOCABULARY)
    tokenizer = Tokenizer(backend)
    torch.manual_seed(seed)
    model = PixSearch(size, tokenizer.size, tokenizer.special.pad)
    load_gemma(model.language, reader, backend)
    say(f"vocabulary {tokenizer.size} of {len(reader.fields['tokenizer.ggml.tokens'].contents())}, text vectors")
    with torch.no_grad():
        model.text.table.weight.copy_(distil_text_vectors(tokenizer, size.text))
    _, rows, biases = efficientnet_lite0()
    train, validation = (views_of(runs, load_materials(data, split), model.trunk)
                         for split in (Split.TRAIN, Split.VALIDATION))
    losses = fit_region_head(model.region, train, rows, biases, seed)
    recall = view_recall(model.region, validation)
    say(f"region head: losses {losses}, recall@1 of validation views {recall:.3f}")
    checkpoint = Checkpoint(model, backend, {"stage": BASE, "steps": 0, "view_recall": recall})
    save_model(runs / f"base-{size.name}", checkpoint)
    return checkpoint


