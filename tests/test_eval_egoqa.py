"""The benchmark on a miniature: asked in all ways, kept, gone on with, reported; and the curator's test."""

import re
from pathlib import Path

import pytest
from exams import an_exam
from test_baselines import write_brightness

from pixsearch.apps.baselines import SALIENT
from pixsearch.apps.egoqa_report import worst_cases, write_report
from pixsearch.apps.eval_curator import BY_POINT, BY_WORDS, Collection, curator_questions, write_folder
from pixsearch.apps.eval_egoqa import FULL_NAME, Results, answer_exam, figures_of
from pixsearch.apps.scene_packs import write_exam_pack
from pixsearch.apps.ways import BASELINES, Asker, region_targets
from pixsearch.contract.grammar import Modality
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.index.build import build_pack
from pixsearch.index.pack import Pack, info, verify
from pixsearch.index.search import Library
from pixsearch.model.data.egoqa import Exam
from pixsearch.model.data.knowledge import make_entities
from pixsearch.model.data.records import Split

QUESTIONS = 7


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> Exam:
    return an_exam(tmp_path_factory.mktemp("exam"))


@pytest.fixture(scope="module")
def pack(exam: Exam, red_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index") / "index.pxpack"
    return write_exam_pack(folder, exam, BundleEmbedder(Bundle.load(red_bundle, threads=1)))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_brightness(folder / SALIENT)
    return folder


@pytest.fixture(scope="module")
def assistant(red_bundle: Path, pack: Path) -> Assistant:
    bundle = Bundle.load(red_bundle, threads=1)
    return Assistant(bundle, Library([Pack.open(pack, bundle.embedder_id)]), deadline_s=600)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("answers")


@pytest.fixture(scope="module")
def results(exam: Exam, assistant: Assistant, data: Path, own: Path) -> Results:
    return answer_exam(exam, assistant, Asker(data), own, own / "red", QUESTIONS, BASELINES)


def test_the_index_holds_the_catalogue_the_places_and_the_background(exam: Exam, pack: Path) -> None:
    verify(pack)
    counts = info(pack)["counts"]
    entries = exam.catalogue.entries()
    assert counts["entities"] == len(entries) + len(exam.places) + len(exam.world.background)
    assert counts["regions"] == sum(len(entry.pictures) for entry in entries)


def test_every_way_answers_every_question(results: Results) -> None:
    assert set(results.rows) == {FULL_NAME, *BASELINES}
    assert {len(rows) for rows in results.rows.values()} == {QUESTIONS} == {len(results.answers)}
    assert not any(row.searched for row in results.rows["no_search"])
    assert all(row.searched == (Modality.REGION, Modality.TEXT) for row in results.rows["always_region_text"])
    assert all(row.searched == (Modality.REGION,) for row in results.rows["pipeline"])
    assert results.rows["budget_2"] == results.rows[FULL_NAME]
    assert all(row.iou is None for row in results.rows["whole_image"])


def test_an_oracle_s_mask_is_the_true_one(results: Results) -> None:
    overlaps = [row.overlap for row in results.rows["oracle_mask"] if row.overlap]
    assert overlaps and all(both == either for both, either in overlaps)


def test_region_searches_of_a_trace_are_told_apart(results: Results) -> None:
    for question in results.questions:
        if question.sample.modality is Modality.REGION:
            assert region_targets(question.sample)[0] == question.sample.target


def test_answers_that_are_kept_are_not_asked_for_again(exam: Exam, data: Path, own: Path, results: Results) -> None:
    again = answer_exam(exam, None, Asker(data), own, own / "red", QUESTIONS, BASELINES)
    assert again.rows == results.rows and again.questions == results.questions
    fewer = answer_exam(exam, None, Asker(data), own, own / "red", 3, {})
    assert fewer.rows[FULL_NAME] == results.rows[FULL_NAME][:3]


def test_a_run_goes_on_after_the_last_answer(exam: Exam, assistant: Assistant, data: Path, own: Path,
                                             results: Results) -> None:
    path = own / "red" / "full.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-2]) + lines[-2][:20])
    again = answer_exam(exam, assistant, Asker(data), own, own / "red", QUESTIONS, BASELINES)
    assert again.rows[FULL_NAME] == results.rows[FULL_NAME]


def test_figures_cover_every_question_once(results: Results) -> None:
    figures = figures_of(results)
    assert {"accuracy", "truthfulness", "conversation_truthfulness", "well_formed"} <= set(figures["metrics"])
    for group in ("type", "kind"):
        assert sum(row["n"] for row in figures["by"][group].values()) == QUESTIONS
    assert sum(map(sum, (row.values() for row in figures["modality_confusion"].values()))) == QUESTIONS
    assert set(figures["ablation"]) == set(BASELINES) and figures["conversations"] == len(results.talks) == 2


def test_a_conversation_stops_when_it_is_over(results: Results) -> None:
    for turns, rows in results.talks:
        verdicts = [row.verdict for row in rows]
        assert len(rows) == len(turns) or "right" not in verdicts[-2:]


def test_the_report_stands_alone(exam: Exam, results: Results, tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", exam, results, figures_of(results), "red", "validation")
    page = (tmp_path / "report.html").read_text()
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert page.count("<figure>") == page.count("<svg") >= 8
    assert page.count("<article>") == len(worst_cases(results)) > 0
    for question, _, judged in worst_cases(results):
        assert judged.verdict != "right" and f"{question.number}, {question.kind}" in page


def test_the_surest_mistakes_come_first(results: Results) -> None:
    verdicts = [judged.verdict for _, _, judged in worst_cases(results)]
    assert verdicts == sorted(verdicts, key=lambda verdict: verdict == "missing")
    wrong = [judged.confidence for _, _, judged in worst_cases(results) if judged.verdict == "wrong"]
    assert wrong == sorted(wrong, reverse=True)


def test_a_curator_s_folder_is_built_and_asked_about_by_point_and_by_words(exam: Exam, red_bundle: Path,
                                                                            tmp_path: Path) -> None:
    things = exam.catalogue.things
    collection = Collection(things, exam.places, make_entities(things, Split.VALIDATION, 1))
    write_folder(tmp_path / "folder", collection)
    embed = BundleEmbedder(Bundle.load(red_bundle, threads=1))
    manifest = build_pack(tmp_path / "folder", tmp_path / "pack.pxpack", embed, "collection", "CC0")
    assert manifest["counts"]["entities"] == manifest["counts"]["regions"] == len(things)
    asked = list(curator_questions(collection, "validation", 6))
    assert [way for *_, way in asked] == [BY_POINT, BY_WORDS] * 3
    for scene, sample, way in asked:
        assert len(scene.placed) > 1 and sample.answer and sample.target is not None
        assert (sample.point is not None) == (way == BY_POINT)
        assert sample.entity == collection.entities[scene.placed[sample.target].thing.id].id
