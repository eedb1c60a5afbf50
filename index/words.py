"""Text search in one pack: FTS5's BM25 and text vectors, each as a score that compares across packs."""

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixsearch.index.schema import unit_rows

MAX_QUERY_LENGTH = 10_000
MAX_QUERY_WORDS = 32
CANDIDATES_PER_HIT = 4
COLUMN_WEIGHTS = (8.0, 6.0, 2.0, 1.0)  # name, aliases, facts, text
BM25_SHARE = 0.25
ROWS_AT_A_TIME = 4096

_WORD = re.compile(r"[^\W_]+")
Query = Callable[..., list[tuple[Any, ...]]]


def described(name: str, aliases: Sequence[str], kind: str, facts: Mapping[str, str], text: str) -> str:
    """All that is told of an entity as one text, from which its text vector is made."""
    told = [f"{attribute}: {value}" for attribute, value in facts.items()]
    return ". ".join(filter(None, [name, *aliases, kind, *told, text]))


def indexed(name: str, aliases: Sequence[str], kind: str, facts: Mapping[str, str], text: str) -> tuple[str, ...]:
    """The columns of the word index: name, aliases, facts, text; needed to add an entity, and again to delete it."""
    return (name, " | ".join(aliases), " | ".join(f"{attribute}: {value}" for attribute, value in facts.items()),
            f"{kind} {text}")


def query_words(query: str) -> list[str]:
    """The distinct words of a query, lower case, at most 32: letters and digits, so never FTS5 syntax."""
    return list(dict.fromkeys(_WORD.findall(query[:MAX_QUERY_LENGTH].lower())))[:MAX_QUERY_WORDS]


def lexical_scores(execute: Query, words: Sequence[str], entities: int, k: int,
                   also: Sequence[int] = (), kinds: Collection[str] | None = None) -> dict[int, float]:
    """Score entities by words, in [0, 1]: the k best by BM25, of these kinds if any are given, and those in `also`.

    The score is the share of the query's words that the entity holds, each word weighted by its rarity in
    the pack, times 0.75 + 0.25 * (BM25 / best BM25 in the pack). The share compares across packs, which BM25
    alone does not; BM25 orders entities that hold the same words.
    """
    if not words:
        return {}
    quoted = [f'"{word}"' for word in words]
    weights = ", ".join(map(str, COLUMN_WEIGHTS))
    of_kind = sorted(kinds) if kinds is not None else []
    only = "" if kinds is None else (
        f"AND rowid IN (SELECT id FROM entities WHERE kind IN ({', '.join('?' * len(of_kind))})) ")
    ranks: dict[int, float] = dict(execute(
        f"SELECT rowid, bm25(words, {weights}) AS rank FROM words WHERE words MATCH ? {only}"
        "ORDER BY rank, rowid LIMIT ?",
        (" OR ".join(quoted), *of_kind, k)))  # type: ignore[arg-type]
    candidates = sorted(set(ranks) | set(also))
    marks = ", ".join("?" * len(candidates))
    found, total = dict.fromkeys(candidates, 0.0), 0.0
    for word in quoted:
        holders = execute("SELECT count(*) FROM words WHERE words MATCH ?", (word,))[0][0]
        weight = math.log((entities + 1) / (holders + 0.5))
        total += weight
        for (row,) in execute(f"SELECT rowid FROM words WHERE words MATCH ? AND rowid IN ({marks})",
                              (word, *candidates)):
            found[row] += weight
    best = min(ranks.values(), default=0.0)
    return {row: share / total * (1 - BM25_SHARE + BM25_SHARE * (ranks.get(row, 0.0) / best if best else 0.0))
            for row, share in found.items()}


def semantic_scores(matrix: NDArray[Any], entity_of: NDArray[np.int64], vector: NDArray[np.float32], k: int,
                    allowed: NDArray[np.bool_] | None = None) -> dict[int, float]:
    """The k entities nearest to a text vector, by cosine cut at 0.

    matrix    : vectors as stored, of any length but zero, shape (N, T); entity_of : the entity of each row, shape (N,)
    allowed   : bool by entity id, false in its last place, or None for all
    """
    cosines = np.empty(len(matrix), np.float32)
    for start in range(0, len(matrix), ROWS_AT_A_TIME):  # never all of them as float32 at once
        cosines[start:start + ROWS_AT_A_TIME] = unit_rows(matrix[start:start + ROWS_AT_A_TIME]) @ vector
    cosines = np.clip(cosines, 0.0, 1.0)
    if allowed is not None:
        kept = np.flatnonzero(allowed.take(entity_of, mode="clip"))
        cosines, entity_of = cosines[kept], entity_of[kept]
    best: dict[int, float] = {}
    for row in np.argsort(-cosines, kind="stable")[:k]:
        best.setdefault(int(entity_of[row]), float(cosines[row]))
    return best
