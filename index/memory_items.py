"""What a memory holds of one thing: checked words on the way in, an item on the way out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from pixsearch.contract.faults import Fault
from pixsearch.contract.images import read_image
from pixsearch.contract.plain_text import plain
from pixsearch.index.entities import MAX_FACTS, MAX_NAME_LENGTH, MAX_TEXT_LENGTH, MAX_VALUE_LENGTH
from pixsearch.index.memory_store import Query
from pixsearch.index.words import indexed

MAX_THUMBNAIL_BYTES = 256 << 10


@dataclass(frozen=True)
class MemoryItem:
    """One thing remembered. `time` is when it was seen, in UTC."""

    id: int
    entity: str
    kind: str
    text: str
    source: str
    time: datetime
    facts: dict[str, str]


@dataclass(frozen=True)
class Words:
    """What is told of a thing."""

    entity: str
    facts: dict[str, str]
    kind: str
    text: str
    source: str

    @classmethod
    def checked(cls, entity: str, facts: Mapping[str, str], kind: str, text: str, source: str) -> Self:
        """Words from outside on one line each. Raises Fault for what is empty or too long."""
        if len(facts) > MAX_FACTS:
            raise _wrong("facts", f"at most {MAX_FACTS}", str(len(facts)))
        return cls(_told("name", entity, MAX_NAME_LENGTH),
                   {_told("attribute", name, MAX_NAME_LENGTH): _told(f"fact {name[:40]!r}", value, MAX_VALUE_LENGTH)
                    for name, value in facts.items()},
                   _told("kind", kind, MAX_NAME_LENGTH, optional=True),
                   _told("text", text, MAX_TEXT_LENGTH, optional=True),
                   _told("source", source, MAX_VALUE_LENGTH, optional=True))

    @classmethod
    def of(cls, item: MemoryItem) -> Self:
        """What was told of an item."""
        return cls(item.entity, item.facts, item.kind, item.text, item.source)

    def indexed(self) -> tuple[str, ...]:
        """See `words.indexed`."""
        return indexed(self.entity, (), self.kind, self.facts, self.text)


def check_thumbnail(picture: bytes) -> None:
    """Raise Fault for what is too large or no picture."""
    if len(picture) > MAX_THUMBNAIL_BYTES:
        raise _wrong("thumbnail", f"at most {MAX_THUMBNAIL_BYTES >> 10} KB", f"{len(picture) >> 10} KB")
    read_image(picture, "to remember")


def read_items(query: Query, where: str, values: Sequence[Any] = (), order: str = "") -> list[MemoryItem]:
    """Things remembered, with their facts in the order in which they were told."""
    rows = query(f"SELECT id, name, kind, text, source, time FROM entities WHERE {where} {order}", values)
    facts: dict[int, dict[str, str]] = {row[0]: {} for row in rows}
    for item, attribute, value in query(
            "SELECT entity, attribute, value FROM facts WHERE entity IN "
            f"(SELECT id FROM entities WHERE {where}) ORDER BY rowid", values):
        facts[item][attribute] = value
    return [MemoryItem(item, name, kind, text, source, datetime.fromtimestamp(time, UTC), facts[item])
            for item, name, kind, text, source, time in rows]


def _told(what: str, words: str, limit: int, optional: bool = False) -> str:
    clean = plain(words)
    if len(clean) > limit or not (clean or optional):
        raise _wrong(what, f"words of at most {limit} characters", f"{len(clean)} characters")
    return clean


def _wrong(what: str, expected: str, actual: str) -> Fault:
    return Fault(f"memory {what}", expected=expected, actual=actual, remedy="give less of it, or other words")
