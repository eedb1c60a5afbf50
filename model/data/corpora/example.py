"""What every reader yields, and how readers look at files: bounded, inside their folder, faults with their place."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.evidence import EvidenceItem, format_evidence
from pixsearch.contract.faults import Fault
from pixsearch.contract.grammar import Modality, Search
from pixsearch.contract.plain_text import plain
from pixsearch.contract.tokenizer import Turn
from pixsearch.model.data.phrasing import Words, ask
from pixsearch.model.data.records import Sample, Split
from pixsearch.model.data.writing import Writer, check

MAX_JSON_BYTES, MAX_LINE_BYTES = 8 << 30, 4 << 20
MAX_QUESTION_CHARS, MAX_SAID_CHARS, MAX_PHRASE_CHARS = 400, 600, 160
PICTURE_ENDINGS = (".jpg", ".JPEG", ".jpeg", ".JPG", ".png", ".PNG", ".webp")
Mask = NDArray[np.bool_]
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")


@dataclass(frozen=True)
class Example:
    """One picture and what is said of it.

    place    : where it stands, for messages
    picture  : a file, or its content
    masks    : bool (H, W) of the picture's size, one a thing; spans of samples point into them
    samples  : their `scene_seed` is set when they are written down
    complete : whether all that could be named is masked, so that the rest is known to be background
    """

    place: str
    picture: Path | bytes
    masks: tuple[Mask, ...] = ()
    samples: tuple[Sample, ...] = ()
    complete: bool = False


Found = Iterator[Example | Fault]


def read_json(path: Path) -> Any:
    """A whole JSON file. Raises Fault with file and line."""
    if not path.is_file():
        raise wrong(str(path), "a file of the published layout", "none there")
    if (size := path.stat().st_size) > MAX_JSON_BYTES:
        raise wrong(str(path), f"at most {MAX_JSON_BYTES >> 30} GB", f"{size} bytes")
    try:
        return json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        raise wrong(f"{path}:{error.lineno}", "JSON", error.msg) from error
    except (ValueError, RecursionError) as error:
        raise wrong(str(path), "JSON", str(error)) from error


def read_lines(path: Path) -> Iterator[tuple[str, dict[str, Any] | Fault]]:
    """The objects of a JSON-lines file with their "file:line", or what is wrong with a line."""
    if not path.is_file():
        raise wrong(str(path), "a file of the published layout", "none there")
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(MAX_LINE_BYTES):
            number += 1
            place = f"{path.name}:{number}"
            try:
                row = json.loads(line) if line.strip() else None
            except (ValueError, RecursionError) as error:
                yield place, wrong(place, "JSON", str(error))
                continue
            if row is not None:
                yield place, row if isinstance(row, dict) else wrong(place, "a JSON object", type(row).__name__)


def first_there(folder: Path, *names: str) -> Path:
    """The first of some files or folders that is there. Raises Fault that names them all."""
    found = next((path for name in names if (path := folder / name).exists()), None)
    if found is None:
        raise wrong(str(folder), " or ".join(names), "none of them")
    return found


def picture_file(place: str, folder: Path, *names: str) -> Path:
    """The first of some pictures below a folder; a name without ending stands for any. Raises Fault."""
    for name in names:
        path = folder / name
        for one in [path] if path.suffix in PICTURE_ENDINGS else [Path(f"{path}{end}") for end in PICTURE_ENDINGS]:
            if one.is_file():
                if folder.resolve() not in one.resolve().parents:
                    raise wrong(place, "a picture inside the corpus", str(one)[:200])
                return one
    raise wrong(place, f"the picture {names[0][:200]}", "none there")


def words(place: str, value: Any, limit: int = MAX_QUESTION_CHARS) -> str:
    """Words on one line. Raises Fault for what is empty or no string; what is too long is cut at a word."""
    if not isinstance(value, str) or not (text := plain(value)):
        raise wrong(place, "words", repr(value)[:60])
    return text if len(text) <= limit else text[:limit].rsplit(" ", 1)[0]


def said(place: str, value: Any) -> str:
    """Words of an answer; a long one ends with its last whole sentence."""
    text = words(place, value, 10 * MAX_SAID_CHARS)
    if len(text) <= MAX_SAID_CHARS:
        return text
    ends = [end.end() for end in _SENTENCE_END.finditer(text[:MAX_SAID_CHARS])]
    return text[:ends[-1]] if ends else text[:MAX_SAID_CHARS].rsplit(" ", 1)[0]


def point_out(split: Split, phrase: str, target: int, concept: str | None, rng: Random) -> Sample:
    """A stage-1 sample that shows what a phrase means: "Mark the cup" → "The cup." with its mask."""
    question, _ = ask("point_out", split, rng, Words(phrase))
    trace, spans = Writer().mention(phrase[:1].upper() + phrase[1:], target, concept).say(".").trace()
    return check(Sample(0, split, 1, "point-out", question, trace, phrase, None, spans, target=target))


def looked_at(split: Split, question: str, answer: str, stage: int, history: Sequence[Turn] = (),
              accepted: Sequence[str] = ()) -> Sample:
    """A sample that looking answers, without a mask or a search."""
    trace, _ = Writer().say(answer).trace()
    return check(Sample(0, split, stage, "look", question, trace, answer, None, history=tuple(history),
                        accepted=tuple(accepted)))


def looked_up(split: Split, question: str, answer: str, words_said: str, searches: Sequence[Search], kind: str,
              accepted: Sequence[str] = (), entity: str | None = None) -> Sample:
    """A stage-2 sample that searches answer; each carries the evidence that it finds."""
    writer = Writer()
    for search in searches:
        writer.search(search.modality, search.evidence or "", search.query)
    trace, _ = writer.say(words_said).trace()
    return check(Sample(0, split, 2, kind, question, trace, answer, searches[0].modality, accepted=tuple(accepted),
                        entity=entity))


def found(modality: Modality, question: str, name: str, facts: dict[str, str], query: str | None = None) -> Search:
    """A search with the evidence of one hit, as the device would write it."""
    item = EvidenceItem(name, facts, None if modality is Modality.TEXT else 1.0, "")
    return Search(modality, query, format_evidence([item], question))


def wrong(what: str, expected: str, actual: str) -> Fault:
    """A Fault about a corpus."""
    return Fault(what, expected=expected, actual=actual, remedy="see docs/corpora.md for the layout")
