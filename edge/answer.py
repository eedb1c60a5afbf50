"""What comes back for a question: the answer with its provenance, confidence and timings."""

import base64
import math
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from pixsearch.contract.grammar import Modality, Search, parse
from pixsearch.edge.perception import Segment
from pixsearch.index.hits import Hit

READ = "read from the picture"  # the source of a hit that is a line of text


@dataclass(frozen=True)
class Timings:
    """Milliseconds spent in each stage; `first_token` counts from the question to the first token chosen."""

    vision: float
    language: float
    mask: float
    region: float
    search: float
    total: float
    first_token: float

    def __post_init__(self) -> None:
        for name, value in self.as_json().items():
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"timing {name} must be at least 0 ms, got {value}")

    def as_json(self) -> dict[str, float]:
        """By stage, rounded to microseconds."""
        return {stage.name: round(getattr(self, stage.name), 3) for stage in fields(self)}


@dataclass(frozen=True)
class SearchRecord:
    """One search that was made.

    query    : words of a text search, else None
    mask     : run-length code of what was cut out, None when nothing was; box : its x0, y0, x1, y1 in pixels
    hits     : best first
    iou      : predicted IoU of the mask; None for searches without one
    words    : the words that name the thing that was cut out
    evidence : what the model was given to read, before it was cut to its token budget
    segment  : the mask with what it takes to follow it through a clip; not part of the JSON form
    """

    modality: Modality
    query: str | None
    mask: dict[str, list[int]] | None
    box: tuple[int, int, int, int] | None
    hits: tuple[Hit, ...]
    iou: float | None
    words: str | None
    evidence: str
    segment: Segment | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if (self.modality is Modality.TEXT) != bool(self.query):
            raise ValueError(f"a {self.modality} search with query {self.query!r}")
        if (self.mask is None) != (self.box is None) or (self.mask and self.modality is not Modality.REGION):
            raise ValueError(f"a {self.modality} search with mask {self.mask is not None} and box {self.box}")

    @property
    def is_reading(self) -> bool:
        """Whether its hits are what is written there: words of others, and no names of things."""
        return bool(self.hits) and self.hits[0].source == READ

    def as_json(self) -> dict[str, Any]:
        """The search as `ask --json` prints it."""
        return {"modality": self.modality.value, "query": self.query, "mask": self.mask,
                "box": list(self.box) if self.box else None, "hits": [hit.as_json() for hit in self.hits],
                "iou": self.iou, "words": self.words, "evidence": self.evidence}


@dataclass(frozen=True)
class CloudWord:
    """What a server elsewhere said to the same question. It is never part of trace, evidence or confidence.

    words      : at most 600 printable characters with special tokens escaped, or None
    trouble    : why there are none, else None
    sent_bytes : what left the device for it; ms : how long it took
    """

    host: str
    model: str
    words: str | None
    trouble: str | None
    sent_bytes: int
    ms: float

    def __post_init__(self) -> None:
        if bool(self.words) == bool(self.trouble):
            raise ValueError(f"either words or a trouble, got {self.words!r} and {self.trouble!r}")

    def as_json(self) -> dict[str, Any]:
        """The object under "cloud" in what `ask --json` prints."""
        return {"host": self.host, "model": self.model, "words": self.words, "trouble": self.trouble,
                "sent_bytes": self.sent_bytes, "ms": round(self.ms, 3)}


@dataclass(frozen=True)
class Recollection:
    """Something that the wearer told, or that was seen again since.

    words : what was said of it, "" for nothing; time : with a time zone
    picture : a WebP file of where it was, the thing itself opaque; None where none was kept
    """

    id: int
    entity: str
    words: str
    time: datetime
    picture: bytes | None = field(default=None, repr=False)

    def as_json(self) -> dict[str, Any]:
        """One under "memory" in what `ask --json` prints; the picture as a data URI."""
        picture = f"data:image/webp;base64,{base64.b64encode(self.picture).decode()}" if self.picture else None
        return {"id": self.id, "entity": self.entity, "words": self.words,
                "time": self.time.isoformat(timespec="seconds"), "picture": picture}


@dataclass(frozen=True)
class Answer:
    """The answer to one question.

    confidence : how likely it is right, 0..1; trace : its string form (`contract.grammar`)
    tokens     : how many the model chose
    signals    : what the confidence is made of, by name (`confidence.features`)
    cloud      : what a server elsewhere said besides, where one was asked
    memory     : what was remembered or recalled
    """

    answer: str
    abstained: bool
    confidence: float
    searches: tuple[SearchRecord, ...]
    trace: str
    timings: Timings
    tokens: int
    signals: dict[str, float] = field(default_factory=dict)
    cloud: CloudWord | None = None
    memory: tuple[Recollection, ...] = ()

    def __post_init__(self) -> None:
        if not self.answer.strip():
            raise ValueError("an answer must have words")
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"confidence must be from 0 to 1, got {self.confidence}")
        searched = [segment.modality for segment in parse(self.trace) if isinstance(segment, Search)]
        if searched != [record.modality for record in self.searches]:
            recorded = [record.modality for record in self.searches]
            raise ValueError(f"the trace searches {searched}, the records {recorded}")

    def to_json(self) -> dict[str, Any]:
        """The object that `ask --json` prints."""
        return {"answer": self.answer, "abstained": self.abstained, "confidence": round(self.confidence, 6),
                "searches": [record.as_json() for record in self.searches], "trace": self.trace,
                "timings_ms": self.timings.as_json(), "tokens": self.tokens,
                "signals": {name: round(value, 4) for name, value in self.signals.items()},
                **({"cloud": self.cloud.as_json()} if self.cloud else {}),
                **({"memory": [one.as_json() for one in self.memory]} if self.memory else {})}
