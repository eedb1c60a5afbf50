"""A vocabulary is cut to what a corpus uses, and every text still survives it."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixsearch.contract.grammar import SPECIAL_TOKENS
from pixsearch.contract.tokenizer import Tokenizer
from pixsearch.model.pretrained import ALWAYS_KEPT, BYTE_PIECE, NORMAL_PIECE, SPACE, GemmaVocabulary

CONTROL_PIECE = 3
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
MERGED = ["he", "at", "in", "th", "the", f"{SPACE}the", "cat", "cats", f"{SPACE}cat", f"{SPACE}cats", "ing", "hat",
          "that", f"{SPACE}that", "zebra", "ze", "br", "bra"]
SINGLES = [SPACE, *(chr(code) for code in range(33, 127)), "\n", "é", "猫"]
CORPUS = ["the cat sat", "that cat and the cats", "thing in a hat, the hat"] * 3


def a_vocabulary() -> GemmaVocabulary:
    """The fields of a GGUF file with a few pieces; a better rank is a higher score."""
    pieces = [*("<pad>", "<eos>", "<bos>"), *BYTES, *MERGED, *SINGLES]
    types = [CONTROL_PIECE] * 3 + [BYTE_PIECE] * 256 + [NORMAL_PIECE] * (len(MERGED) + len(SINGLES))
    contents = {"tokens": pieces, "token_type": types, "scores": [-float(i) for i in range(len(pieces))]}
    return GemmaVocabulary(SimpleNamespace(fields={
        f"tokenizer.ggml.{name}": SimpleNamespace(contents=lambda values=values: values)
        for name, values in contents.items()}))  # type: ignore[arg-type]


BACKEND = a_vocabulary().cut(CORPUS, limit=len(SINGLES) + 6)
TOKENIZER = Tokenizer(BACKEND)


def pieces_of(text: str) -> list[str]:
    return list(BACKEND.encode(text, add_special_tokens=False).tokens)


def test_every_kept_piece_is_reached() -> None:
    kept = [piece for piece in BACKEND.get_vocab() if piece not in SPECIAL_TOKENS and piece not in BYTES]
    assert {piece: pieces_of(piece) for piece in kept} == {piece: [piece] for piece in kept}


def test_a_piece_that_no_merge_leads_to_is_dropped() -> None:
    kept = a_vocabulary()._without_unreachable({"hat", "he", *SINGLES}).get_vocab()  # neither "ha" nor "at" is there
    assert "he" in kept and "hat" not in kept


def test_used_pieces_stay_and_unused_ones_go() -> None:
    kept = set(BACKEND.get_vocab())
    assert {f"{SPACE}cat", f"{SPACE}the"} <= kept
    assert not {"zebra", "bra", "猫"} & kept


def test_single_characters_and_all_bytes_stay() -> None:
    kept = set(BACKEND.get_vocab())
    assert set(BYTES) <= kept
    assert {piece for piece in SINGLES if piece == SPACE or ord(piece) < ALWAYS_KEPT} <= kept


def test_special_tokens_come_first_in_the_order_of_the_grammar() -> None:
    assert [BACKEND.token_to_id(token) for token in SPECIAL_TOKENS] == list(range(len(SPECIAL_TOKENS)))


@pytest.mark.parametrize(("text", "expected"), [
    (" cat", [f"{SPACE}cat"]),
    ("q9", ["q", "9"]),
    ("猫", ["<0xE7>", "<0x8C>", "<0xAB>"]),  # a piece of the whole vocabulary that the corpus does not use
    ("é", ["é"]),
    ("zebra", ["z", "e", "b", "r", "a"]),
])
def test_pieces_of_words(text: str, expected: list[str]) -> None:
    assert pieces_of(text) == expected


@pytest.mark.parametrize(("text", "expected"), [
    ("ath", ["at", "h"]),  # "at" outranks "th", which stands to its right
    ("the", ["t", "he"]),  # "he" outranks "th", which stands to its left
    ("thath", ["that", "h"]),  # a piece that is made of merged pieces
])
def test_the_best_rank_merges_first(text: str, expected: list[str]) -> None:
    backend = a_vocabulary().tokenizer(["he", "at", "th", "that", *SINGLES])
    assert backend.encode(text, add_special_tokens=False).tokens == expected


# Gemma writes a space as SPACE, so that this one character does come back as a space
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=SPACE), max_size=40)


@given(texts)
def test_any_text_comes_back(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(st.lists(st.one_of(st.sampled_from(SPECIAL_TOKENS), texts), max_size=6).map("".join))
def test_words_never_become_special_tokens(text: str) -> None:
    ids = TOKENIZER.encode(text)
    assert not TOKENIZER.special_ids & set(ids)
    assert TOKENIZER.decode(ids) == text
