"""Facts that a curator should look at again: each check compares a fact with the others of its attribute.

None of them is wrong for certain; they are what reading every fact would find in most tables.
"""

import difflib
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, islice

import numpy as np
from numpy.typing import NDArray

MAX_OF_A_CHECK = 200  # findings that are kept of each
FEW = 6  # values below which nothing can be said of "the others"
MOST, NEARLY_ALL, FEW_OF_THEM = 0.6, 0.9, 0.5  # shares of values or entities
FAR_OUT = 3.0  # interquartile ranges beyond the quartiles (Tukey)
ONE_UNIT = 0.8  # share of an attribute's numbers that makes their unit the usual one
LARGEST_COUNT = 10_000  # whole numbers from here on are rather names than quantities
ALIKE = 0.84  # of two spellings, as difflib scores them
SHORTEST_VALUE, SHORTEST_ATTRIBUTE = 6, 4  # letters of what may be misspelled: "wine" is no misspelled "swine"
MAX_COMMON, MAX_RARE = 200, 1_000  # spellings that are compared with one another
LONG_TIMES, LONG_CHARS = 8, 160

_NOTHING = frozenset(("-", "--", "—", "?", "??", "n/a", "na", "n.a.", "none", "nil", "null", "nan", "unknown", "tbd",
                      "tba", "todo", "xxx", "x", ".", "not known", "no data", "undefined", "#n/a", "#ref!", "#value!"))
_MARKUP = re.compile(r"</?[a-z][^>]{0,80}>|\[\[|\]\]|\{\{|\}\}|&[a-z]{2,8};|\ufffd|Ã[\u0080-\u00bf]|â€", re.IGNORECASE)
_NUMBER = re.compile(r"\s*(?:c\.|ca\.?|about|~|≈|<|>)?\s*([-+−]?\d[\d.,'’ ]*)\s*([^\d\s][^\d]{0,15})?", re.IGNORECASE)
_SIGNS = re.compile(r"[\W_]+")

SAME_FACTS = """
WITH told AS (SELECT entity, group_concat(attribute || ': ' || value, ' | ') AS facts, count(*) AS n
              FROM (SELECT entity, attribute, value FROM facts ORDER BY entity, attribute)
              GROUP BY entity HAVING n > 1),
     same AS (SELECT facts, count(*) AS entities FROM told GROUP BY facts HAVING entities > 1)
SELECT told.entity, same.facts, same.entities FROM told JOIN same USING (facts) ORDER BY facts, entity LIMIT ?"""


class Check(StrEnum):
    """What may be wrong, gravest first."""

    SAME_NAME = "two entities of one name"
    SAME_FACTS = "two entities with the same facts"
    SAME_VALUE = "a value twice that is otherwise each entity's own"
    OUT_OF_LINE = "numbers far from the others"
    ODD_UNIT = "another unit than the others"
    NO_NUMBER = "words where the others have a number"
    SPELLING = "values spelled almost like a common one"
    ATTRIBUTE_SPELLING = "attributes spelled almost like a common one"
    MARKUP = "markup or broken letters"
    SAYS_NOTHING = "values that say nothing"
    MISSING = "facts that nearly all others have"
    ONE_OFF = "attributes that only one entity has"
    LONG = "values much longer than the others"
    NO_FACTS = "entities without any fact"


@dataclass(frozen=True)
class Finding:
    """A fact, or an entity where `attribute` is empty, that a check points at; `entity` is its row id."""

    check: Check
    entity: int
    attribute: str
    value: str
    why: str


Fact = tuple[int, str]  # entity row and value, of one attribute


def odd_facts(database: sqlite3.Connection) -> dict[Check, list[Finding]]:
    """What all checks point at, gravest check first, at most MAX_OF_A_CHECK each."""
    found: dict[Check, list[Finding]] = {check: [] for check in Check}
    entities = database.execute("SELECT count(*) FROM entities").fetchone()[0]
    for finding in (*_of_entities(database), *_of_attributes(database), *_of_values(database, entities)):
        if len(found[finding.check]) < MAX_OF_A_CHECK:
            found[finding.check].append(finding)
    return {check: findings for check, findings in found.items() if findings}


def _of_values(database: sqlite3.Connection, entities: int) -> Iterator[Finding]:
    rows = database.execute("SELECT attribute, entity, value FROM facts ORDER BY attribute, rowid")
    for attribute, group in groupby(rows, key=lambda row: row[0]):
        facts = [(entity, value) for _, entity, value in group]
        told = [fact for fact in facts if fact[1].strip().lower() not in _NOTHING]
        for entity, value in facts:
            if value.strip().lower() in _NOTHING:
                yield Finding(Check.SAYS_NOTHING, entity, attribute, value, "leave the fact out instead")
            elif mark := _MARKUP.search(value):
                yield Finding(Check.MARKUP, entity, attribute, value, f"holds {mark[0]}")
        for compare in (_numbers, _repeated, _spelled, _long):
            yield from compare(attribute, told)
        if entities > len(facts) >= max(FEW, NEARLY_ALL * entities):
            yield from _missing(database, attribute, len(facts))


def _numbers(attribute: str, facts: Sequence[Fact]) -> Iterator[Finding]:
    """Numbers out of line, odd units, and words among numbers."""
    parsed = {index: one for index, (_, value) in enumerate(facts) if (one := _number(value)) is not None}
    if len(facts) < FEW or len(parsed) < MOST * len(facts):
        return
    for index, (entity, value) in enumerate(facts):
        if index not in parsed:
            yield Finding(Check.NO_NUMBER, entity, attribute, value, f"{len(parsed)} others are numbers")
    unit, count = Counter(unit for _, unit in parsed.values()).most_common(1)[0]
    if count < ONE_UNIT * len(parsed):
        return
    same = {index: number for index, (number, its) in parsed.items() if its == unit}
    for index, (_, its) in parsed.items():
        if its != unit:
            yield Finding(Check.ODD_UNIT, *_fact(attribute, facts[index]),
                          f"{count} others are in {unit}" if unit else f"{count} others are without a unit")
    far = _far_out(np.array(list(same.values())))
    usual = [number for number, out in zip(same.values(), far, strict=True) if not out]
    for index, out in zip(same, far, strict=True):
        if out:
            yield Finding(Check.OUT_OF_LINE, *_fact(attribute, facts[index]),
                          f"{len(usual)} others lie from {min(usual):g} to {max(usual):g}{' ' + unit if unit else ''}")


def _number(value: str) -> tuple[float, str] | None:
    """A value as number and unit in lower case: "1,250 kg" is (1250, "kg"); None for words."""
    match = _NUMBER.fullmatch(value)
    if match is None:
        return None
    digits = re.sub(r"['’ ]|,(?=\d{3}(?!\d))", "", match[1]).replace("−", "-").replace(",", ".")
    try:
        return float(digits.rstrip(".")), (match[2] or "").strip().lower().rstrip(".")
    except ValueError:  # a date such as 12.05.1990
        return None


def _far_out(numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which numbers (N,) are far outside, with a gap to the others; as ratios where all are positive."""
    scaled = np.log(numbers) if (numbers > 0).all() else numbers
    first, third = np.percentile(scaled, [25, 75])
    spread = third - first
    inside = np.abs(scaled - (first + third) / 2) <= (0.5 + FAR_OUT) * spread
    if len(numbers) < FEW or spread == 0:
        return np.zeros(len(numbers), bool)
    gap = np.maximum(scaled[inside].min() - scaled, scaled - scaled[inside].max())
    return gap >= spread


def _repeated(attribute: str, facts: Sequence[Fact]) -> Iterator[Finding]:
    """Inventory numbers and the like, which no two entities share but these."""
    own = [fact for fact in facts if re.search(r"\d", fact[1]) and not _is_quantity(fact[1])]
    counts = Counter(value for _, value in own)
    shared = {value for value, count in counts.items() if count > 1}
    if len(own) < FEW or len(shared) > (1 - NEARLY_ALL) * len(counts):
        return
    for entity, value in own:
        if value in shared:
            yield Finding(Check.SAME_VALUE, entity, attribute, value,
                          f"{counts[value]} entities have it, {len(counts) - len(shared)} have one of their own")


def _is_quantity(value: str) -> bool:
    """Whether a value is a year, a count or a measure, which two entities may well share."""
    return (number := _number(value)) is not None and (bool(number[1]) or abs(number[0]) < LARGEST_COUNT)


def _spelled(attribute: str, facts: Sequence[Fact]) -> Iterator[Finding]:
    """Rare values that are nearly a common one: "Norvick" among many "Norvik"."""
    counts = Counter(value for _, value in facts if _number(value) is None)
    common = [value for value, count in counts.most_common(MAX_COMMON) if count > 2]
    rare = set(islice((value for value, count in counts.items() if count == 1), MAX_RARE))
    for entity, value in facts:
        if value in rare and (near := _near(value, common, SHORTEST_VALUE)):
            yield Finding(Check.SPELLING, entity, attribute, value, f"{counts[near]} others say {near}")


def _near(word: str, words: Sequence[str], shortest: int) -> str | None:
    """The word that differs from this one in hardly more than its spelling."""
    plain = _SIGNS.sub("", word.casefold())
    folded = {_SIGNS.sub("", other.casefold()): other for other in reversed(words) if other != word}
    if plain in folded:
        return folded[plain]
    if len(plain) < shortest or any(letter.isdigit() for letter in plain):
        return None
    near = difflib.get_close_matches(plain, [one for one in folded if abs(len(one) - len(plain)) <= 2], 1, ALIKE)
    return folded[near[0]] if near and not any(letter.isdigit() for letter in near[0]) else None


def _long(attribute: str, facts: Sequence[Fact]) -> Iterator[Finding]:
    if len(facts) < FEW:
        return
    usual = float(np.median([len(value) for _, value in facts]))
    for entity, value in facts:
        if len(value) > max(LONG_CHARS, LONG_TIMES * usual):
            yield Finding(Check.LONG, entity, attribute, value, f"{len(value)} characters, half of the others have at "
                                                                f"most {usual:.0f}")


def _missing(database: sqlite3.Connection, attribute: str, count: int) -> Iterator[Finding]:
    for (entity,) in database.execute(
            "SELECT id FROM entities WHERE id NOT IN (SELECT entity FROM facts WHERE attribute = ?) LIMIT ?",
            (attribute, MAX_OF_A_CHECK)):
        yield Finding(Check.MISSING, entity, attribute, "", f"{count} others have it")


def _of_attributes(database: sqlite3.Connection) -> Iterator[Finding]:
    """Attributes that only one entity has, or that are nearly a common one."""
    rows = database.execute(
        "SELECT attribute, count(*), min(entity), min(value) FROM facts GROUP BY attribute").fetchall()
    counts = {attribute: count for attribute, count, _, _ in rows}
    common = [attribute for attribute, count in Counter(counts).most_common(MAX_COMMON) if count >= FEW]
    for attribute, count, entity, value in rows[:MAX_RARE]:
        near = _near(attribute, [one for one in common if count <= FEW_OF_THEM * counts[one]], SHORTEST_ATTRIBUTE)
        if near:
            yield Finding(Check.ATTRIBUTE_SPELLING, entity, attribute, value,
                          f"{counts[near]} entities have {near}, {count} has this" if count == 1 else
                          f"{counts[near]} entities have {near}, {count} have this")
        elif count == 1 and common:
            yield Finding(Check.ONE_OFF, entity, attribute, value, "no other entity has it")


def _of_entities(database: sqlite3.Connection) -> Iterator[Finding]:
    """Entities that share their name, or all of several facts, and entities without facts."""
    for entity, count in database.execute(
            "SELECT id, n FROM entities JOIN (SELECT lower(name) AS lowered, count(*) AS n FROM entities "
            "GROUP BY lowered HAVING n > 1) ON lower(name) = lowered ORDER BY lowered, id LIMIT ?", (MAX_OF_A_CHECK,)):
        yield Finding(Check.SAME_NAME, entity, "", "", f"{count} entities are called so: no answer tells them apart")
    for entity, facts, count in database.execute(SAME_FACTS, (MAX_OF_A_CHECK,)):
        yield Finding(Check.SAME_FACTS, entity, "", facts, f"{count} entities have just these")
    total, without = database.execute(
        "SELECT count(*), sum(id NOT IN (SELECT entity FROM facts)) FROM entities").fetchone()
    if 0 < without <= total - without:
        for (entity,) in database.execute("SELECT id FROM entities WHERE id NOT IN (SELECT entity FROM facts) "
                                             "ORDER BY id LIMIT ?", (MAX_OF_A_CHECK,)):
            yield Finding(Check.NO_FACTS, entity, "", "", f"{total - without} others have facts")


def _fact(attribute: str, fact: Fact) -> tuple[int, str, str]:
    return fact[0], attribute, fact[1]
