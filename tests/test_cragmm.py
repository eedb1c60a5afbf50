"""CRAG-MM: its published rows, the starter kit's rules, and scores that an independent recount agrees with."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from conftest import Run
from cragmm_builders import DOMAINS, Scripted, a_session, png, write_parquet

from pixsearch.apps.cragmm.agent import PixSearchAgent, turns_of
from pixsearch.apps.cragmm.evaluation import Options, answer_all, cut, evaluate_crag_mm
from pixsearch.apps.cragmm.judges import ExactJudge, verdict_of
from pixsearch.contract.faults import Fault
from pixsearch.contract.tokenizer import Tokenizer, Turn, byte_tokenizer
from pixsearch.model.data.corpora.crag_mm_rows import Dataset

R, M, W = "It is an owl.", "I don't know.", "It is a leaf."
# what is said in the turns of each session; the reference is always R
TALKS = [[R], [W], [M], [R, W, R], [W, M, R, R], [M, R, W, W, R, R], [W, W], [R, R, R, M, M, R], [R, M, W]]
SAYS = {f"q{number}.{turn}": said for number, talk in enumerate(TALKS) for turn, said in enumerate(talk)}


def rows() -> list[dict]:
    return [a_session(number, [(f"q{number}.{turn}", R) for turn in range(len(talk))])
            for number, talk in enumerate(TALKS)]


def agent(search_pipeline=None) -> Scripted:
    return Scripted(search_pipeline, SAYS)


def recount(talks: list[list[str]]) -> dict[str, float]:
    """The benchmark's rules once more, in other words and in fractions."""
    points, per_talk = [], []
    for talk in talks:
        failures, own = 0, []
        for said in talk:
            point = 0 if failures == 2 or said == M else 1 if said == R else -1
            if failures < 2:
                failures = 0 if said == R else failures + 1
            own.append(point)
        points += own
        if len(talk) > 1:
            per_talk.append(own)

    def shares(points: list[int]) -> dict[str, Fraction]:
        count = len(points)
        return {"accuracy": Fraction(points.count(1), count), "missing": Fraction(points.count(0), count),
                "hallucination": Fraction(points.count(-1), count), "truthfulness": Fraction(sum(points), count)}

    told = {name: round(float(value), 4) for name, value in shares(points).items()}
    each = [shares(own) for own in per_talk]
    return told | {f"conversation_{name}": round(float(sum(one[name] for one in each) / len(each)), 4)
                   for name in each[0]}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_parquet(tmp_path / "crag-mm", rows())


@pytest.fixture
def options(data: Path, tmp_path: Path, red_bundle: Path) -> Options:
    return Options(data, agent="test_cragmm:agent", bundle=red_bundle, runs=tmp_path / "runs", made=tmp_path / "data")


def test_scores_agree_exactly_with_an_independent_recount(options: Options) -> None:
    result = evaluate_crag_mm(options)
    expected = recount(TALKS)
    assert {name: result["metrics"][name] for name in expected} == expected
    assert result["benchmark"] == "crag-mm" and result["n"] == sum(map(len, TALKS)) and result["judge"] == "exact"
    assert result["sessions"] == len(TALKS) and result["conversations"] == 6
    for table in result["by"].values():
        assert sum(row["n"] for row in table.values()) == result["n"]
    assert set(result["by"]["domain"]) == set(DOMAINS)


def test_our_own_agent_s_scores_agree_with_a_recount_of_its_kept_answers(
        data: Path, run: Run, tmp_path: Path, red_pack: Path) -> None:
    ended = run("eval", "crag-mm", "--data", data, "--pack", red_pack, "--runs", tmp_path / "runs", "--json",
                "--ablation")
    assert ended.exit_code == 0, ended.output
    result = json.loads(ended.stdout)
    kept = [json.loads(line) for line in (Path(result["answers"]) / "full.jsonl").read_text().splitlines()]
    said = [[R if turn["answer"].lower().strip(" .") == "it is an owl" else
             M if "i don't know" in turn["answer"].lower() else W for turn in row["turns"]] for row in kept]
    assert {name: result["metrics"][name] for name in recount(said)} == recount(said)
    assert result["metrics"]["well_formed"] == 1.0 and result["metrics"]["searches_mean"] > 0
    assert {"no_search", "text_only", "whole_image", "without_region", "without_text", "without_image", "budget_1",
            "budget_2", "budget_3", "budget_4"} <= set(result["ablation"])
    assert result["ablation"]["no_search"]["searches_mean"] == 0
    assert result["ablation"]["budget_2"] == result["metrics"]


def test_what_was_said_before_is_the_agent_s_own_answers(options: Options) -> None:
    asked = agent()
    answer_all(Dataset(options.data), asked, options.runs / "a.jsonl", options, Tokenizer(byte_tokenizer()))
    told = dict(asked.told)
    assert told["q3.0"] == [] and set(told) == set(SAYS)
    assert told["q3.2"] == [{"role": "user", "content": "q3.0"}, {"role": "assistant", "content": R},
                            {"role": "user", "content": "q3.1"}, {"role": "assistant", "content": W}]


def test_a_run_that_was_cut_goes_on_and_asks_nothing_twice(options: Options) -> None:
    whole = evaluate_crag_mm(options)
    path = Path(whole["answers"]) / "full.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:4]) + lines[4][:30])
    asked = agent()
    answer_all(Dataset(options.data), asked, path, options, Tokenizer(byte_tokenizer()))
    assert {query.split(".")[0] for query, _ in asked.told} == {f"q{number}" for number in range(4, 9)}
    assert evaluate_crag_mm(options)["metrics"].keys() == whole["metrics"].keys()
    assert recount(TALKS).items() <= evaluate_crag_mm(options)["metrics"].items()


def test_an_answer_that_comes_too_late_is_missing(options: Options) -> None:
    from dataclasses import replace

    late = evaluate_crag_mm(replace(options, turn_seconds=0.0))
    assert late["metrics"]["late"] == 1.0 and late["metrics"]["missing"] == 1.0


def test_tokens_beyond_the_seventy_fifth_do_not_count() -> None:
    tokenizer = Tokenizer(byte_tokenizer())
    assert cut("a" * 200, tokenizer) == "a" * 75 and cut("short", tokenizer) == "short"


@pytest.mark.parametrize(("answer", "verdict"), [
    (R, "right"), ("it is owl", "right"), ("An owl", "wrong"), (M, "missing"), ("I don’t know that.", "missing"),
    ("  ", "missing"), (W, "wrong")])
def test_exact_words_are_right_whatever_their_case_and_articles(answer: str, verdict: str, data: Path) -> None:
    turn = next(iter(Dataset(data))).turns[0]
    assert verdict_of(turn, answer, False, ExactJudge()) == verdict
    assert verdict_of(turn, R, True, ExactJudge()) == "missing"


@pytest.mark.parametrize("as_columns", [False, True])
def test_rows_are_read_in_both_forms_with_classes_as_numbers(tmp_path: Path, as_columns: bool) -> None:
    folder = write_parquet(tmp_path, rows(), as_columns=as_columns, labels={"domain": DOMAINS})
    read = list(Dataset(folder))
    assert [len(session.turns) for session in read] == list(map(len, TALKS)) and len(Dataset(folder)) == len(TALKS)
    assert read[4].turns[1].domain == DOMAINS[1] and read[4].turns[1].answer == R
    assert read[4].picture().shape == (200, 300, 3)


def test_a_saved_dataset_is_read_like_parquet(tmp_path: Path) -> None:
    import pyarrow as pa

    table = pa.Table.from_pylist(rows())
    (tmp_path / "validation").mkdir()
    with pa.OSFile(str(tmp_path / "validation" / "data-00000-of-00001.arrow"), "wb") as sink, \
            pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    assert [session.id for session in Dataset(tmp_path)] == [f"session-{number}" for number in range(len(TALKS))]


def test_pictures_come_from_files_but_never_from_addresses(tmp_path: Path) -> None:
    named = a_session(0, [("q", R)], image=None, image_url="https://example.org/a/The%20owl.png")
    folder, local = write_parquet(tmp_path / "data", [named]), tmp_path / "local"
    with pytest.raises(Fault, match="--images"):
        next(iter(Dataset(folder, images=local))).picture()
    local.mkdir()
    (local / "The owl.png").write_bytes(png())
    assert next(iter(Dataset(folder, images=local))).picture().shape == (200, 300, 3)


@pytest.mark.parametrize(("change", "message"), [
    ({"session_id": ""}, "validation-00000-of-00001.parquet:1: session_id"),
    ({"answers": [{"interaction_id": "other", "ans_full": "x"}]}, "answers: expected one for the interaction 0-0"),
    ({"image": {"bytes": None, "path": "../../secret.png"}}, "inside the data's folder"),
    ({"turns": [{"interaction_id": "0-0", "query": "x" * 5000}]}, "at most 4000"),
])
def test_a_row_at_fault_is_named_by_file_and_number(tmp_path: Path, change: dict, message: str) -> None:
    folder = write_parquet(tmp_path, [a_session(0, [("q", R)], **change)])
    with pytest.raises(Fault, match=message):
        [session.picture() for session in Dataset(folder)]


def test_a_broken_file_and_an_unknown_split_are_one_line(tmp_path: Path, run: Run, red_pack: Path) -> None:
    write_parquet(tmp_path, rows())
    ended = run("eval", "crag-mm", "--data", tmp_path, "--split", "test", "--pack", red_pack)
    assert ended.exit_code == 1 and "the splits validation" in ended.stderr and ended.stderr.count("\n") == 1
    (tmp_path / "data" / "test-0.parquet").write_bytes(b"PAR1 and nothing else")
    ended = run("eval", "crag-mm", "--data", tmp_path, "--split", "test", "--pack", red_pack)
    assert ended.exit_code == 1 and "a whole file" in ended.stderr and ended.stderr.count("\n") == 1


def test_our_agent_has_the_starter_kit_s_interface(red_bundle: Path, red_pack: Path) -> None:
    from edge_builders import a_frame
    from PIL import Image

    own = PixSearchAgent(bundle=red_bundle, packs=(red_pack,))
    history = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "An owl."},
               {"role": "system", "content": "ignore"}]
    assert own.get_batch_size() == 1
    said = own.batch_generate_response(["What is this?", "\x00"], [Image.fromarray(a_frame())] * 2, [history, []])
    assert len(said) == 2 and "owl" in said[0] and said[1] == "I don't know."
    assert turns_of(history) == (Turn("What?", "An owl."),)


def test_ablations_are_of_our_own_agent(options: Options) -> None:
    from dataclasses import replace

    with pytest.raises(Fault, match="our own agent"):
        replace(options, ablation=True)


def test_an_agent_that_cannot_be_imported_is_one_line(data: Path, run: Run) -> None:
    ended = run("eval", "crag-mm", "--data", data, "--agent", "nowhere:Agent")
    assert ended.exit_code == 1 and "nowhere" in ended.stderr and ended.stderr.count("\n") == 1
