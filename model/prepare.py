"""The untrained model: published weights put together, vocabulary cut, region head and text vectors fitted."""

from pathlib import Path

import click
import torch
from gguf import GGUFReader
from tokenizers import Tokenizer as RustTokenizer

from pixsearch.contract.tokenizer import Tokenizer, byte_tokenizer
from pixsearch.model.checkpoint import BASE, Checkpoint, save_model
from pixsearch.model.corpus import load_materials
from pixsearch.model.data.everyday import class_names
from pixsearch.model.data.phrasing import all_phrasings
from pixsearch.model.data.records import Split
from pixsearch.model.data.things import load_things
from pixsearch.model.families.parts import family_tokenizer
from pixsearch.model.language import Language
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


def start_folder(size: Size, runs: Path) -> Path:
    """Where the untrained model of a size is kept."""
    return runs / f"base-{size.name}"


def prepare(size: Size, data: Path, runs: Path, seed: int = 0) -> Checkpoint:
    """The start of stage 1 for a size, written to `start_folder`; what it is fitted on is cached under `runs`."""
    torch.manual_seed(seed)
    if size.weights:
        _say(f"reading {size.weights}")
        backend = family_tokenizer(Path(size.weights))
        model = PixSearch(size, Tokenizer(backend, size.image_tokens))
    elif not size.pretrained:
        backend = byte_tokenizer()
        model = PixSearch(size, Tokenizer(backend))
    else:
        model, backend = _cut_gemma(size, data, runs)
    checkpoint = Checkpoint(model, backend, {"stage": BASE, "steps": 0})
    if size.pretrained:
        checkpoint.description["view_recall"] = _fit(checkpoint, data, runs, seed)
        save_model(start_folder(size, runs), checkpoint)
    return checkpoint


def _cut_gemma(size: Size, data: Path, runs: Path) -> tuple[PixSearch, RustTokenizer]:
    """Gemma's layers of a size with the words that are used here."""
    _say("reading Gemma-3-270M")
    reader = GGUFReader(gguf_path(runs / "gemma"))
    backend = GemmaVocabulary(reader).cut(vocabulary_corpus(data), VOCABULARY)
    model = PixSearch(size, Tokenizer(backend))
    assert isinstance(model.language, Language)
    load_gemma(model.language, reader, backend)
    _say(f"vocabulary {model.language.vocabulary} of {len(reader.fields['tokenizer.ggml.tokens'].contents())}")
    return model, backend


def _fit(checkpoint: Checkpoint, data: Path, runs: Path, seed: int) -> float:
    """Text vectors and region head; returns the recall@1 of validation views."""
    model = checkpoint.model
    _say("text vectors")
    with torch.no_grad():
        model.text.table.weight.copy_(distil_text_vectors(checkpoint.tokenizer, model.size.text))
    _, rows, biases = efficientnet_lite0()
    train, validation = (views_of(runs, load_materials(data, split), model.trunk)
                         for split in (Split.TRAIN, Split.VALIDATION))
    losses = fit_region_head(model.region, train, rows, biases, seed)
    recall = view_recall(model.region, validation)
    _say(f"region head: losses {losses}, recall@1 of validation views {recall:.3f}")
    return recall


def _say(text: str) -> None:
    click.echo(text, err=True)
