"""The trace grammar: special tokens, the string form of a trace, and its escape rules.

A trace is ordinary text with interleaved searches (PixSearch, arXiv 2601.19060 §3):

    The cat<search><region></search><information>…</information> is an Egyptian cat.

The token-level state machine that enforces the same grammar while decoding is in `machine.py`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

PAD, BOS, EOS = "<pad>", "<bos>", "<eos>"
QUESTION, ANSWER = "<question>", "<answer>"
SEARCH, SEARCH_END = "<search>", "</search>"
INFORMATION, INFORMATION_END = "<information>", "</information>"
REGION, IMAGE = "<region>", "<image>"
SPECIAL_TOKENS = (PAD, BOS, EOS, QUESTION, ANSWER, SEARCH, SEARCH_END, INFORMATION, INFORMATION_END, REGION, IMAGE)

_NAMES = "|".join(re.escape(token[1:-1]) for token in SPECIAL_TOKENS)
_LITERAL = re.compile(rf"<(\\*)({_NAMES})>")
_ESCAPED = re.compile(rf"<\\(\\*)({_NAMES})>")
_TOKEN = re.compile(rf"(<(?:{_NAMES})>)")


class Modality(StrEnum):
    """What a search is made with."""

    REGION = "region"
    IMAGE = "image"
    TEXT = "text"


class MalformedTrace(ValueError):
    """A string that the grammar does not derive."""


@dataclass(frozen=True)
class Text:
    """Words of the model; never empty."""

    text: str

    def __post_init__(self) -> None:
        if not self.text:
            raise MalformedTrace("a text segment must not be empty")


@dataclass(frozen=True)
class Search:
    """One search. `query` holds the words of a text search; `evidence` is None until the runtime answered."""

    modality: Modality
    query: str | None = None
    evidence: str | None = None

    def __post_init__(self) -> None:
        if (self.modality is Modality.TEXT) != bool(self.query):
            raise MalformedTrace(f"a {self.modality} search with query {self.query!r}")


Trace = tuple[Text | Search, ...]


def escape(text: str) -> str:
    """Keep words that look like special tokens from reading as such: "<search>" becomes "<\\search>"."""
    return _LITERAL.sub(r"<\\\1\2>", text)


def unescape(text: str) -> str:
    """Undo `escape`."""
    return _ESCAPED.sub(r"<\1\2>", text)


def render(trace: Trace) -> str:
    """Write a trace in its string form. Raises MalformedTrace for two text segments in a row."""
    parts: list[str] = []
    for position, segment in enumerate(trace):
        if isinstance(segment, Text):
            if position and isinstance(trace[position - 1], Text):
                raise MalformedTrace("two text segments in a row")
            parts.append(escape(segment.text))
            continue
        payload = escape(segment.query) if segment.query else f"<{segment.modality}>"
        parts += [SEARCH, payload, SEARCH_END]
        if segment.evidence is not None:
            parts += [INFORMATION, escape(segment.evidence), INFORMATION_END]
    return "".join(parts)


def parse(rendered: str) -> Trace:
    """Read the string form of a trace; the inverse of `render`. Raises MalformedTrace."""
    pieces = [piece for piece in _TOKEN.split(rendered) if piece]
    trace: list[Text | Search] = []
    at = 0
    while at < len(pieces):
        if not _TOKEN.fullmatch(pieces[at]):
            trace.append(Text(unescape(pieces[at])))
            at += 1
            continue
        _expect(pieces, at, SEARCH)
        _expect(pieces, at + 2, SEARCH_END)
        payload, at = pieces[at + 1], at + 3
        evidence = None
        if at < len(pieces) and pieces[at] == INFORMATION:
            empty = at + 1 < len(pieces) and pieces[at + 1] == INFORMATION_END
            evidence = "" if empty else _words(pieces, at + 1)
            _expect(pieces, at + (1 if empty else 2), INFORMATION_END)
            at += 2 if empty else 3
        if payload in (REGION, IMAGE):
            trace.append(Search(Modality(payload[1:-1]), None, evidence))
        else:
            trace.append(Search(Modality.TEXT, _words([payload], 0), evidence))
    return tuple(trace)


def _expect(pieces: list[str], at: int, token: str) -> None:
    found = pieces[at] if at < len(pieces) else "the end"
    if found != token:
        raise MalformedTrace(f"expected {token}, found {found!r}")


def _words(pieces: list[str], at: int) -> str:
    found = pieces[at] if at < len(pieces) else "the end"
    if at >= len(pieces) or _TOKEN.fullmatch(found):
        raise MalformedTrace(f"expected words, found {found!r}")
    return unescape(found)
