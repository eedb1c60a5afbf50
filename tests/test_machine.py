"""The token-level grammar: whatever is allowed is well-formed, within budget, and words stay words."""

import numpy as np
import pytest
from edge_builders import tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

from pixsearch.contract.grammar import SPECIAL_TOKENS, MalformedTrace, Modality, Search
from pixsearch.contract.machine import MAX_QUERY_TOKENS, MAX_TEXT_TOKENS, State, TraceMachine
from pixsearch.contract.tokenizer import MAX_CONTEXT_TOKENS, MAX_EVIDENCE_TOKENS, MAX_QUESTION_TOKENS
from pixsearch.edge.decoder import Decoded, Decoder
from pixsearch.edge.grounding import NameGuard

TOKENIZER = tokenizer()
SPECIAL = TOKENIZER.special
hostile = st.lists(st.one_of(st.sampled_from(SPECIAL_TOKENS), st.text(max_size=20)), max_size=8).map("".join)


class RandomLanguage:
    """A language that likes whatever chance says; special tokens more than words, so that searches happen."""

    def __init__(self, seed: int) -> None:
        self._chance = np.random.default_rng(seed)
        self.read = 0

    def feed(self, ids) -> tuple[np.ndarray, np.ndarray]:
        self.read += len(ids)
        logits = self._chance.normal(size=TOKENIZER.size)
        logits[list(TOKENIZER.special_ids)] += self._chance.uniform(0, 4)
        return logits.astype(np.float32), np.zeros((len(ids), 2), np.float32)

    def forget(self, count: int) -> None:
        self.read -= count


def walk(
    seed: int, budget: int, evidence: str, deadline: float = np.inf, modalities=frozenset(Modality)
) -> tuple[Decoded, RandomLanguage]:
    language, ticks = RandomLanguage(seed), iter(range(10**6))
    decoder = Decoder(
        language,
        TOKENIZER,
        TraceMachine(TOKENIZER, budget, modalities),
        lambda request: evidence,
        NameGuard(lambda phrase: len(phrase) % 2 == 1, ""),
        deadline=deadline,
        clock=lambda: float(next(ticks)),
    )
    return decoder.run(TOKENIZER.prompt("x" * 200)), language


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 6), hostile)
def test_any_walk_over_allowed_tokens_is_a_trace_within_its_budget(
    seed: int, budget: int, evidence: str
) -> None:
    decoded, language = walk(seed, budget, evidence)
    searches = [segment for segment in decoded.trace if isinstance(segment, Search)]
    assert len(searches) <= budget and not isinstance(decoded.trace[-1], Search)
    assert language.read <= MAX_CONTEXT_TOKENS
    first = decoded.trace[0]
    assert not (isinstance(first, Search) and first.modality is Modality.REGION), (
        "a region needs words before it"
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sets(st.sampled_from(Modality)))
def test_only_allowed_sorts_of_search_are_opened(seed: int, modalities: set[Modality]) -> None:
    decoded, _ = walk(seed, 4, "facts", modalities=modalities)
    assert {one.modality for one in decoded.trace if isinstance(one, Search)} <= modalities


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 40))
def test_after_the_deadline_no_search_is_opened(seed: int, deadline: int) -> None:
    before, _ = walk(seed, 6, "facts")
    after, _ = walk(seed, 6, "facts", deadline=float(deadline))
    count = [sum(isinstance(segment, Search) for segment in decoded.trace) for decoded in (before, after)]
    assert count[1] <= min(count[0], deadline + 1)


@given(hostile)
def test_special_tokens_in_words_never_give_special_ids(text: str) -> None:
    assert not TOKENIZER.special_ids & set(TOKENIZER.encode(text))
    prompt = TOKENIZER.prompt(text)
    assert prompt.count(SPECIAL.question) == prompt.count(SPECIAL.answer) == 1
    assert not TOKENIZER.special_ids & set(TOKENIZER.information(text)[1:-1])
    assert (
        len(prompt) <= MAX_QUESTION_TOKENS + 39
        and len(TOKENIZER.information(text)) <= MAX_EVIDENCE_TOKENS + 2
    )


@given(st.text(max_size=40))
def test_words_survive_the_tokenizer(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


def after(*tokens: int, budget: int = 2) -> TraceMachine:
    machine = TraceMachine(TOKENIZER, budget)
    for token in tokens:
        machine.push(token)
    return machine


A = TOKENIZER.encode("a")[0]


@pytest.mark.parametrize(
    ("said", "token"),
    [
        ((), SPECIAL.eos),
        ((), SPECIAL.region),
        ((), SPECIAL.search_end),
        ((SPECIAL.search,), SPECIAL.region),
        ((SPECIAL.search,), SPECIAL.search_end),
        ((SPECIAL.search,), SPECIAL.eos),
        ((A, SPECIAL.search, SPECIAL.region), A),
        ((SPECIAL.search, A), SPECIAL.image),
        ((SPECIAL.search, A, SPECIAL.search_end), A),
        ((SPECIAL.search, A, SPECIAL.search_end), SPECIAL.information),
        ((A, SPECIAL.eos), A),
        ((), -1),
        ((), 10**6),
        ((A,), SPECIAL.pad),
        ((A,), SPECIAL.bos),
        ((A,), SPECIAL.answer),
    ],
)
def test_a_token_out_of_place_is_refused(said: tuple[int, ...], token: int) -> None:
    machine = after(*said)
    with pytest.raises(MalformedTrace):
        machine.push(token)


def test_lengths_of_words_and_queries_are_limited() -> None:
    assert set(np.flatnonzero(after(*[A] * MAX_TEXT_TOKENS).allowed())) == {SPECIAL.search, SPECIAL.eos}
    query = after(SPECIAL.search, *[A] * MAX_QUERY_TOKENS)
    assert set(np.flatnonzero(query.allowed())) == {SPECIAL.search_end}


def test_a_search_that_is_open_at_the_deadline_may_be_closed() -> None:
    machine = after(SPECIAL.search)
    machine.expire()
    machine.push(SPECIAL.image)
    machine.push(SPECIAL.search_end)
    machine.push_evidence(TOKENIZER.information("x"))
    assert machine.state is State.TEXT and not machine.allowed()[SPECIAL.search]


@pytest.mark.parametrize(
    "ids", [[], [SPECIAL.information], [A, A], [SPECIAL.information, SPECIAL.search, SPECIAL.information_end]]
)
def test_evidence_must_be_words_in_its_tokens(ids: list[int]) -> None:
    machine = after(SPECIAL.search, SPECIAL.image, SPECIAL.search_end)
    with pytest.raises(MalformedTrace):
        machine.push_evidence(ids)
