"""Made-up words and values. A word belongs to one split by its hash, so that no two splits share a name."""

import hashlib
import re
import tomllib
from functools import cache
from importlib import resources
from random import Random
from typing import Any

from pixsearch.model.data.records import Split

FEWEST_LETTERS, MOST_LETTERS = 5, 9
_BUCKETS = 10  # of word hashes: 0-5 train, 6-7 validation, 8-9 test
_NUMBER = re.compile(r"\{(\d+)-(\d+)(/10)?\}")


def split_of_word(word: str) -> Split:
    """The split that a made-up word belongs to."""
    bucket = hashlib.sha256(word.lower().encode()).digest()[0] % _BUCKETS
    return Split.TRAIN if bucket < 6 else Split.VALIDATION if bucket < 8 else Split.TEST


def made_up_word(rng: Random, split: Split) -> str:
    """A capitalised word of two or three syllables such as "Norvik"."""
    sounds = {name: text.split() for name, text in _tables()["sounds"].items()}
    while True:
        word = rng.choice(sounds["onsets"])
        for _ in range(rng.choice((1, 1, 1, 2))):
            word += rng.choice(sounds["vowels"]) + rng.choice(sounds["middles"])
        word += rng.choice(sounds["vowels"]) + (rng.choice(sounds["ends"]) if rng.random() < 0.67 else "")
        if FEWEST_LETTERS <= len(word) <= MOST_LETTERS and split_of_word(word) is split:
            return word.capitalize()


def name(kind: str, rng: Random, split: Split) -> str:
    """A made-up name of a "person", "town", "company" or "place"."""
    word = made_up_word(rng, split)
    if kind == "person":
        return f"{word} {made_up_word(rng, split)}"
    return word + rng.choice(_tables()["endings"][kind])


def value(kind: str, rng: Random, split: Split) -> str:
    """A value of a kind that phrasing.toml names, apart from companies, people and towns, which are entities.

    Raises KeyError for an unknown kind.
    """
    tables = _tables()
    if kind == "slogan":
        return " ".join(rng.choice(tables["slogan"][half].split()) for half in ("first", "second"))
    if kind in tables["values"]:
        return str(rng.choice(tables["values"][kind]))
    if kind in tables["numbered"]:
        return _NUMBER.sub(lambda match: _number(match, rng), rng.choice(tables["numbered"][kind]))
    return str(rng.choice(tables["forms"][kind])).format(made_up_word(rng, split))


def _number(match: re.Match[str], rng: Random) -> str:
    number = rng.randint(int(match[1]), int(match[2]))
    return f"{number / 10:.1f}" if match[3] else str(number)


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath("words.toml").read_text("utf-8"))
