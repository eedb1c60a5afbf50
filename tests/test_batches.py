"""Samples become tensors: what is learned, what is only read, and which words name which thing."""

from pathlib import Path

import pytest
from miniature import some_samples, write_corpus

from pixsearch.contract.grammar import Text
from pixsearch.contract.graphs import SPAN_TOKENS
from pixsearch.contract.tokenizer import Tokenizer, byte_tokenizer
from pixsearch.model.batches import _segments, encode_sample
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


def test_a_corpus_comes_back_as_it_was_written(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    assert corpus.samples[:2] == some_samples(0)
    assert [len(corpus.of_stage(stage)) for stage in (1, 2)] == [3, 3]
    assert corpus.mask(corpus.samples[1], 1)[45, 60] == 1.0
    assert len(corpus.referred(corpus.samples[0])) == 2
