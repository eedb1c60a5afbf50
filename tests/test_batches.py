"""Samples become tensors: what is learned, what is only read, and which words name which thing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from miniature import some_looks, some_samples, write_corpus
from test_wordnet import write_wordnet

from pixsearch.contract.grammar import Text
from pixsearch.contract.graphs import SPAN_TOKENS
from pixsearch.contract.tokenizer import IMAGE_TOKENS, Tokenizer, byte_tokenizer
from pixsearch.model import concepts
from pixsearch.model.batches import (
    IGNORED,
    OTHERS_A_SCENE,
    _segments,
    can_mirror,
    encode_sample,
    make_batch,
    make_others,
    make_scenes,
    mirror_words,
)
from pixsearch.model.concepts import Concepts
from pixsearch.model.data.records import Sample, Span, Split


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer(byte_tokenizer())


def test_prompt_and_evidence_are_read_and_the_rest_is_learned(tokenizer: Tokenizer) -> None:
    encoded = encode_sample(some_samples(0)[1], tokenizer)
    learned = [token for token, counted in zip(encoded.ids, encoded.counted, strict=True) if counted]
    special = tokenizer.special
    assert learned == [*tokenizer.encode("The mug"), special.search, special.region, special.search_end,
                       *tokenizer.encode(" is made by Norvik."), special.eos]
    given = [token for token, counted in zip(encoded.ids, encoded.counted, strict=True) if not counted]
    assert given == [*tokenizer.prompt("Who makes the mug?"),
                     *tokenizer.information("Norvik mug (sure) | maker: Norvik")]


def test_a_span_covers_its_own_tokens(tokenizer: Tokenizer) -> None:
    encoded = encode_sample(some_samples(0)[0], tokenizer)
    positions, spans, numbers = encoded.segments[0]
    (start, end), = spans
    assert tokenizer.decode([encoded.ids[position] for position in positions[start:end]]) == "The cup"
    assert numbers == [0]


def test_only_the_last_words_of_a_long_segment_are_tagged(tokenizer: Tokenizer) -> None:
    words = "x" * SPAN_TOKENS + " the cup"
    sample = Sample(1, Split.TRAIN, 1, "list", "What?", (Text(words),), "", None,
                    (Span(0, 0, 4, 0, None), Span(0, len(words) - 3, len(words), 1, "cup")))
    segments, queries = _segments([encode_sample(sample, tokenizer)])
    assert len(segments[0].positions) == SPAN_TOKENS
    assert segments[0].spans == [(SPAN_TOKENS - 3, SPAN_TOKENS)]
    assert queries == [(0, (SPAN_TOKENS - 3, SPAN_TOKENS), 1)]


def test_a_batch_pads_what_is_not_counted_and_draws_the_same_twice(
        tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tabby = write_wordnet(tmp_path / "wordnet" / "3.0")["tabby"]
    monkeypatch.setattr(concepts, "class_names", lambda: {tabby: "tabby"})
    corpus, named = write_corpus(tmp_path / "corpus"), Concepts(tmp_path)
    batch, again = (make_batch(corpus.samples[:2], corpus, tokenizer, named, some_looks(), np.random.default_rng(0))
                    for _ in range(2))
    counted = batch.labels != IGNORED
    assert torch.equal(batch.labels[counted], batch.ids[counted])
    assert counted.sum(dim=1).tolist() == [sum(encode_sample(one, tokenizer).counted) for one in corpus.samples[:2]]
    padding = torch.arange(batch.ids.shape[1]) >= len(encode_sample(corpus.samples[0], tokenizer).ids)
    assert padding.any() and (batch.ids[0, padding] == tokenizer.special.pad).all() and not counted[0, padding].any()
    assert (batch.ids == tokenizer.special.pad).sum(dim=1)[1] == IMAGE_TOKENS  # the longer row has no padding
    assert batch.phrases == ["The cup", "The mug"] and batch.segment_rows.tolist() == [0, 1, 1]
    assert batch.gold[0, 30, 20] == 1 and batch.gold[1, 50, 60] == 1
    assert batch.prompts.point[1, 2] == 1  # the point that the question came with
    assert len(batch.other.phrases) == 2 * OTHERS_A_SCENE
    assert torch.equal(batch.prompts.point, again.prompts.point) and batch.other.phrases == again.other.phrases


def test_a_corpus_comes_back_as_it_was_written(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    assert corpus.samples[:2] == some_samples(0)
    assert [len(corpus.of_stage(stage)) for stage in (1, 2)] == [3, 3]
    assert corpus.mask(corpus.samples[1], 1)[45, 60] == 1.0
    assert len(corpus.referred(corpus.samples[0])) == 2


@pytest.mark.parametrize(("words", "turned"), [
    ("the leftmost cup", "the rightmost cup"), ("the cup right of the left kettle", "the cup left of the right kettle"),
    ("the left-hand cup", "the right-hand cup"), ("the bright cup", "the bright cup")])
def test_words_turn_with_the_picture(words: str, turned: str) -> None:
    assert mirror_words(words) == turned and mirror_words(turned) == words


def test_a_mirrored_scene_turns_everything_or_is_left_alone(
        tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tabby = write_wordnet(tmp_path / "wordnet" / "3.0")["tabby"]
    monkeypatch.setattr(concepts, "class_names", lambda: {tabby: "tabby"})
    corpus, named = write_corpus(tmp_path / "corpus"), Concepts(tmp_path)
    sample = corpus.samples[1]  # its mug has a point
    assert can_mirror(sample, corpus, {"The mug"}) and not can_mirror(sample, corpus, {"the cup"})
    plain, mirrored = (make_others([sample], corpus, named, some_looks(), np.random.default_rng(0), 8, turn,
                                    {"The mug"}) for turn in ([False], [True]))
    assert set(plain.phrases) == {"The cup", "The mug"} and set(mirrored.phrases) == {"The mug"}
    mug = plain.phrases.index("The mug")
    assert torch.equal(mirrored.gold[0], plain.gold[mug].flip(-1))
    assert torch.allclose(mirrored.prompts.point[0, :2], torch.tensor([1.0, 0.0]) + plain.prompts.point[mug, :2]
                          * torch.tensor([-1.0, 1.0]))
    straight, turned = (make_scenes([sample], corpus, turn) for turn in ([False], [True]))
    assert torch.equal(straight.layout[:, 0].flip(-1), turned.layout[:, 0])
    features, flipped = (corpus.scene_features(one.rows, one.mirrored) for one in (straight, turned))
    assert all(torch.equal(a.flip(-1), b) for a, b in zip(features.levels, flipped.levels, strict=True))
