"""CRAG-MM as training data: its turns with their reference answers. The benchmark's own rows are read next door.

It says nothing of where answers come from: without the trace builder its questions are answered by looking.
"""

from pathlib import Path

from pixsearch.contract.faults import Fault
from pixsearch.contract.tokenizer import Turn
from pixsearch.model.data.corpora.crag_mm_rows import Dataset
from pixsearch.model.data.corpora.example import Example, Found, looked_at, said, words, wrong
from pixsearch.model.data.records import Split

NAMES = {Split.TRAIN: "train", Split.VALIDATION: "validation", Split.TEST: "public_test"}


def read_crag_mm(folder: Path, split: Split) -> Found:
    """Every session as one example, a sample a turn. Where a copy has no such split, `validation` is read."""
    try:
        sessions = Dataset(folder, NAMES[split])
    except Fault:
        sessions = Dataset(folder, "validation")
    for session in sessions:
        try:
            if session.content is None:
                raise wrong(session.place, "a picture in the row", f"the address {session.address}")
            history: list[Turn] = []
            samples = []
            for turn in session.turns:
                question, answer = words(session.place, turn.query), said(session.place, turn.answer)
                samples.append(looked_at(split, question, answer, 2, history))
                history.append(Turn(question, answer))
            yield Example(session.place, session.content, samples=tuple(samples))
        except Fault as fault:
            yield fault
