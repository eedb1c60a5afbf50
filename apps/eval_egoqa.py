"""`eval egoqa`: 2,000 questions and 300 conversations about composed scenes, answered from an index of their own.

Questions, index and answers are kept below `runs/egoqa`, so that a run that was interrupted goes on.
"""

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixsearch.apps.egoqa_report import write_report
from pixsearch.apps.egoqa_scores import broken_down, conversation_scores, exam_scores, is_over, modality_confusion
from pixsearch.apps.eval_scenes import DATA
from pixsearch.apps.extras import needs_extra
from pixsearch.apps.judged import Judged, judge_answer
from pixsearch.apps.kept import Kept
from pixsearch.apps.scene_packs import write_exam_pack
from pixsearch.apps.scores import benchmark
from pixsearch.apps.ways import BASELINES, FULL, Asker, Way
from pixsearch.contract.files import MANIFEST_NAME, sha256_file
from pixsearch.contract.tokenizer import Turn
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.bundle import Bundle, default_bundle
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.index.pack import Pack
from pixsearch.index.search import Library

if TYPE_CHECKING:
    from pixsearch.model.data.egoqa import Exam, Question

RUNS, FOLDER = Path("runs"), "egoqa"
RECIPE = 1  # one more whenever the same numbers give other questions or another index
DEADLINE_S = 600.0  # so that a slow machine gives the answers of a fast one
FULL_NAME = "full"
REPORT = "report.html"


@dataclass(frozen=True)
class Results:
    """What was asked and how it was answered.

    rows    : by way, one for each question; answers : as `ask --json` prints them, of the full way
    talks   : turns of each conversation, and a row for each turn that was reached
    """

    questions: list["Question"]
    rows: dict[str, list[Judged]]
    answers: list[dict[str, Any]]
    talks: list[tuple[list["Question"], list[Judged]]]


@needs_extra("train")
def evaluate_egoqa(
    bundle_folder: Path | None = None,
    split: str = "test",
    limit: int | None = None,
    ablation: bool = False,
    fresh: bool = False,
    data: Path = DATA,
    runs: Path = RUNS,
) -> dict[str, Any]:
    """Ask the first `limit` questions (all unless given) and as large a share of the conversations.

    ablation : ask them in every way of BASELINES too; fresh : do not go on from answers that were kept
    data : the folder that `make data` filled
    """
    from pixsearch.model.data.egoqa import load_exam
    from pixsearch.model.data.records import Split

    bundle, started = Bundle.load(bundle_folder or default_bundle()), time.monotonic()
    folder = runs / FOLDER / f"{split}-{RECIPE}"
    exam = load_exam(data, Split(split))
    own = folder / f"{bundle.name}-{sha256_file(bundle.folder / MANIFEST_NAME)[:12]}"
    if fresh:
        shutil.rmtree(own, ignore_errors=True)
    with _assistant(bundle, exam, folder) as assistant:
        results = answer_exam(exam, assistant, Asker(data), folder, own, limit, BASELINES if ablation else {})
    figures = figures_of(results)
    write_report(own / REPORT, exam, results, figures, bundle.name, split)
    return benchmark(FOLDER, len(results.questions), bundle.name, time.monotonic() - started, **figures, split=split,
                     report=str(own / REPORT))


def figures_of(results: Results) -> dict[str, Any]:
    """Everything that is computed from answers, as `eval --json` prints it."""
    full = results.rows[FULL_NAME]
    conversations = conversation_scores([[row.verdict for row in rows] for _, rows in results.talks],
                                        [len(turns) for turns, _ in results.talks])
    ablations = {name: exam_scores(rows) for name, rows in results.rows.items() if name != FULL_NAME}
    return {
        "metrics": {**exam_scores(full), **conversations},
        "conversations": len(results.talks),
        "by": broken_down(results.questions, full),
        "modality_confusion": modality_confusion(full),
        **({"ablation": ablations} if ablations else {}),
    }


@contextmanager
def _assistant(bundle: Bundle, exam: "Exam", folder: Path) -> Iterator[Assistant]:
    """With the exam's index, which is made where it is missing."""
    index = folder / f"index-{bundle.embedder_id}.pxpack"
    if not index.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_exam_pack(index, exam, BundleEmbedder(bundle))
    library = Library([Pack.open(index, bundle.embedder_id)])
    with Assistant(bundle, library, deadline_s=DEADLINE_S) as assistant:
        yield assistant


def answer_exam(exam: "Exam", assistant: Assistant, asker: Asker, folder: Path, own: Path, limit: int | None,
                ways: dict[str, Way]) -> Results:
    """Make what is missing of questions and answers, and return all.

    folder : of questions; own : of this bundle's answers; ways : beside the full one
    """
    from pixsearch.model.data.egoqa import CONVERSATIONS, QUESTIONS, Question

    count = min(limit or QUESTIONS, QUESTIONS)
    talks = -(-count * CONVERSATIONS // QUESTIONS)
    made = Kept(folder / "questions.jsonl").fill(count, lambda number: exam.question(number).as_json(), "questions")
    questions = [Question.from_json(row) for row in made]
    kept = _answer_questions(exam, assistant, asker, own, questions, {FULL_NAME: FULL, **ways})
    turns = [[Question.from_json(turn) for turn in talk]
             for talk in Kept(folder / "conversations.jsonl").fill(
                 talks, lambda number: [turn.as_json() for turn in exam.conversation(number)], "conversations")]
    answered = Kept(own / "conversations.jsonl").fill(
        talks, lambda number: _converse(exam, assistant, asker, turns[number]), "answered conversations")
    rows = {name: [Judged.from_json(row["judged"]) for row in one.rows[:count]] for name, one in kept.items()}
    return Results(questions, rows, [row["answer"] for row in kept[FULL_NAME].rows[:count]],
                   [(one, list(map(Judged.from_json, judged))) for one, judged in zip(turns, answered, strict=True)])


def _answer_questions(exam: "Exam", assistant: Assistant, asker: Asker, own: Path, questions: Sequence["Question"],
                      ways: dict[str, Way]) -> dict[str, Kept]:
    """Answers by way. A scene is composed once for all ways that miss it."""
    kept = {name: Kept(own / f"{name}.jsonl") for name, way in ways.items() if name == FULL_NAME or way is not FULL}
    missing = [one for one in questions if any(len(rows.rows) <= one.number for rows in kept.values())]
    with click.progressbar(missing, label="answers", file=sys.stderr, show_pos=True) as bar:
        for question in bar:
            scene = exam.scene(question.sample.scene_seed)
            for name, rows in kept.items():
                if len(rows.rows) <= question.number:
                    answer, perception = asker.ask(assistant, scene, question.sample, ways[name])
                    judged = judge_answer(assistant, perception, scene, question.sample, answer, question.shown)
                    more = {"answer": answer.to_json()} if name == FULL_NAME else {}
                    rows.add({"judged": judged.as_json(), **more})
    return {name: kept.get(name, kept[FULL_NAME]) for name in ways}


def _converse(exam: "Exam", assistant: Assistant, asker: Asker, turns: Sequence["Question"]) -> list[dict[str, Any]]:
    """Judged turns until the conversation ends; what was answered is what later turns remember."""
    scene = exam.scene(turns[0].sample.scene_seed)
    rows: list[Judged] = []
    history: tuple[Turn, ...] = ()
    for turn in turns:
        if is_over([row.verdict for row in rows]):
            break
        answer, perception = asker.ask(assistant, scene, turn.sample, history=history)
        rows.append(judge_answer(assistant, perception, scene, turn.sample, answer, turn.shown))
        history = (*history, Turn(turn.sample.question, answer.answer))
    return [row.as_json() for row in rows]
