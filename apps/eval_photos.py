"""`eval photos`: hand-written questions about real photographs, answered from the everyday pack."""

import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pixsearch.apps.defaults import EVERYDAY_PACK, PHOTOS
from pixsearch.apps.report import shown_hits
from pixsearch.apps.scores import Verdict, applying, benchmark, is_well_formed, mean, share, verdict_scores
from pixsearch.contract.grammar import Modality
from pixsearch.contract.images import read_image
from pixsearch.edge.answer import Answer
from pixsearch.edge.assistant import Assistant, open_assistant
from pixsearch.edge.inputs import Point

QUESTIONS = PHOTOS / "questions.jsonl"


@dataclass(frozen=True)
class PhotoQuestion:
    """One question.

    split        : "validation", for thresholds, or "test"; a photograph is in one of them
    asks         : "entity" for its name, "fact" for something about it
    accepted     : names that count as right: expected class and its WordNet ancestors within two steps
    accepted_ids : their WordNet ids, the keys of the everyday pack
    """

    id: str
    photo: Path
    split: str
    question: str
    point: Point | None
    asks: str
    accepted: tuple[str, ...]
    accepted_ids: frozenset[str]


def read_photo_questions(path: Path = QUESTIONS) -> list[PhotoQuestion]:
    """The committed questions."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        PhotoQuestion(
            row["id"],
            path.parent / row["photo"],
            row["split"],
            row["question"],
            tuple(row["point"]) if "point" in row else None,
            row["asks"],
            tuple(row["accepted"]),
            frozenset(row["accepted_ids"]),
        )
        for row in rows
    ]


def judge_photo(answer: Answer, asked: PhotoQuestion) -> Verdict:
    """Whether the named entity is right.

    The entity is the hit that the answer names. Where it names none, an accepted name in the answer counts,
    and for a fact, which need not name its thing, the best hit of the last search with a picture.
    """
    if answer.abstained:
        return "missing"
    visual = [hit for search, hit in shown_hits(answer) if search.modality is not Modality.TEXT]
    named = [hit for hit in visual if says(answer.answer, hit.entity)]
    if named:
        longest = max(named, key=lambda hit: len(hit.entity))  # "tiger cat" also says "cat"
        return "right" if longest.key in asked.accepted_ids else "wrong"
    if any(says(answer.answer, name) for name in asked.accepted):
        return "right"
    last = [
        search.hits[0] for search in answer.searches if search.hits and search.modality is not Modality.TEXT
    ]
    return "right" if asked.asks == "fact" and last and last[-1].key in asked.accepted_ids else "wrong"


def says(text: str, name: str) -> bool:
    """Whether a name stands in a text as whole words."""
    return re.search(rf"(?<!\w){re.escape(name.lower())}(?!\w)", text.lower()) is not None


def evaluate_photos(
    bundle: Path | None = None, split: str | None = None, limit: int | None = None, budget: int | None = None
) -> dict[str, Any]:
    """Ask every question, or those of one split, and score the answers. Progress goes to stderr."""
    questions = [one for one in read_photo_questions() if split in (None, one.split)][:limit]
    started = time.monotonic()
    with (
        open_assistant(bundle, [EVERYDAY_PACK]) as assistant,
        click.progressbar(questions, label="photos", file=sys.stderr) as bar,
    ):
        rows = [_ask(assistant, one, budget) for one in bar]
    splits = {
        name: _metrics([row for row in rows if row["split"] == name])
        for name in dict.fromkeys(one.split for one in questions)
    }
    return benchmark(
        "photos",
        len(rows),
        assistant.bundle.name,
        time.monotonic() - started,
        _metrics(rows),
        splits=splits,
        answers=rows,
    )


def photo_answers(bundle: Path | None, pack: Path, split: str) -> Iterator[tuple[PhotoQuestion, Answer]]:
    """Every question of a split with its answer from one pack."""
    questions = [one for one in read_photo_questions() if one.split == split]
    with (
        open_assistant(bundle, [pack]) as assistant,
        click.progressbar(questions, label=f"{split} photos", file=sys.stderr) as bar,
    ):
        for asked in bar:
            yield asked, assistant.ask(read_image(asked.photo), asked.question, point=asked.point)


def _ask(assistant: Assistant, asked: PhotoQuestion, budget: int | None) -> dict[str, Any]:
    answer = assistant.ask(read_image(asked.photo), asked.question, point=asked.point, budget=budget)
    return {
        "id": asked.id,
        "split": asked.split,
        "question": asked.question,
        "answer": answer.answer,
        "verdict": judge_photo(answer, asked),
        "confidence": round(answer.confidence, 4),
        "searches": [search.modality.value for search in answer.searches],
        "trace": answer.trace,
    }


def _metrics(rows: list[dict[str, Any]]) -> dict[str, Any]:
    visual = (Modality.REGION.value, Modality.IMAGE.value)
    return applying(
        {
            **verdict_scores([row["verdict"] for row in rows]),
            # every photo question is about something in view: its first search must be made with pixels
            "modality_accuracy": share(
                bool(row["searches"]) and row["searches"][0] in visual for row in rows
            ),
            "searches_mean": mean([len(row["searches"]) for row in rows]),
            "well_formed": share(is_well_formed(row["trace"]) for row in rows),
        }
    )
