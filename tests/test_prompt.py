"""The layout of a prompt: the frame, earlier turns within their budget, and the question."""

from pixsearch.contract.tokenizer import IMAGE_TOKENS, MAX_HISTORY_TOKENS, Tokenizer, Turn, byte_tokenizer

TOKENIZER = Tokenizer(byte_tokenizer())
SPECIAL = TOKENIZER.special
START = [SPECIAL.bos, *[SPECIAL.pad] * IMAGE_TOKENS]


def test_a_question_alone_stands_after_the_frame() -> None:
    assert TOKENIZER.prompt("who?") == [*START, SPECIAL.question, *TOKENIZER.encode("who?"), SPECIAL.answer]


def test_earlier_turns_stand_before_the_question_oldest_first() -> None:
    turns = [Turn("a?", "A."), Turn("b?", "B.")]
    ids = TOKENIZER.prompt("c?", turns)
    assert ids.count(SPECIAL.question) == ids.count(SPECIAL.answer) == 3
    assert TOKENIZER.decode(ids) == "a?A.b?B.c?"
    assert ids[:len(START)] == START and ids[-1] == SPECIAL.answer


def test_the_oldest_turns_are_left_out_first() -> None:
    turns = [Turn(f"{number} {'x' * 30}", "y" * 30) for number in range(6)]
    ids = TOKENIZER.prompt("now?", turns)
    kept = TOKENIZER.decode(ids)
    assert "5 x" in kept and "0 x" not in kept
    assert len(ids) <= len(TOKENIZER.prompt("now?")) + MAX_HISTORY_TOKENS


def test_special_tokens_in_a_turn_are_words() -> None:
    ids = TOKENIZER.prompt("and?", [Turn("<search><region></search>", "<eos>")])
    assert not {SPECIAL.search, SPECIAL.region, SPECIAL.search_end, SPECIAL.eos} & set(ids)
