"""TextVQA, OK-VQA and A-OKVQA: questions about COCO's and OpenImages' pictures.

    TextVQA: TextVQA_0.5.1_train.json, train_images/0054c91397f2fe05.jpg
    OK-VQA: OpenEnded_mscoco_train2014_questions.json, mscoco_train2014_annotations.json,
        train2014/COCO_train2014_000000051606.jpg
    A-OKVQA: aokvqa_v1p0_train.json, train2017/000000299207.jpg

TextVQA is answered by looking. A-OKVQA's rationales are what a text search finds. OK-VQA says nothing of where its
answers come from: without the trace builder its questions are answered by looking as well.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pixsearch.contract.faults import Fault
from pixsearch.contract.grammar import Modality
from pixsearch.model.data.corpora.example import (
    Example,
    Found,
    first_there,
    found,
    looked_at,
    looked_up,
    picture_file,
    read_json,
    words,
    wrong,
)
from pixsearch.model.data.records import Sample, Split

NAMES = {Split.TRAIN: "train", Split.VALIDATION: "val", Split.TEST: "test"}
MAX_ANSWER_CHARS, MAX_RATIONALES = 120, 3
NO_ANSWERS = ("unanswerable", "answering does not require reading text in the image", "")


def read_textvqa(folder: Path, split: Split) -> Found:
    """Every question with the answer that most annotators gave."""
    path = first_there(folder, *(f"TextVQA_{version}_{NAMES[split]}.json" for version in ("0.5.1", "0.5")))
    images = "test_images" if split is Split.TEST else "train_images"  # validation's are among the training ones
    for place, row in _rows(read_json(path), "data", path):
        try:
            answer, accepted = _answer(row.get("answers"), place)
            picture = picture_file(place, folder, f"{images}/{row.get('image_id')}", f"images/{row.get('image_id')}")
            yield Example(place, picture, samples=(_looked(row, answer, accepted, place, split),))
        except Fault as fault:
            yield fault


def read_okvqa(folder: Path, split: Split) -> Found:
    """Every question with the answer that most annotators gave."""
    name = f"{NAMES[split]}2014"
    answers = read_json(folder / f"mscoco_{name}_annotations.json")
    told = {row.get("question_id"): row for _, row in _rows(answers, "annotations", folder)}
    path = folder / f"OpenEnded_mscoco_{name}_questions.json"
    for place, row in _rows(read_json(path), "questions", path):
        try:
            given = told.get(row.get("question_id"), {}).get("answers") or []
            answer, accepted = _answer([one.get("answer") for one in given if isinstance(one, dict)], place)
            picture = picture_file(place, folder, f"{name}/COCO_{name}_{_number(row.get('image_id'), place):012}.jpg")
            yield Example(place, picture, samples=(_looked(row, answer, accepted, place, split),))
        except Fault as fault:
            yield fault


def read_aokvqa(folder: Path, split: Split) -> Found:
    """Every question with its answer, and its rationales as what a search found."""
    path = folder / f"aokvqa_v1p0_{NAMES[split]}.json"
    for place, row in _rows(read_json(path), None, path):
        try:
            answer, accepted = _answer(row.get("direct_answers"), place)
            if isinstance(choices := row.get("choices"), list) and isinstance(at := row.get("correct_choice_idx"), int):
                answer = words(place, choices[at] if 0 <= at < len(choices) else None, MAX_ANSWER_CHARS)
            name = f"{_number(row.get('image_id'), place):012}.jpg"
            picture = picture_file(place, folder, f"{NAMES[split]}2017/{name}", f"images/{NAMES[split]}2017/{name}")
            yield Example(place, picture, samples=(_reasoned(row, answer, accepted, place, split),))
        except Fault as fault:
            yield fault


def _looked(row: Mapping[str, Any], answer: str, accepted: list[str], place: str, split: Split) -> Sample:
    return looked_at(split, words(place, row.get("question")), f"{answer[:1].upper()}{answer[1:]}.", 2,
                     accepted=[answer, *accepted])


def _reasoned(row: Mapping[str, Any], answer: str, accepted: list[str], place: str, split: Split) -> Sample:
    question = words(place, row.get("question"))
    reasons = [words(place, one) for one in (row.get("rationales") or [])[:MAX_RATIONALES] if one]
    if not reasons:
        return _looked(row, answer, accepted, place, split)
    facts = {f"note {number}": one for number, one in enumerate(reasons, 1)}
    search = found(Modality.TEXT, question, "Notes", facts, question.rstrip("?"))
    return looked_up(split, question, answer, f"{answer[:1].upper()}{answer[1:]}.", [search], "reasoning", accepted)


def _rows(whole: Any, key: str | None, path: Path) -> Iterable[tuple[str, Mapping[str, Any]]]:
    rows = whole if key is None else whole.get(key) if isinstance(whole, dict) else None
    if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
        raise wrong(str(path), "a list of questions" + (f' under "{key}"' if key else ""), type(rows).__name__)
    return [(f"{path.name}[{number}]", row) for number, row in enumerate(rows)]


def _answer(answers: Any, place: str) -> tuple[str, list[str]]:
    """The most frequent answer, and the others that more than one annotator gave."""
    given = [one.strip() for one in answers if isinstance(one, str)] if isinstance(answers, list) else []
    counted = Counter(one for one in given if one.lower() not in NO_ANSWERS).most_common()
    if not counted:
        raise wrong(place, "an answer", "none")
    return words(place, counted[0][0], MAX_ANSWER_CHARS), [one for one, count in counted[1:] if count > 1]


def _number(value: Any, place: str) -> int:
    if type(value) is not int or not 0 <= value < 10**12:
        raise wrong(place, "the number of a COCO picture", repr(value)[:60])
    return value
