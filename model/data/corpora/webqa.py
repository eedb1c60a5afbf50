"""WebQA: questions that pictures with captions or snippets of text answer.

    WebQA_train_val.json, imgs.tsv (number, tab, picture in base64, one a line), imgs.lineidx (where each line begins)

Questions that snippets alone answer come without a picture and are left out.
"""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixsearch.contract.faults import Fault
from pixsearch.contract.grammar import Modality
from pixsearch.model.data.corpora.example import Example, Found, found, looked_up, read_json, said, words, wrong
from pixsearch.model.data.records import Split

SPLITS = {Split.TRAIN: "train", Split.VALIDATION: "val", Split.TEST: "val"}
MAX_LINE_BYTES = 100 << 20
MAX_NAME_CHARS = 120


def read_webqa(folder: Path, split: Split) -> Found:
    """Every question with a picture: an image search finds its caption."""
    path = folder / "WebQA_train_val.json"
    whole = read_json(path)
    if not isinstance(whole, dict):
        raise wrong(str(path), "questions by their ids", type(whole).__name__)
    pictures = _Pictures(folder)
    for guid, row in whole.items():
        place = f"{path.name}: {guid}"
        if not isinstance(row, dict):
            yield wrong(place, "an object", type(row).__name__)
        elif row.get("split") == SPLITS[split] and row.get("img_posFacts"):
            try:
                yield _example(row, pictures, place, split)
            except Fault as fault:
                yield fault


def _example(row: Mapping[str, Any], pictures: "_Pictures", place: str, split: Split) -> Example:
    facts = row["img_posFacts"]
    answers = row.get("A")
    if not isinstance(facts, list) or not isinstance(facts[0], dict) or not isinstance(answers, list) or not answers:
        raise wrong(place, "lists of answers and facts", repr(facts)[:60])
    question, answer = (words(place, _unquoted(row.get("Q"))), said(place, _unquoted(answers[0])))
    name = words(place, facts[0].get("title") or facts[0].get("caption"), MAX_NAME_CHARS)
    told = {"caption": words(place, facts[0].get("caption"))} if facts[0].get("caption") else {}
    searches = [found(Modality.IMAGE, question, name, told)]
    for fact in facts[1:2]:
        searches.append(found(Modality.TEXT, question, words(place, fact.get("title"), MAX_NAME_CHARS),
                              {"caption": words(place, fact.get("caption"))}, name))
    return Example(place, pictures.content(facts[0].get("image_id"), place),
                   samples=(looked_up(split, question, answer, answer, searches, "knowledge"),))


def _unquoted(value: Any) -> Any:
    return value.strip().strip('"') if isinstance(value, str) else value


class _Pictures:
    """Pictures by number, through the file that says where each line begins."""

    def __init__(self, folder: Path) -> None:
        self._path, index = folder / "imgs.tsv", folder / "imgs.lineidx"
        if not self._path.is_file() or not index.is_file():
            raise wrong(str(folder), "imgs.tsv and imgs.lineidx", "not both")
        try:
            self._starts = [int(line) for line in index.read_text("ascii").split()]
        except ValueError as error:
            raise wrong(str(index), "a number a line", str(error)) from error

    def content(self, number: Any, place: str) -> bytes:
        """The picture file's content. Raises Fault."""
        if type(number) is not int or not 0 <= (at := number % 10_000_000) < len(self._starts):
            raise wrong(place, f"a picture from 0 to {len(self._starts) - 1}", repr(number)[:60])
        with self._path.open("rb") as stream:
            stream.seek(max(0, self._starts[at]))
            own, _, content = stream.readline(MAX_LINE_BYTES).rstrip(b"\n").partition(b"\t")
        try:
            if int(own) != number:
                raise wrong(place, f"picture {number} at its place in imgs.tsv", own[:20].decode("latin-1"))
            return base64.b64decode(content, validate=True)
        except (ValueError, binascii.Error) as error:
            raise wrong(place, "a number and a picture in base64", str(error)[:100]) from error
