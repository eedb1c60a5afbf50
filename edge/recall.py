"""What is done with the wearer's memory when the wearer speaks of it: remember, recall, forget, list."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.evidence import EvidenceItem, format_evidence
from pixsearch.contract.grammar import Modality
from pixsearch.contract.masks import box_of, encode_mask
from pixsearch.edge.answer import Answer, Recollection, SearchRecord
from pixsearch.edge.asked import Asked
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.conversation import Conversation
from pixsearch.edge.intents import Want, name_of
from pixsearch.edge.memories import Memories, spoken_time
from pixsearch.edge.regions import region_meant
from pixsearch.edge.retrieval import HITS
from pixsearch.index.hits import Hit

WHAT = "What is this?"  # asked of the model, to find the thing that "remember this" means
LISTED = 5


class Recall:
    """Answers what is about the memory; `wants` holds all that is."""

    def __init__(self, assistant: Assistant, memories: Memories, conversation: Conversation) -> None:
        self._assistant, self._memories, self._conversation = assistant, memories, conversation
        self._answers = {Want.REMEMBER: self._remember, Want.SAID: self._said, Want.WHERE: self._where,
                         Want.FIND: self._where, Want.FORGET: self._forget, Want.LIST: self._list}
        self.wants = frozenset(self._answers)

    def answer(self, asked: Asked) -> Answer | None:
        """The answer; None where nothing was told and the question may be about what is in view. Raises Fault."""
        return self._answers[asked.intent.want](asked)

    def _remember(self, asked: Asked) -> Answer:
        record, vector = self._look(asked)
        words = asked.intent.words or ""
        mask = record.segment.mask if record.segment and record.mask else None
        known, kind = self._known_as(vector)
        name = asked.intent.thing or (name_of(words) if words else known)
        kept = self._memories.keep(asked.perceived(self._assistant.perceive), mask, name, words, kind)
        answer = asked.reply(f"I will remember {mention(kept)}.", [record], [kept])
        self._conversation.add(asked.question, answer, asked.frame)
        return answer

    def _known_as(self, vector: NDArray[np.float32]) -> tuple[str, str]:
        """Name and kind of a thing as the packs know it; "thing" and no kind where they do not."""
        hits = self._assistant.library.search_vectors(vector, k=1)
        likely = hits and hits[0].score >= self._assistant.bundle.calibration.likely
        return (hits[0].entity, hits[0].kind) if likely else ("thing", "")

    def _said(self, asked: Asked) -> Answer:
        record = self._meant(asked)
        if not record.hits:
            return self._nothing(asked, record)
        best = self._memories.recollection(int(record.hits[0].key))
        told = f'you said: "{best.words}"' if best.words else f"you asked me to remember {mention(best)}"
        answer = asked.reply(f"On {spoken_time(best.time)} {told}.", [record], [best], record.hits[0].score)
        self._conversation.add(asked.question, answer, asked.frame)
        return answer

    def _where(self, asked: Asked) -> Answer | None:
        record = self._meant(asked)
        last = self._memories.newest(record.hits)
        if last is None:
            return None if asked.intent.want is Want.FIND else self._nothing(asked, record)
        return asked.reply(f"You last saw {mention(last)} on {spoken_time(last.time)}.", [record], [last],
                           record.hits[0].score)

    def _forget(self, asked: Asked) -> Answer:
        """Forget one thing, by name or in view; where several could be meant, none."""
        record = self._meant(asked)
        names = list(dict.fromkeys(hit.entity for hit in record.hits))
        if not names:
            return self._nothing(asked, record)
        if asked.intent.thing and len(names) > 1:
            return asked.reply(f"Which one: {', '.join(names[:LISTED])}?", [record])
        self._memories.forget(names[0])
        return asked.reply(f"I have forgotten {names[0]}.")

    def _list(self, asked: Asked) -> Answer:
        told = self._memories.told()
        if not told:
            return asked.reply("I remember nothing so far.")
        names = ", ".join(item.entity for item in told[:LISTED]) + (" and others" if len(told) > LISTED else "")
        return asked.reply(f"I remember {len(told)} thing{'s' * (len(told) > 1)}: {names}.",
                           memory=[self._memories.recollection(item.id) for item in told[:LISTED]])

    def _nothing(self, asked: Asked, record: SearchRecord) -> Answer:
        about = f"the {asked.intent.thing}" if asked.intent.thing else "this"
        return asked.reply(f"I don't know. You have told me nothing about {about}.", [record], sure=0.0, abstained=True)

    def _meant(self, asked: Asked) -> SearchRecord:
        """What was told of the thing that is named, or else of the one in view."""
        if not asked.intent.thing:
            return self._look(asked)[0]
        with asked.watch.measure("search"):
            hits = self._memories.called(asked.intent.thing)
        return SearchRecord(Modality.TEXT, asked.intent.thing, None, None, tuple(hits[:HITS]), None, None,
                            _evidence(hits, asked.question))

    def _look(self, asked: Asked) -> tuple[SearchRecord, NDArray[np.float32]]:
        """A search of the memory with the thing in view, and that thing's vector."""
        perception = asked.perceived(self._assistant.perceive)
        with asked.watch.measure("mask"):
            segment = region_meant(asked, self._assistant, self._conversation.region(), WHAT)
        cut = None if segment is None or segment.is_whole_frame else segment
        with asked.watch.measure("region"):
            vector = perception.region_vector(cut.mask) if cut else perception.frame_vector()
        with asked.watch.measure("search"):
            hits = self._memories.alike(vector)
        evidence = _evidence(hits, asked.question)
        if cut is None:
            return SearchRecord(Modality.REGION, None, None, None, tuple(hits[:HITS]), None, None, evidence), vector
        return SearchRecord(Modality.REGION, None, encode_mask(cut.mask), box_of(cut.mask), tuple(hits[:HITS]), cut.iou,
                            None, evidence, cut), vector


def mention(kept: Recollection) -> str:
    """A thing as one speaks of it to the wearer: "your spare key", "the fuse box", "Mimi"."""
    own = re.search(rf"\bmy {re.escape(kept.entity)}\b", kept.words, re.IGNORECASE)
    return f"your {kept.entity}" if own else kept.entity if kept.entity[0].isupper() else f"the {kept.entity}"


def _evidence(hits: Sequence[Hit], question: str) -> str:
    return format_evidence([EvidenceItem(hit.entity, hit.fact_map, None, hit.source) for hit in hits], question)
