"""Whether an answer is right, by exact words."""

import re
from typing import Literal

from pixsearch.contract.abstention import is_abstention
from pixsearch.model.data.english import NUMBER_WORDS
from pixsearch.model.data.records import Sample

Verdict = Literal["right", "missing", "wrong"]
PARTS = ";"  # separates the parts of an answer that must all occur

_DIGITS = {word: str(value) for value, word in enumerate(NUMBER_WORDS) if value}
_UNITS = {
    "kilogram": "kg",
    "kilograms": "kg",
    "kilos": "kg",
    "grams": "g",
    "gram": "g",
    "centimetres": "cm",
    "centimeters": "cm",
    "metres": "m",
    "meters": "m",
    "millimetres": "mm",
    "millimeters": "mm",
    "euro": "euros",
    "€": "euros",
}
_ARTICLES = {"a", "an", "the"}
_TOKEN = re.compile(r"\d+(?:\.\d+)*|[^\W\d_]+|€")


def judge(answer: str, sample: Sample) -> Verdict:
    """Judge an answer against a sample.

    "right": the value, or an accepted spelling of it, occurs as words; or both sample and answer abstain, and where
    a sample that abstains accepts words as well ("no kettle"), these.
    "missing": the answer abstains where there was one. "wrong": anything else.
    """
    abstains = is_abstention(answer)
    said = f" {normalise(answer)} "
    if not sample.answer:
        return "right" if abstains or any(_holds(said, value) for value in sample.accepted) else "wrong"
    if any(_holds(said, value) for value in (sample.answer, *sample.accepted)):
        return "right"
    return "missing" if abstains or not said.strip() else "wrong"


def normalise(text: str) -> str:
    """Lower case, words and numbers only, no articles, digits for number words, short units: "2 kg"."""
    plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text.lower().replace("’", "'").replace("'s ", " "))
    words = (_UNITS.get(word, _DIGITS.get(word, word)) for word in _TOKEN.findall(plain))
    return " ".join(
        re.sub(r"(\.\d*?)0+$", r"\1", word).rstrip(".") if word.count(".") == 1 else word
        for word in words
        if word not in _ARTICLES
    )


def _holds(said: str, value: str) -> bool:
    parts = [normalise(part) for part in value.split(PARTS)]
    return all(part and f" {part} " in said for part in parts)
