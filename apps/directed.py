"""Assistants that are told when to search, or what a search finds: what the model's own choice is compared with."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.grammar import Modality
from pixsearch.contract.machine import State, TraceMachine
from pixsearch.contract.tokenizer import Tokenizer
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.inputs import Box, Point
from pixsearch.edge.perception import Perception
from pixsearch.edge.retrieval import Retriever
from pixsearch.edge.stopwatch import Stopwatch
from pixsearch.index.hits import Hit


class PlannedMachine(TraceMachine):
    """Lets a trace end only after the planned searches, in their order, and opens no other."""

    def __init__(self, tokenizer: Tokenizer, plan: Sequence[Modality]) -> None:
        """plan : at least one modality"""
        super().__init__(tokenizer, len(plan), plan[:1])
        self._plan, self._end = tuple(plan), tokenizer.special.eos

    def allowed(self) -> NDArray[np.bool_]:
        """Which ids may come next; see TraceMachine."""
        mask = super().allowed()
        if self.state is State.TEXT and self.searches_left:
            mask = mask.copy()
            mask[self._end] = False
        return mask

    def push_evidence(self, ids: list[int]) -> None:
        """Take the runtime's evidence and go on to the next search of the plan."""
        super().push_evidence(ids)
        self._modalities = frozenset(self._plan[-self.searches_left:][:1] if self.searches_left else ())


class Planned(Assistant):
    """Makes the same searches for every question, with another assistant's model and index."""

    def __init__(self, like: Assistant, plan: Sequence[Modality]) -> None:
        super().__init__(like.bundle, like.library, deadline_s=like._deadline_s)
        self._plan, self._like = plan, like

    def _machine(self, budget: int, modalities: Collection[Modality]) -> TraceMachine:
        return PlannedMachine(self.bundle.tokenizer, self._plan)

    def _retriever(self, perception: Perception, question: str, point: Point | None, box: Box | None,
                   watch: Stopwatch) -> Retriever:
        return self._like._retriever(perception, question, point, box, watch)


class Told(Assistant):
    """Finds what it is told: the n-th search of a question brings up the n-th piece of `evidence`.

    Later searches, and those of a question without evidence, find what the index holds.
    """

    def __init__(self, like: Assistant, evidence: Sequence[str]) -> None:
        super().__init__(like.bundle, like.library, deadline_s=like._deadline_s)
        self.evidence = evidence

    def _retriever(self, perception: Perception, question: str, point: Point | None, box: Box | None,
                   watch: Stopwatch) -> Retriever:
        return _Teller(self, perception, question, point, box, watch)


class _Teller(Retriever):
    def __init__(self, told: Told, perception: Perception, question: str, point: Point | None, box: Box | None,
                 watch: Stopwatch) -> None:
        super().__init__(told.bundle, told.library, perception, question, point, box, watch)
        self._told = list(told.evidence)

    def _evidence(self, hits: list[Hit], modality: Modality) -> str:
        return self._told.pop(0) if self._told else super()._evidence(hits, modality)
