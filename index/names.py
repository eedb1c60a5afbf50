"""Which entities some words name: "the small red kettle on the left" → everything called a kettle."""

import re
from collections.abc import Callable
from typing import Any

from pixsearch.index.words import MAX_QUERY_LENGTH

MAX_NAMED = 64  # entities
LONGEST_NAME = 4  # words

_WORD = re.compile(r"[^\W_]+")
_BEFORE_A_NAME = frozenset(("a", "an", "any", "the", "this", "that", "these", "those", "some", "my", "your", "his",
                            "her", "its", "our", "their"))
_AFTER_A_NAME = frozenset((  # what begins the words that say where or which
    "above", "against", "at", "behind", "below", "beside", "between", "by", "from", "in", "inside", "near", "next",
    "of", "on", "over", "that", "to", "under", "which", "who", "with"))
Query = Callable[..., list[tuple[Any, ...]]]


def named_phrases(words: str) -> list[str]:
    """What the words may name, most specific first: endings of what stands before any "on", "next to", "with".

    "the red coffee mug on the left" → ["red coffee mug", "coffee mug", "mug"]
    """
    found: list[str] = []
    for word in _WORD.findall(words[:MAX_QUERY_LENGTH].lower()):
        if found and word in _AFTER_A_NAME:
            break
        if found or word not in _BEFORE_A_NAME:
            found.append(word)
    return [" ".join(found[-length:]) for length in range(min(LONGEST_NAME, len(found)), 0, -1)]


def named_entities(execute: Query, phrase: str) -> list[int]:
    """Ids of at most MAX_NAMED entities whose name or alias is the phrase or ends with it, or whose kind it is.

    Names that are the phrase come first. `phrase` as `named_phrases` gives it: letters and digits, never FTS5 syntax.
    """
    matched = execute("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank, rowid LIMIT ?",
                      (f'{{name aliases}} : "{phrase}"', 4 * MAX_NAMED))
    ids = [row for (row,) in matched]
    marks = ", ".join("?" * len(ids))
    names = execute(f"SELECT id, name FROM entities WHERE id IN ({marks}) UNION ALL "
                    f"SELECT entity, alias FROM aliases WHERE entity IN ({marks})", [*ids, *ids])
    wanted = _singular(phrase)
    best: dict[int, int] = {}
    for entity, name in names:
        called = _singular(" ".join(_WORD.findall(name.lower())))
        if called == wanted or called.endswith(f" {wanted}"):
            best[entity] = min(best.get(entity, 1), int(called != wanted))
    of_kind = execute("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank, rowid LIMIT ?",
                      (f'facts : "kind {phrase}"', MAX_NAMED))
    for (entity,) in of_kind:
        best.setdefault(entity, 2)
    return sorted(best, key=lambda entity: (best[entity], entity))[:MAX_NAMED]


def is_name(execute: Query, phrase: str) -> bool:
    """Whether an entity is called exactly so; `phrase`: letters and digits in lower case, words parted by a space."""
    matched = execute("SELECT name FROM entities WHERE id IN (SELECT rowid FROM words WHERE words MATCH ? LIMIT ?)",
                      (f'name : ^ "{phrase}"', MAX_NAMED))
    return any(" ".join(_WORD.findall(name.lower())) == phrase for (name,) in matched)


def _singular(words: str) -> str:
    return re.sub(r"(?<=[^s])s$", "", words)
