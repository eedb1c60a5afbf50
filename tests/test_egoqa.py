"""The questions of egoqa: each belongs to its number, and what cannot be answered is not in the index or not told."""

from collections import Counter
from pathlib import Path

import pytest
from exams import INSCRIPTION, an_exam

from pixsearch.contract.abstention import is_abstention
from pixsearch.contract.grammar import Modality
from pixsearch.model.data.egoqa import (
    CONVERSATIONS,
    COUNTS,
    FACT_MISSING,
    NOT_IN_INDEX,
    NOT_IN_VIEW,
    QUESTIONS,
    SCENE_SEEDS,
    UNANSWERABLE,
    Exam,
    Question,
    kind_of,
)
from pixsearch.model.data.judge import judge
from pixsearch.model.data.records import Split
from pixsearch.model.data.writing import spoken

NUMBERS = [next(number for number in range(QUESTIONS) if kind_of(number) == kind) for kind in COUNTS]


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> Exam:
    return an_exam(tmp_path_factory.mktemp("exam"))


@pytest.fixture(scope="module")
def questions(exam: Exam) -> dict[str, Question]:
    return {kind_of(number): exam.question(number) for number in NUMBERS}


@pytest.fixture(scope="module")
def talks(exam: Exam) -> list[list[Question]]:
    return [exam.conversation(number) for number in range(12)]


def test_two_thousand_questions_have_every_kind_in_its_share() -> None:
    assert (QUESTIONS, CONVERSATIONS) == (2000, 300)
    assert Counter(map(kind_of, range(QUESTIONS))) == COUNTS
    assert len(set(map(kind_of, range(100)))) > 12  # the first ones stand for all


def test_scenes_of_benchmarks_and_training_are_apart() -> None:
    starts = sorted(SCENE_SEEDS.values())
    assert starts[0] >= 10_000_000 and all(b - a >= 10_000_000 for a, b in zip(starts, starts[1:], strict=False))


def test_a_question_belongs_to_its_number(exam: Exam, questions: dict[str, Question]) -> None:
    for number in reversed(NUMBERS[:4]):
        assert exam.question(number) == questions[kind_of(number)]


def test_gold_traces_are_judged_right(questions: dict[str, Question]) -> None:
    for question in questions.values():
        assert judge(spoken(question.sample.trace), question.sample) == "right", question


def test_only_the_unanswerable_has_no_answer(questions: dict[str, Question]) -> None:
    for kind, question in questions.items():
        unanswerable = kind in (NOT_IN_INDEX, FACT_MISSING, NOT_IN_VIEW)
        assert (question.sample.answer == "") == unanswerable == (question.type == UNANSWERABLE)
        assert is_abstention(spoken(question.sample.trace)) == unanswerable


def test_what_is_not_in_the_index_is_in_view(exam: Exam, questions: dict[str, Question]) -> None:
    question = questions[NOT_IN_INDEX]
    scene = exam.scene(question.sample.scene_seed)
    assert question.sample.target is not None and question.shown is None
    assert scene.placed[question.sample.target].thing.id in exam.catalogue.absent


def test_what_is_not_in_view_is_named_and_not_there(exam: Exam, questions: dict[str, Question]) -> None:
    sample = questions[NOT_IN_VIEW].sample
    (accepted,) = sample.accepted
    noun = accepted.removeprefix("no ")
    assert noun in sample.question.lower() and sample.modality is None
    assert noun not in {one.thing.noun for one in exam.scene(sample.scene_seed).placed}
    assert judge(f"There is no {noun} here.", sample) == "right" and judge("It is red.", sample) == "wrong"


def test_a_sign_is_read_without_a_search(exam: Exam, questions: dict[str, Question]) -> None:
    sample = questions["reading"].sample
    assert sample.answer == INSCRIPTION and sample.modality is None and sample.target is not None
    assert exam.scene(sample.scene_seed).placed[sample.target].thing.id in exam.inscriptions


def test_what_a_region_search_should_find_is_what_is_asked_about(exam: Exam, questions: dict[str, Question]) -> None:
    for question in questions.values():
        sample = question.sample
        if sample.target is not None and question.shown:
            thing = exam.scene(sample.scene_seed).placed[sample.target].thing
            entity = exam.catalogue.entity_of(thing)
            assert entity is not None and entity.id == question.shown


def test_synonyms_of_everyday_things_are_accepted(exam: Exam, questions: dict[str, Question]) -> None:
    every = [exam.question(number) for number in range(40) if kind_of(number) == "everyday"]
    for question in every:
        words = exam.catalogue.synonyms[question.shown or ""]
        names = {entity.name for entity in exam.catalogue.everyday.values()}
        if question.sample.answer in names:
            assert set(words) <= set(question.sample.accepted)


def test_questions_survive_being_kept(questions: dict[str, Question]) -> None:
    for question in questions.values():
        assert Question.from_json(question.as_json()) == question


def test_a_conversation_has_two_to_six_turns_about_one_scene(talks: list[list[Question]]) -> None:
    for turns in talks:
        assert 2 <= len(turns) <= 6 and len({turn.sample.scene_seed for turn in turns}) == 1
        assert len({turn.sample.question for turn in turns}) == len(turns)


def test_each_turn_remembers_the_earlier_ones(talks: list[list[Question]]) -> None:
    for turns in talks:
        for at, turn in enumerate(turns):
            assert [one.question for one in turn.sample.history] == [one.sample.question for one in turns[:at]]
            assert [one.answer for one in turn.sample.history] == [spoken(one.sample.trace) for one in turns[:at]]


def test_later_turns_leave_out_what_was_said(exam: Exam, talks: list[list[Question]]) -> None:
    later = [turn.sample for turns in talks for turn in turns[1:]]
    assert {sample.modality for sample in later} >= {Modality.TEXT, Modality.REGION}
    for sample in later:
        if sample.modality is Modality.TEXT:  # the name was told, and the question does without it
            query = next(one.query for one in sample.trace if getattr(one, "query", None))
            name = query.rpartition(" of ")[2]
            assert name not in sample.question and any(name in turn.answer for turn in sample.history)


def test_a_split_has_questions_of_its_own(tmp_path: Path, questions: dict[str, Question]) -> None:
    other = an_exam(tmp_path, Split.TEST)
    number = NUMBERS[list(COUNTS).index("recognition")]
    assert other.question(number).sample.question != questions["recognition"].sample.question
