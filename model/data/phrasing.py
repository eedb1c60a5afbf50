"""How people ask: the tables of phrasing.toml and, for tests, of byhand.toml, one split at a time."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from random import Random
from typing import Any

from pixsearch.model.data.english import agree_question, capitalise, with_article
from pixsearch.model.data.records import Split

MAX_POSSESSOR_WORDS = 3  # "the red kettle's maker" reads; "the thing on the left's maker" does not
WRAPPED, SPOKEN = 0.22, 0.25  # shares of questions with words around them, and without capitals and marks
_PRONOUNS = ("this", "that", "it")


@dataclass(frozen=True)
class Attribute:
    """What an entity's fact can be about."""

    name: str  # the table's name in phrasing.toml
    on: tuple[str, ...]  # groups of entities that have it
    value: str  # kind of value, see words.value
    keys: tuple[str, ...]  # its spellings as the attribute of a fact
    says: str  # verb phrase with {v} or {a_v}
    query: str  # what a text query calls it
    hops: bool  # whether phrases lead through it to a named entity

    def verb_phrase(self, value: str) -> str:
        """The words that state the value: "is made by Norvik"."""
        return self.says.format(v=value, a_v=with_article(value) if value else "")


@dataclass(frozen=True)
class Words:
    """What a question says for the thing it asks about."""

    text: str  # as within a question, "the red kettle"
    bare: bool = False  # a point or the centre tells which thing, so that the words may be left out
    plural: bool = False


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath("phrasing.toml").read_text("utf-8"))


@cache
def attributes() -> Mapping[str, Attribute]:
    """All attributes by name, in the file's order."""
    return {
        name: Attribute(
            name,
            tuple(row["on"]),
            row["value"],
            tuple(row["keys"]),
            row["says"],
            row.get("query", row["keys"][0]),
            "hop" in row,
        )
        for name, row in _tables()["attribute"].items()
    }


@cache
def attribute_of_key(key: str) -> Attribute | None:
    """The attribute that a fact's key spells."""
    return next((one for one in attributes().values() if key in one.keys), None)


def templates(kind: str, split: Split, table: str = "ask") -> list[str]:
    """The phrasings of one question type ("ask"), attribute ("attribute") or way to refer ("refer")."""
    return list(_tables()[table][kind][split]) + (by_hand(kind, table) if split is Split.TEST else [])


def by_hand(kind: str, table: str) -> list[str]:
    """Phrasings of byhand.toml, which only tests use."""
    return list(_by_hand().get(table, {}).get(kind, ()))


@cache
def _by_hand() -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath("byhand.toml").read_text("utf-8"))


def hop_templates(attribute: str, split: Split) -> list[str]:
    """Noun phrases that lead through an attribute: "the maker of {x}"."""
    return list(_tables()["attribute"][attribute]["hop"][split])


def place_words(split: Split) -> list[str]:
    """Words for the place that a picture shows."""
    return list(_tables()["place_words"][split])


def ask(
    kind: str,
    split: Split,
    rng: Random,
    words: Words | None = None,
    *,
    table: str = "ask",
    keep_case: bool = False,
    **fields: str,
) -> tuple[str, bool]:
    """Write one question.

    words : stands for {x}; `fields` fill what else the template names
    keep_case : the question holds a name, whose capitals must stay
    returns the question, and whether it names the thing (False for "maker?")
    """
    choices = [one for one in templates(kind, split, table) if words is None or _fits(one, words)]
    template = rng.choice(choices)
    named = "{x}" in template
    if words is not None and words.plural:
        template = agree_question(template)
    question = template.format(x=words.text if words else "", **fields)
    return _dress(question, split, rng, keep_case), named


def _fits(template: str, words: Words) -> bool:
    if "{x}" not in template:
        return words.bare
    if "{x}'s" in template:
        return words.text not in _PRONOUNS and len(words.text.split()) <= MAX_POSSESSOR_WORDS
    return True


def _dress(question: str, split: Split, rng: Random, keep_case: bool) -> str:
    if rng.random() < WRAPPED:
        asks = question.endswith("?")
        around = _tables()["wrap"][split] + (_tables()["wrap_question"][split] if asks else [])
        question = rng.choice(around).format(q=question.rstrip("?"), e="?" if asks else "")
    question = capitalise(question)
    if rng.random() < SPOKEN:  # as a transcript writes it
        question = question.rstrip("?.")
        question = question if keep_case else question.lower()
    elif not question.endswith(("?", ".")) and rng.random() < 0.6:
        question += "."
    return question


def all_phrasings(split: Split) -> list[str]:
    """Every phrasing of a split, whatever it is for."""

    def walk(node: Any, key: str) -> list[str]:
        if isinstance(node, dict):
            return [text for name, child in node.items() for text in walk(child, name)]
        return list(node) if key == split and isinstance(node, list) else []

    written = [text for table in _by_hand().values() for texts in table.values() for text in texts]
    return walk(_tables(), "") + (written if split is Split.TEST else [])
