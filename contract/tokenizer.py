"""Text to token ids and back, and the layout of a prompt. Words can never become special tokens here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer as RustTokenizer

from pixsearch.contract import grammar
from pixsearch.contract.faults import Fault

IMAGE_TOKENS = 36  # vectors that stand for the frame in a prompt, a 6 x 6 grid; more where a tower gives more
MAX_QUESTION_TOKENS = 64
MAX_EVIDENCE_TOKENS = 112
MAX_HISTORY_TOKENS, MAX_TURN_TOKENS = 144, 48  # of all earlier turns, and of one answer among them
MAX_CONTEXT_TOKENS = 512  # Gemma's sliding window: below it every layer attends to everything
MAX_WORDS = MAX_CONTEXT_TOKENS - IMAGE_TOKENS  # in a context, beside the image


@dataclass(frozen=True)
class Turn:
    """An earlier question about the same frame, and what was answered, as it was spoken."""

    question: str
    answer: str


@dataclass(frozen=True)
class SpecialIds:
    """Ids of the special tokens."""

    pad: int  # also the place holder of image vectors in a prompt
    bos: int
    eos: int
    question: int
    answer: int
    search: int
    search_end: int
    information: int
    information_end: int
    region: int
    image: int


class Tokenizer:
    """A byte-fallback BPE whose special tokens only ever come from `special`, never from text."""

    def __init__(self, backend: RustTokenizer, image_tokens: int = IMAGE_TOKENS) -> None:
        backend.encode_special_tokens = True  # "<search>" in a question is words
        self._backend, self.image_tokens = backend, image_tokens
        self.size = backend.get_vocab_size()
        ids = [backend.token_to_id(token) for token in grammar.SPECIAL_TOKENS]
        if None in ids:
            raise Fault("tokenizer", expected=f"the special tokens {' '.join(grammar.SPECIAL_TOKENS)}",
                        actual="some missing", remedy="use the tokenizer.json of a model bundle")
        self.special = SpecialIds(*ids)
        own = (id for id, token in backend.get_added_tokens_decoder().items() if token.special)
        self.special_ids = frozenset([*ids, *own])  # a family's own special tokens are no words either

    def id_of(self, token: str) -> int | None:
        """The id of a whole token by its name, a special one included."""
        found: int | None = self._backend.token_to_id(token)
        return found

    @property
    def context(self) -> int:
        """How many tokens a sequence may have."""
        return self.image_tokens + MAX_WORDS

    @classmethod
    def load(cls, path: Path, image_tokens: int = IMAGE_TOKENS) -> "Tokenizer":
        """Read a tokenizer.json."""
        return cls(RustTokenizer.from_file(str(path)), image_tokens)

    def encode(self, text: str) -> list[int]:
        """Ids of ordinary words."""
        return list(self._backend.encode(text, add_special_tokens=False).ids)

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Ids with the characters (start, end) that each stands for."""
        encoding = self._backend.encode(text, add_special_tokens=False)
        return list(encoding.ids), list(encoding.offsets)

    def decode(self, ids: list[int]) -> str:
        """Words of ordinary ids; special ids are left out."""
        return str(self._backend.decode([i for i in ids if i not in self.special_ids], skip_special_tokens=False))

    def prompt(self, question: str, history: Sequence[Turn] = ()) -> list[int]:
        """`<bos> image… <question> words <answer>`, with pad ids where the image vectors go.

        history : earlier turns about the same frame, oldest first, which stand before the question as
            `<question> words <answer> words`; the oldest are left out where MAX_HISTORY_TOKENS is passed
        """
        special = self.special
        earlier: list[int] = []
        for turn in reversed(history):
            said = [special.question, *self.encode(turn.question)[:MAX_QUESTION_TOKENS],
                    special.answer, *self.encode(turn.answer)[:MAX_TURN_TOKENS]]
            if len(said) + len(earlier) > MAX_HISTORY_TOKENS:
                break
            earlier = said + earlier
        words = self.encode(question)[:MAX_QUESTION_TOKENS]
        return [special.bos, *[special.pad] * self.image_tokens, *earlier, special.question, *words, special.answer]

    def information(self, evidence: str) -> list[int]:
        """`<information> evidence </information>`, cut to the evidence budget."""
        words = self.encode(evidence)[:MAX_EVIDENCE_TOKENS]
        return [self.special.information, *words, self.special.information_end]


def byte_tokenizer() -> RustTokenizer:
    """A tokenizer of the special tokens and the 256 bytes, for models that tests train in seconds."""
    from tokenizers import AddedToken, decoders, models

    vocabulary = {token: index for index, token in enumerate(grammar.SPECIAL_TOKENS)}
    vocabulary |= {f"<0x{byte:02X}>": len(vocabulary) + byte for byte in range(256)}
    backend = RustTokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True))
    backend.decoder = decoders.ByteFallback()
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in grammar.SPECIAL_TOKENS])
    return backend
