"""The string form of a trace: what is rendered is read back, and words never become tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixsearch.contract.grammar import (
    SPECIAL_TOKENS,
    MalformedTrace,
    Modality,
    Search,
    Text,
    escape,
    parse,
    render,
    unescape,
)

hostile = st.one_of(
    st.sampled_from(SPECIAL_TOKENS),
    st.sampled_from([r"<\search>", r"<\\region>", "<", ">", "\\", "\n"]),
    st.text(max_size=8),
)
words = st.lists(hostile, min_size=1, max_size=6).map("".join).filter(bool)
evidence = st.one_of(st.none(), st.just(""), words)
searches = st.one_of(
    st.builds(Search, st.sampled_from([Modality.REGION, Modality.IMAGE]), st.none(), evidence),
    st.builds(Search, st.just(Modality.TEXT), words, evidence),
)


def _without_double_text(segments: list[Text | Search]) -> tuple[Text | Search, ...]:
    return tuple(
        segment
        for at, segment in enumerate(segments)
        if not (at and isinstance(segment, Text) and isinstance(segments[at - 1], Text))
    )


traces = st.lists(st.one_of(words.map(Text), searches), max_size=8).map(_without_double_text)


@given(traces)
def test_a_rendered_trace_reads_back_as_itself(trace: tuple[Text | Search, ...]) -> None:
    assert parse(render(trace)) == trace


@given(words)
def test_escaping_hides_every_token_and_can_be_undone(text: str) -> None:
    assert unescape(escape(text)) == text
    assert not any(token in escape(text) for token in SPECIAL_TOKENS)


@given(words, words)
def test_evidence_and_queries_cannot_open_or_close_anything(query: str, found: str) -> None:
    rendered = render((Search(Modality.TEXT, query, found), Text("ok")))
    assert [
        rendered.count(token) for token in ("<search>", "</search>", "<information>", "</information>")
    ] == [1] * 4
    assert "<region>" not in rendered and "<image>" not in rendered


@pytest.mark.parametrize(
    "broken",
    [
        "<search>",
        "<search></search>",
        "<search><region>",
        "a<search><region></search><information>x",
        "</search>",
        "<region>",
        "<eos>",
        "<information>x</information>",
        "<search>a<search>b</search></search>",
        "<search><region></search><information><image></information>",
        "<search><region>words</search>",
    ],
)
def test_a_string_outside_the_grammar_is_refused(broken: str) -> None:
    with pytest.raises(MalformedTrace):
        parse(broken)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Text(""),
        lambda: Search(Modality.TEXT),
        lambda: Search(Modality.TEXT, ""),
        lambda: Search(Modality.REGION, "words"),
        lambda: render((Text("a"), Text("b"))),
    ],
)
def test_a_trace_that_means_nothing_cannot_be_built(build) -> None:
    with pytest.raises(MalformedTrace):
        build()
