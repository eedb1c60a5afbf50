"""The assistant with what makes it the wearer's own: a memory, a conversation, and a server that may be asked.

It has the assistant's interface, so that whatever asks an assistant can ask a companion.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.contract.grammar import Modality
from pixsearch.contract.tokenizer import Turn
from pixsearch.edge.answer import Answer
from pixsearch.edge.asked import Asked
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.conversation import Conversation, Spoken, find_again, named
from pixsearch.edge.inputs import check_question
from pixsearch.edge.intents import Want, intent_of
from pixsearch.edge.memories import Memories
from pixsearch.edge.outline import deepest_point
from pixsearch.edge.perception import Perception
from pixsearch.edge.reading import Reader
from pixsearch.edge.recall import Recall
from pixsearch.edge.written import Written
from pixsearch.index.search import Library

if TYPE_CHECKING:
    from pixsearch.edge.cloud import Cloud  # needs the extra `cloud`

NO_MEMORY = "I remember nothing: nothing was told to me yet, or my memory is switched off."
NO_CLOUD = "No server is set up that I could ask."
OF_MEMORY = (Want.REMEMBER, Want.SAID, Want.WHERE, Want.FORGET, Want.LIST)


class Companion:
    """Answers questions as an assistant does, and what `intents.py` knows besides."""

    def __init__(self, assistant: Assistant, memories: Memories | None = None, cloud: "Cloud | None" = None,
                 open_reader: Callable[[], Reader] = Reader) -> None:
        """memories : mounted beside the assistant's packs, and closed with them

        open_reader : called when something is to be read for the first time; may raise Fault
        """
        self.assistant, self.memories, self.cloud = assistant, memories, cloud
        self.conversation = Conversation()
        self._recall = Recall(assistant, memories, self.conversation) if memories else None
        self._written = Written(assistant, self.conversation, open_reader)
        if memories:
            assistant.library = Library([*assistant.library.packs, memories.pack])

    @property
    def bundle(self) -> Bundle:
        """The assistant's model."""
        return self.assistant.bundle

    @property
    def library(self) -> Library:
        """The assistant's packs, with the memory."""
        return self.assistant.library

    def perceive(self, frame: NDArray[np.uint8]) -> Perception:
        """Encode a frame, uint8 RGB (H, W, 3), once for several questions."""
        return self.assistant.perceive(frame)

    def ask(self, frame: NDArray[np.uint8], question: str, point: Sequence[float] | None = None,
            box: Sequence[float] | None = None, *, perception: Perception | None = None,
            history: Sequence[Turn] = (), **options: Any) -> Answer:
        """Answer, read, remember, recall or forget; see `Assistant.ask`.

        Without a `history`, what "it" or "the first one" means is taken from the conversation and found in the frame.
        """
        question = check_question(question)
        asked = Asked(question, intent_of(question), frame, point, box, perception, options)
        want = asked.intent.want
        if want is Want.NEW_TOPIC:
            self.conversation.clear()
            return asked.reply("All right.")
        if want in (Want.ASK_CLOUD, Want.ALLOW_CLOUD, Want.FORBID_CLOUD):
            return self._about_cloud(asked)
        if want in self._written.wants:
            return self._written.answer(asked)
        if self._recall is None and want in OF_MEMORY:
            return asked.reply(NO_MEMORY, sure=0.0, abstained=True)
        if self._recall and want in self._recall.wants and (answer := self._recall.answer(asked)):
            return answer
        return self._answer(asked, history)

    def _answer(self, asked: Asked, history: Sequence[Turn]) -> Answer:
        pointing = asked.point is not None or asked.box is not None
        meant = None if pointing or history else self.conversation.meant(asked.question)
        if meant and meant.reading and (known := self._written.named(meant.reading)):
            asked.options["known"] = known
        perception = asked.perceived(self.perceive)
        answer = self._about(meant, asked) if meant else None
        if answer is None:
            answer = self.assistant.ask(asked.frame, asked.question, asked.point, asked.box, perception=perception,
                                        history=history, **asked.options)
        answer = asked.with_vision(answer)
        self._notice(perception, answer)
        if self.cloud:
            answer = self.cloud.complement(asked.frame, asked.question, answer)
        self.conversation.add(asked.question, answer, asked.frame)
        return answer

    def _about(self, meant: Spoken, asked: Asked) -> Answer | None:
        """The answer about something of an earlier turn: where it is now, or else where it was; None without a region.

        What is not in this frame leaves no mask in it.
        """
        perception = asked.perceived(self.perceive)
        if meant.segment is None:
            return None
        if found := find_again(meant.segment, perception):
            return self.assistant.ask(asked.frame, asked.question, deepest_point(found.mask), perception=perception,
                                      **asked.options)
        question = named(asked.question, meant.entity) if meant.entity else asked.question
        answer = self.assistant.ask(meant.frame, question, deepest_point(meant.segment.mask), **asked.options)
        return replace(answer, searches=tuple(replace(one, mask=None, box=None, iou=None, segment=None)
                                              for one in answer.searches))

    def _notice(self, perception: Perception, answer: Answer) -> None:
        """Keep where a thing was seen again. That a full memory keeps no more sightings is no fault of the question."""
        for record in answer.searches:
            if self.memories and record.modality is Modality.REGION:
                mask = record.segment.mask if record.segment and record.mask else None
                with suppress(Fault):
                    self.memories.notice(perception, mask, record.hits)

    def _about_cloud(self, asked: Asked) -> Answer:
        if self.cloud is None:
            return asked.reply(NO_CLOUD, sure=0.0, abstained=True)
        if asked.intent.want is not Want.ASK_CLOUD:
            self.cloud.allowed_now = asked.intent.want is Want.ALLOW_CLOUD
            return asked.reply(f"I may ask {self.cloud.settings.host} now." if self.cloud.allowed_now
                               else "I keep your questions here.")
        if not self.conversation.turns:
            return asked.reply("Ask me something first.", sure=0.0, abstained=True)
        last = self.conversation.turns[-1]
        return replace(last.answer, cloud=self.cloud.ask(last.frame, last.question, last.answer, asked=True))

    def close(self) -> None:
        """Unmount packs and memory."""
        self.assistant.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()
