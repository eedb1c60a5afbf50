"""LLaVA's instruction mixes: conversations about pictures.

    llava_v1_5_mix665k.json (or another list of the same form), pictures below as its "image" names them
"""

from pathlib import Path
from typing import Any

from pixsearch.contract.faults import Fault
from pixsearch.contract.tokenizer import Turn
from pixsearch.model.data.corpora.example import Example, Found, looked_at, picture_file, read_json, said, words, wrong
from pixsearch.model.data.records import Sample, Split

NAME = "llava_v1_5_mix665k.json"
MOST_TURNS = 8
HELD_OUT = 50  # one conversation in so many is for validation: the mixes have no split of their own


def read_llava(folder: Path, split: Split) -> Found:
    """Every conversation about a picture; those without one are left out."""
    path = folder / NAME
    if not path.is_file() and len(lists := sorted(folder.glob("*.json"))) == 1:
        path = lists[0]
    rows = read_json(path)
    if not isinstance(rows, list):
        raise wrong(str(path), "a list of conversations", type(rows).__name__)
    for number, row in enumerate(rows):
        place = f"{path.name}[{number}]"
        if (number % HELD_OUT == HELD_OUT - 1) == (split is Split.TRAIN):
            continue
        if not isinstance(row, dict):
            yield wrong(place, "an object", type(row).__name__)
            continue
        if "image" not in row:
            continue
        try:
            yield Example(place, picture_file(place, folder, str(row["image"])),
                          samples=tuple(_samples(row.get("conversations"), place, split)))
        except Fault as fault:
            yield fault


def _samples(turns: Any, place: str, split: Split) -> list[Sample]:
    if not isinstance(turns, list) or len(turns) < 2:
        raise wrong(place, "conversations of at least two messages", repr(turns)[:60])
    history: list[Turn] = []
    samples = []
    for asked, answered in list(zip(turns[::2], turns[1::2], strict=False))[:MOST_TURNS]:
        if not (isinstance(asked, dict) and isinstance(answered, dict)
                and (asked.get("from"), answered.get("from")) == ("human", "gpt")):
            raise wrong(place, "messages from human and gpt in turn", repr(asked)[:60])
        question = words(place, str(asked.get("value")).replace("<image>", " "))
        answer = said(place, answered.get("value"))
        samples.append(looked_at(split, question, answer, 1, history))
        history.append(Turn(question, answer))
    return samples
