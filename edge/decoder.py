"""Search-interleaved decoding: one loop over token ids, in which evidence is a block of forced ids."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.contract.grammar import Modality, Search, Text, Trace
from pixsearch.contract.machine import MAX_QUERY_TOKENS, MAX_TEXT_TOKENS, State, TraceMachine
from pixsearch.contract.tokenizer import MAX_EVIDENCE_TOKENS, Tokenizer
from pixsearch.edge.grounding import NameGuard
from pixsearch.edge.language import Language

MAX_RETRIES = 4  # names without support that are taken back in one trace
RUN_TOKENS = 6  # a run that is not said twice in one segment: small models fall into loops
# What a search may yet cost: <search> payload </search> <information> words </information>, and an answer.
SEARCH_TOKENS = 1 + MAX_QUERY_TOKENS + 1 + MAX_EVIDENCE_TOKENS + 2 + MAX_TEXT_TOKENS


@dataclass(frozen=True)
class SearchRequest:
    """A search that the model opened.

    words  : ids of the last words said before it
    hidden : their last hidden states, float32 (N, W); N may be 0
    """

    modality: Modality
    query: str | None
    words: tuple[int, ...]
    hidden: NDArray[np.float32]


@dataclass(frozen=True)
class Decoded:
    """A finished trace.

    log_probabilities : of the answer's tokens (words after the last search), each among the ids allowed
    tokens            : how many the model chose, those that were taken back too; forced ones are not counted
    first_token_at    : clock reading when the first one was chosen
    grounded          : whether every name that the guard looked at came from evidence or question
    """

    trace: Trace
    log_probabilities: tuple[float, ...]
    tokens: int
    first_token_at: float
    grounded: bool


class Decoder:
    """Decodes one trace greedily among the ids that the grammar allows.

    search   : answers a request with evidence
    guard    : tells names that nothing supports; such a name is taken back and another word said
    deadline : reading of `clock`, in its seconds, after which no search may be opened
    on_token : told the trace so far before each token; what it raises ends decoding
    """

    def __init__(self, language: Language, tokenizer: Tokenizer, machine: TraceMachine,
                 search: Callable[[SearchRequest], str], guard: NameGuard, *, deadline: float,
                 clock: Callable[[], float], on_token: Callable[[Trace], None] = lambda _: None) -> None:
        self._language, self._tokenizer, self._machine, self._search = language, tokenizer, machine, search
        self._guard, self._deadline, self._clock, self._on_token = guard, deadline, clock, on_token
        self._segments: list[Text | Search] = []
        self._ids: list[int] = []  # of the segment that is being said
        self._modality = Modality.TEXT  # of the search that is open
        self._words: list[int] = []  # of the last text segment that has any
        self._hidden: list[NDArray[np.float32]] = []  # of those words
        self._log_probabilities: list[float] = []
        self._before = 0  # the token that the segment being said follows
        self._banned: dict[int, set[int]] = {}  # by position in the segment: ids that began an unsupported name
        self._retries, self._grounded = 0, True
        self._room = tokenizer.context
        self._chosen = 0
        self._first_token_at = 0.0

    def run(self, prompt: Sequence[int]) -> Decoded:
        """Decode after a prompt. Raises Fault when the model's numbers are not finite."""
        pending = list(prompt)
        while not self._machine.done:
            self._on_token(self._so_far())
            said = self._machine.state is State.TEXT and bool(self._ids)  # `pending` is one word
            logits, hidden = self._language.feed(pending)
            self._room -= len(pending)
            if said:
                self._hidden.append(hidden[-1])
            if self._room < SEARCH_TOKENS or self._clock() >= self._deadline:
                self._machine.expire()
            pending = self._next(logits)
        self._close_text()
        return Decoded(tuple(self._segments), tuple(self._log_probabilities), self._chosen,
                       self._first_token_at, self._grounded)

    def _so_far(self) -> Trace:
        saying = self._ids and self._machine.state is State.TEXT
        return (*self._segments, Text(self._tokenizer.decode(self._ids))) if saying else tuple(self._segments)

    def _next(self, logits: NDArray[np.float32]) -> list[int]:
        """Choose a token; with it comes everything that the grammar and the search then force."""
        token = self._choose(logits)
        if (at := self._unsupported(token)) is not None:
            return [self._take_back(at)]
        self._accept(token)
        pending = [token]
        while not self._machine.done:
            if self._machine.state is State.EVIDENCE:
                pending += self._evidence()
                continue
            forced = np.flatnonzero(self._machine.allowed())
            if len(forced) > 1:
                break
            pending.append(int(forced[0]))
            self._push(pending[-1])
        return pending

    def _choose(self, logits: NDArray[np.float32]) -> int:
        """The likeliest id that grammar and guard allow; `_scores` keeps those of all."""
        scores = np.where(self._machine.allowed(), logits.astype(np.float64), -np.inf)
        scores[[*self._repeating(), *self._banned.get(len(self._ids), ())]] = -np.inf
        token = int(scores.argmax())
        if not np.isfinite(scores[token]):
            raise Fault("language graph", expected="finite numbers", actual=str(scores[token]),
                        remedy="verify the bundle, or export it again")
        if not self._chosen:
            self._first_token_at = self._clock()
        self._chosen += 1
        self._scores = scores
        return token

    def _accept(self, token: int) -> None:
        self._push(token)
        if self._machine.state is State.TEXT:
            self._log_probabilities.append(-float(np.log(np.exp(self._scores - self._scores[token]).sum())))

    def _unsupported(self, token: int) -> int | None:
        """Where in the segment an unsupported name begins that `token` would end."""
        if self._machine.state is not State.TEXT or not self._guard.read_evidence or not self._ids:
            return None
        said = self._tokenizer.decode(self._ids)
        if self._tokenizer.decode([*self._ids, token])[len(said):len(said) + 1].isalnum():
            return None  # the word goes on
        start = self._guard.unsupported(said)
        if start is None:
            return None
        self._retries += 1
        if self._retries > MAX_RETRIES:
            self._grounded = False
            return None
        return next(at for at in range(len(self._ids)) if len(self._tokenizer.decode(self._ids[:at + 1])) > start)

    def _take_back(self, at: int) -> int:
        """Unsay the segment from a position on, and never begin so again; returns the token to read once more."""
        count = len(self._ids) - at
        self._banned = {place: ids for place, ids in self._banned.items() if place <= at}
        self._banned.setdefault(at, set()).add(self._ids[at])
        again = self._ids[at - 1] if at else self._before
        self._language.forget(count + 1)
        self._machine.take_back(count)
        self._room += count + 1
        for kept in (self._ids, self._words, self._log_probabilities):
            del kept[at:]
        del self._hidden[max(at - 1, 0):]  # reading `again` gives its own once more
        return again

    def _repeating(self) -> list[int]:
        """Ids that would say a run of the present segment again; ids that end it are never among them."""
        before = RUN_TOKENS - 1
        tail = self._ids[-before:]
        return [self._ids[at + before] for at in range(len(self._ids) - before) if self._ids[at:at + before] == tail]

    def _push(self, token: int) -> None:
        special = self._tokenizer.special
        self._machine.push(token)
        if token == special.search:
            self._close_text()
            self._modality = Modality.TEXT
            self._log_probabilities.clear()  # what came before is no answer yet
        elif token in (special.region, special.image):
            self._modality = Modality.REGION if token == special.region else Modality.IMAGE
        elif token not in (special.search_end, special.eos):
            if self._machine.state is State.TEXT:
                self._say(token)
            self._ids.append(token)

    def _say(self, token: int) -> None:
        if not self._ids:
            self._words.clear()
            self._hidden.clear()
        self._words.append(token)

    def _close_text(self) -> None:
        if self._ids:
            self._segments.append(Text(self._tokenizer.decode(self._ids)))
            self._ids = []
            self._banned = {}

    def _evidence(self) -> list[int]:
        """Have the open search answered; returns the ids of the block."""
        query = self._tokenizer.decode(self._ids) if self._modality is Modality.TEXT else None
        self._ids = []
        hidden = np.stack(self._hidden) if self._hidden else np.zeros((0, 0), np.float32)
        request = SearchRequest(self._modality, query, tuple(self._words), hidden)
        ids = self._tokenizer.information(self._search(request))
        self._machine.push_evidence(ids)
        evidence = self._tokenizer.decode(ids[1:-1])
        self._guard.read(evidence)
        self._before = ids[-1]
        self._segments.append(Search(self._modality, query, evidence))
        return ids
