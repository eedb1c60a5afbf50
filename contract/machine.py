"""The trace grammar as a state machine over token ids: what may follow, with a search budget and a deadline.

    TEXT ──<search>──► PAYLOAD ──<region>|<image>──► CLOSE ──</search>──► EVIDENCE ──(forced)──► TEXT ──<eos>──► DONE
                          └── words (QUERY) ── </search> ──────────────────┘
"""

from collections.abc import Collection
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.grammar import MalformedTrace, Modality
from pixsearch.contract.tokenizer import Tokenizer

DEFAULT_BUDGET = 2  # searches a question; the paper's budget ablation gains almost nothing beyond two
MAX_QUERY_TOKENS = 24
MAX_TEXT_TOKENS = 64  # words between two special tokens


class State(Enum):
    """Where in a trace the decoder stands."""

    TEXT = auto()
    PAYLOAD = auto()  # just after <search>
    QUERY = auto()  # inside the words of a text search
    CLOSE = auto()  # after <region> or <image>, or at the end of a query's length
    EVIDENCE = auto()  # after </search>: the runtime appends <information>…</information>
    DONE = auto()


class TraceMachine:
    """Follows one trace token by token and says which ids may come next.

    A region search needs words before it, since it takes the last entity span. The trace may end only in words,
    so that a search is never the last thing said. After `expire()` no search may be opened.
    """

    def __init__(self, tokenizer: Tokenizer, budget: int = DEFAULT_BUDGET,
                 modalities: Collection[Modality] = frozenset(Modality)) -> None:
        """budget : searches that may be opened; modalities : of what sort they may be."""
        if budget < 0:
            raise ValueError(f"budget must be at least 0, got {budget}")
        special = self._special = tokenizer.special
        self._size = tokenizer.size
        self._words = np.ones(self._size, dtype=np.bool_)
        self._words[list(tokenizer.special_ids)] = False
        self._follow = {State.CLOSE: self._only(special.search_end),
                        State.EVIDENCE: self._only(special.information), State.DONE: self._only()}
        self.state = State.TEXT
        self.searches_left = budget
        self._length = 0  # words since the last special token
        self._said_words = False
        self._modalities = frozenset(modalities)

    def _only(self, *ids: int) -> NDArray[np.bool_]:
        mask = np.zeros(self._size, dtype=np.bool_)
        mask[list(ids)] = True
        return mask

    def allowed(self) -> NDArray[np.bool_]:
        """Which ids may come next: bool, shape (vocabulary,). All False when the trace is done."""
        if self.state in self._follow:
            return self._follow[self.state]
        special = self._special
        if self.state is State.PAYLOAD:
            mask = self._words.copy() if Modality.TEXT in self._modalities else self._only()
            mask[special.image] = Modality.IMAGE in self._modalities
            mask[special.region] = self._may_cut_out()
            return mask
        if self.state is State.QUERY:
            mask = self._words.copy() if self._length < MAX_QUERY_TOKENS else self._only()
            mask[special.search_end] = True
            return mask
        mask = self._words.copy() if self._length < MAX_TEXT_TOKENS else self._only()
        without_words = self._modalities - {Modality.REGION}
        mask[special.search] = self.searches_left > 0 and bool(without_words or self._may_cut_out())
        mask[special.eos] = self._length > 0
        return mask

    def _may_cut_out(self) -> bool:
        return self._said_words and Modality.REGION in self._modalities

    def push(self, token: int) -> None:
        """Take the next token. Raises MalformedTrace when it is not allowed."""
        special = self._special
        if self.state is State.EVIDENCE and token == special.information:
            raise MalformedTrace("evidence is appended whole, by `push_evidence`")
        if not (0 <= token < self._size and self.allowed()[token]):
            raise MalformedTrace(f"token {token} is not allowed in {self.state.name}")
        if token == special.search:
            self.state, self._length = State.PAYLOAD, 0
            self.searches_left -= 1
        elif token in (special.region, special.image):
            self.state = State.CLOSE
        elif token == special.search_end:
            self.state = State.EVIDENCE
        elif token == special.eos:
            self.state = State.DONE
        else:
            self._push_word()

    def _push_word(self) -> None:
        self._length += 1
        if self.state is State.PAYLOAD:
            self.state = State.QUERY
        elif self.state is State.TEXT:
            self._said_words = True

    def push_evidence(self, ids: list[int]) -> None:
        """Take the runtime's `<information> words </information>`. Raises MalformedTrace for anything else."""
        special = self._special
        if self.state is not State.EVIDENCE:
            raise MalformedTrace(f"evidence is not due in {self.state.name}")
        if len(ids) < 2 or ids[0] != special.information or ids[-1] != special.information_end:
            raise MalformedTrace("evidence must stand between <information> and </information>")
        if not self._words[ids[1:-1]].all():
            raise MalformedTrace("evidence holds special tokens")
        self.state, self._length = State.TEXT, 0

    def take_back(self, count: int) -> None:
        """Unsay the last `count` words. Raises MalformedTrace when they are not all of the present text."""
        if self.state is not State.TEXT or not 0 <= count <= self._length:
            raise MalformedTrace(f"{count} words cannot be taken back in {self.state.name} after {self._length}")
        self._length -= count

    def expire(self) -> None:
        """The deadline has passed: no further search may be opened; an open one may still be closed."""
        self.searches_left = 0

    @property
    def done(self) -> bool:
        """Whether the trace has ended."""
        return self.state is State.DONE
