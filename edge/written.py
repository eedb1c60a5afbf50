"""What is done with what is written in view: it is read, looked up, and kept as evidence for what is asked next."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from statistics import mean

from pixsearch.contract.abstention import UNKNOWN
from pixsearch.contract.evidence import stems
from pixsearch.contract.grammar import Modality
from pixsearch.contract.masks import box_of, encode_mask
from pixsearch.edge.answer import READ, Answer, SearchRecord
from pixsearch.edge.asked import Asked
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.conversation import Conversation, refers_back
from pixsearch.edge.intents import Want
from pixsearch.edge.perception import Mask, Segment
from pixsearch.edge.reading import Line, Reader
from pixsearch.edge.regions import region_meant
from pixsearch.edge.retrieval import HITS, evidence_of
from pixsearch.index.hits import Hit

CANDIDATES = 20
NAME_SHARE = 0.5  # of a line's words that a name of one word must be, or every "can" would be one
SHOWN = 3  # facts, or names
_SIDE = re.compile(r"\b(?:(?P<left>left)|(?P<right>right)|(?P<top>top|upper)|(?P<bottom>bottom|lower))\b",
                   re.IGNORECASE)


class Written:
    """Answers what is about text in view; `wants` holds all that is."""

    wants = frozenset((Want.READ, Want.LOOK_UP))

    def __init__(self, assistant: Assistant, conversation: Conversation, open_reader: Callable[[], Reader]) -> None:
        """open_reader : called when something is to be read for the first time; may raise Fault"""
        self._assistant, self._conversation, self._open_reader = assistant, conversation, open_reader

    @cached_property
    def _reader(self) -> Reader:
        return self._open_reader()

    def answer(self, asked: Asked) -> Answer:
        """What is written, or what the packs know of it. Raises Fault."""
        record, said = self._read(asked)
        if not record.hits:
            about = f"the {asked.intent.thing}" if asked.intent.thing else "it"
            answer = asked.reply(f"{UNKNOWN} I can read nothing on {about}.", [record], sure=0.0, abstained=True)
        elif asked.intent.want is Want.READ:
            answer = asked.reply(f"It says {said}.", [record], sure=_sure(record))
        else:
            answer = self._look_up(asked, record, said)
        self._conversation.add(asked.question, answer, asked.frame)
        return answer

    def named(self, record: SearchRecord) -> list[Hit]:
        """Things of the packs whose names were read, longest name first; sources say how they were found."""
        lines = [stems(hit.entity) for hit in record.hits]
        hits = [hit for hit in self._candidates(record) if _is_named(stems(hit.entity), lines)]
        return [replace(hit, score=_sure(record), source=f"{READ}; {hit.source or hit.pack}")
                for hit in sorted(hits, key=lambda hit: -len(stems(hit.entity)))]

    def _known(self, record: SearchRecord) -> tuple[list[Hit], str]:
        """What the packs know of what was read, and a sentence of it: things of that name, or else with that fact."""
        if named := self.named(record):
            facts = "; ".join(named[0].facts[:SHOWN]) or named[0].kind or "no more than its name"
            return named, f"{named[0].entity}: {facts}."
        lines = [line for hit in record.hits if (line := stems(hit.entity))]
        told = [(hit, attribute) for hit in self._candidates(record) for attribute, value in hit.fact_map.items()
                if stems(value) in lines]
        alike = {hit.entity: hit for hit, attribute in told if attribute == told[0][1]}
        return list(alike.values()), f"That is the {told[0][1]} of {', '.join(list(alike)[:SHOWN])}." if told else ""

    def _candidates(self, record: SearchRecord) -> list[Hit]:
        return self._assistant.library.search_text(_joined(record), None, CANDIDATES) if record.hits else []

    def _look_up(self, asked: Asked, record: SearchRecord, said: str) -> Answer:
        with asked.watch.measure("search"):
            hits, known = self._known(record)
        evidence = evidence_of(self._assistant.bundle, hits[:HITS], Modality.TEXT, asked.question)
        search = SearchRecord(Modality.TEXT, _joined(record), None, None, tuple(hits[:HITS]), None, None, evidence)
        if not hits:
            return asked.reply(f"{UNKNOWN} It says {said}, of which my packs know nothing.", [record, search],
                               sure=0.0, abstained=True)
        return asked.reply(f"It says {said}. {known}", [record, search], sure=_sure(record))

    def _read(self, asked: Asked) -> tuple[SearchRecord, str]:
        """A reading of the region that is meant, or of the whole frame; and what it says, in quotes.

        The whole frame is read where nothing points and the region has no text, or is not on the side that is named.
        """
        reader, thing = self._reader, asked.intent.thing
        pointing = asked.point is not None or asked.box is not None
        before = self._conversation.region() if refers_back(asked.question) else None
        with asked.watch.measure("mask"):
            segment = region_meant(asked, self._assistant, before, f"What is the {thing or 'sign'}?")
        side = None if pointing else _SIDE.search(thing or "")
        with asked.watch.measure("region"):
            if segment and not segment.is_whole_frame and _is_at(side, box_of(segment.mask), segment.mask.shape):
                at = None if asked.point is None else (asked.point[0], asked.point[1])
                if (lines := reader.read(asked.frame, _with_box(segment.mask, asked.box), at)) or pointing:
                    return _record(lines, segment, thing), _quoted(lines)
            lines = [line for line in reader.read(asked.frame) if _is_at(side, line.box, asked.frame.shape)]
        return _record(lines, None, thing), _quoted(lines)


def _with_box(mask: Mask, box: Sequence[float] | None) -> Mask:
    """A mask (H, W) with all of the box that the wearer drew, x0, y0, x1, y1 in pixels."""
    if box is None:
        return mask
    whole = mask.copy()
    whole[int(box[1]):math.ceil(box[3]), int(box[0]):math.ceil(box[2])] = True
    return whole


def _is_at(side: re.Match[str] | None, box: tuple[int, int, int, int] | None, shape: tuple[int, ...]) -> bool:
    """Whether the middle of a box lies on the side that was named, of a frame of shape (H, W, …)."""
    if side is None or box is None:
        return box is not None
    x, y, (height, width) = box[0] + box[2], box[1] + box[3], shape[:2]
    return {"left": x <= width, "right": x >= width, "top": y <= height, "bottom": y >= height}[str(side.lastgroup)]


def _is_named(name: set[str], lines: Sequence[set[str]]) -> bool:
    """Whether a name was read: all its words, or as most of a line where it is one word."""
    if len(name) > 1:
        return name <= set().union(*lines)
    return any(name and name <= line and len(name) >= NAME_SHARE * len(line) for line in lines)


def _record(lines: Sequence[Line], segment: Segment | None, thing: str | None) -> SearchRecord:
    """Lines as hits of a region search: the name of each is what it says."""
    hits = tuple(_hit(number, line) for number, line in enumerate(lines))
    evidence = "\n".join(line.text for line in lines)
    if segment is None:
        return SearchRecord(Modality.REGION, None, None, None, hits, None, thing, evidence)
    return SearchRecord(Modality.REGION, None, encode_mask(segment.mask), box_of(segment.mask), hits, segment.iou,
                        thing, evidence, segment)


def _hit(number: int, line: Line) -> Hit:
    where = {"box": ",".join(map(str, line.box))}
    return Hit(line.text, str(number), "", line.score, READ, (f"box: {where['box']}",), where, "")


def _joined(record: SearchRecord) -> str:
    return " ".join(hit.entity for hit in record.hits)


def _quoted(lines: Sequence[Line]) -> str:
    """What was read, each block in quotes; quotes in it are single ones."""
    blocks = [" ".join(line.text for line in block) for _, block in groupby(lines, lambda line: line.block)]
    quoted = [f'"{words.replace(chr(34), chr(39))}"' for words in blocks]
    return " and ".join(filter(None, (", ".join(quoted[:-1]), *quoted[-1:])))


def _sure(record: SearchRecord) -> float:
    return mean(hit.score for hit in record.hits)
