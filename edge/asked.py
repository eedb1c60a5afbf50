"""One utterance with what it is about, and how a reply in our own words is made of it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pixsearch.contract.grammar import Search, Text, Trace, render
from pixsearch.contract.images import Pixels
from pixsearch.edge.answer import Answer, Recollection, SearchRecord, Timings
from pixsearch.edge.assistant import STAGES
from pixsearch.edge.intents import Intent
from pixsearch.edge.perception import Perception
from pixsearch.edge.stopwatch import Stopwatch


@dataclass
class Asked:
    """What was said, on which frame (uint8 RGB (H, W, 3)), pointing where; `options` go on to the assistant."""

    question: str
    intent: Intent
    frame: Pixels
    point: Sequence[float] | None = None
    box: Sequence[float] | None = None
    perception: Perception | None = None
    options: dict[str, Any] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    watch: Stopwatch = field(init=False)

    def __post_init__(self) -> None:
        self.watch = Stopwatch(self.clock)

    def perceived(self, perceive: Callable[[Pixels], Perception]) -> Perception:
        """The frame, encoded once."""
        if self.perception is None:
            with self.watch.measure("vision"):
                self.perception = perceive(self.frame)
        return self.perception

    def with_vision(self, answer: Answer) -> Answer:
        """An assistant's answer, with the time that encoding the frame took here."""
        seen, made = self.watch.ms("vision"), answer.timings
        return replace(answer, timings=replace(made, vision=made.vision + seen, total=made.total + seen,
                                               first_token=made.first_token + seen))

    def reply(self, text: str, records: Sequence[SearchRecord] = (), memory: Sequence[Recollection] = (),
              sure: float = 1.0, abstained: bool = False) -> Answer:
        """An answer of our own words, with the searches it took in its trace; a listener hears it, too."""
        if listener := self.options.get("listener"):
            for record in records:
                listener.on_search(record)
            listener.on_text(text)
        searches: Trace = tuple(Search(one.modality, one.query, one.evidence) for one in records)
        now = self.watch.ms_since_start(self.clock())
        timings = Timings(**{stage: self.watch.ms(stage) for stage in STAGES}, total=now, first_token=now)
        trace = render((*searches, Text(text)))
        return Answer(text, abstained, min(1.0, max(0.0, sure)), tuple(records), trace, timings, tokens=0,
                      memory=tuple(memory))
