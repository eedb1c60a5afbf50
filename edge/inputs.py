"""Questions, points and boxes from outside: checked before any model sees them."""

import math
import re
from collections.abc import Sequence

from pixsearch.contract.faults import Fault
from pixsearch.contract.grammar import SPECIAL_TOKENS

MAX_QUESTION_CHARS = 1000
MIN_LATIN_SHARE = 0.7  # of the letters
FOREIGN_WORDS_TO_REFUSE = 2

Point = tuple[float, float]  # x, y in frame pixels
Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in frame pixels, right and bottom exclusive

_WORD = re.compile(r"[^\W\d_]+")

# "was", "die", "is", "do", "a", "de", "la", "van" … belong to English and to another language: in no list.
_ENGLISH = frozenset(_WORD.findall(
    "what which who whose where when how why are the this these those that of does did can could should "
    "would it its there with and my your me you tell show name describe many much from for on to by here"))
_FOREIGN = frozenset(_WORD.findall(
    "ist das der und welche welcher welches wer wie wo ein eine ich nicht wieviel dieses diese "  # German
    "est ce que qu quel quelle quels quelles qui où combien cette cet une dans pourquoi "  # French
    "qué cuál es esto esta este esa ese cómo dónde quién cuánto cuántos una del "  # Spanish
    "che cosa questo questa è quale quanti dove chi sono della "  # Italian
    "é isso isto qual onde quem uma quantos essa esse "  # Portuguese
    "wat dat dit een het hoe waar welke wie voor "  # Dutch
    "jest czy jaki gdzie kto jak "  # Polish
    "är det detta vad hva hvad dette hvor "  # Swedish, Norwegian, Danish
    "bu nedir kim nerede "  # Turkish
    "apa ini itu berapa siapa mana"))  # Indonesian


def check_question(text: str) -> str:
    """A question as the model may see it: control characters gone, spaces tidy.

    Raises Fault for a question that is empty, over 1,000 characters, has a special token, has neither letter
    nor digit, or is not English. Language is judged with care: other scripts are refused, other languages in
    Latin script only when they show by common words of their own and no English one stands beside them.
    """
    if len(text) > MAX_QUESTION_CHARS:
        raise _fault(f"at most {MAX_QUESTION_CHARS} characters", f"{len(text)}", "ask more briefly")
    question = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    if not question:
        raise _fault("words", "an empty text", "ask something, such as 'What is this?'")
    lowered = question.lower()
    if token := next((token for token in SPECIAL_TOKENS if token in lowered), None):
        raise _fault("plain words", f"the model's own token {token}", "leave it out")
    if not any(character.isalnum() for character in question):
        raise _fault("words", repr(question[:40]), "ask something, such as 'What is this?'")
    if not _may_be_english(lowered):
        raise _fault("English", repr(question[:40]), "ask it in English")
    return question


def _may_be_english(question: str) -> bool:
    letters = [character for character in question if character.isalpha()]
    if letters and sum(character.isascii() for character in letters) < MIN_LATIN_SHARE * len(letters):
        return False
    words = set(_WORD.findall(question))
    return bool(words & _ENGLISH) or len(words & _FOREIGN) < FOREIGN_WORDS_TO_REFUSE


def _fault(expected: str, actual: str, remedy: str) -> Fault:
    return Fault("question", expected=expected, actual=actual, remedy=remedy)


def check_point(point: Sequence[float], height: int, width: int) -> Point:
    """A point inside a frame of (height, width) pixels. Raises Fault."""
    if len(point) != 2 or not all(map(math.isfinite, point)) or not (
            0 <= point[0] < width and 0 <= point[1] < height):
        raise Fault("point", expected=f"x from 0 to {width - 1} and y from 0 to {height - 1}",
                    actual=_written(point), remedy="give a point inside the picture")
    return float(point[0]), float(point[1])


def check_box(box: Sequence[float], height: int, width: int) -> Box:
    """A box with an area inside a frame of (height, width) pixels. Raises Fault."""
    if len(box) != 4 or not all(map(math.isfinite, box)) or not (
            0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height):
        raise Fault("box", expected=f"x0 < x1 from 0 to {width} and y0 < y1 from 0 to {height}",
                    actual=_written(box), remedy="give a box inside the picture")
    return float(box[0]), float(box[1]), float(box[2]), float(box[3])


def _written(numbers: Sequence[float]) -> str:
    return ",".join(f"{number:g}" for number in numbers)
