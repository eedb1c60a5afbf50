"""The trace builder: three steps through a real server, kept, resumed, checked, priced, and read by training."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from base_lab import SCENES, set_up
from click.testing import CliRunner
from cloud_servers import RawServer, completion, http, raw_server
from corpora_builders import okvqa
from edge_builders import RED, a_frame

from pixsearch.apps.build_traces import main
from pixsearch.contract.faults import Fault
from pixsearch.contract.grammar import Modality, Search, render
from pixsearch.model import training
from pixsearch.model.config import load_config
from pixsearch.model.data import segmenters
from pixsearch.model.data.corpora.example import Example
from pixsearch.model.data.corpora.readers import READERS
from pixsearch.model.data.records import Split
from pixsearch.model.data.segmenters import grab_cut, sam2
from pixsearch.model.data.trace_rows import read_rows, with_traces
from pixsearch.model.families.random_model import write_random_sam
from pixsearch.model.steps import draw

STEPS = {"steps": [
    {"part": 1, "search": "region", "thing": "board", "box": [0.2, 0.2, 0.6, 0.6],
     "finds": "Surfboard", "fact": "long"},
    {"part": 2, "search": "text", "query": "sport with a surfboard", "finds": "Surfing", "fact": "rides waves"},
    {"part": 3, "search": "none"}]}
REPLIES: dict[str, object] = {
    "Decide whether": {"needs_knowledge": True, "kind": "multi-hop", "parts": ["What is it?", "Which sport?"]},
    "For each": STEPS, "Write the": {"before": ["The board", "which is used for"], "answer": "surfing."}}


@contextmanager
def annotator(replies: dict[str, object]) -> Iterator[tuple[str, RawServer]]:
    """Answers each step of the builder by its instruction."""
    def reply(connection) -> None:
        asked = server.received[-1].decode("latin-1")
        step = next(name for name in replies if name in asked.replace('\\"', '"'))
        said = replies[step]
        connection.sendall(http(completion(said if isinstance(said, str) else json.dumps(said))))

    with raw_server(reply) as server:
        yield f"http://127.0.0.1:{server.port}/v1", server


@pytest.fixture
def build(tmp_path: Path) -> Callable:
    okvqa(tmp_path / "okvqa")

    def run(url: str, *more: str):
        return CliRunner().invoke(main, ["okvqa", str(tmp_path / "okvqa"), "-o", str(tmp_path / "traces.jsonl"),
                                         "--server", url, "--model", "large", *more])
    return run


@pytest.mark.loopback
def test_questions_become_traces_that_are_not_paid_for_twice(build: Callable, tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    with annotator(REPLIES) as (url, server):
        assert json.loads(build(url, "--dry-run", "--price-in", "1", "--price-out", "10").stdout)["kept"] == 0
        assert server.received == []
        ended = build(url)
        assert ended.exit_code == 0, ended.output
        assert json.loads(ended.stdout) == {"made": 2, "without knowledge": 0, "broken": 1, "kept": 0}
        assert len(server.received) == 5  # the last step shows no picture and asks the same of both
        lines = path.read_text().splitlines(keepends=True)
        path.write_text(lines[0] + lines[1][:40])
        assert json.loads(build(url).stdout)["made"] == 1 and len(server.received) == 5
        assert [row["place"] for row in read_rows(path)] == [json.loads(line)["place"] for line in lines]
        cost = json.loads(build(url, "--dry-run", "--price-in", "1").stdout)
        assert cost["questions"] == cost["kept"] == 2 and cost["dollars"] == 0


@pytest.mark.loopback
def test_a_trace_has_its_searches_evidence_and_mask(build: Callable, tmp_path: Path) -> None:
    with annotator(REPLIES) as (url, _):
        build(url)
    examples = list(with_traces(READERS["okvqa"](tmp_path / "okvqa", Split.TRAIN), tmp_path / "traces.jsonl"))
    (example, _) = [one for one in examples if isinstance(one, Example)]
    (sample,) = example.samples
    assert render(sample.trace) == (
        "The board<search><region></search><information>Surfboard (sure) | fact: long</information> which is used for"
        "<search>sport with a surfboard</search><information>Surfing | fact: rides waves</information> surfing.")
    assert sample.kind == "multi-hop" and sample.modality is Modality.REGION and sample.stage == 2
    assert (sample.spans[0].start, sample.spans[0].end, sample.spans[0].target) == (4, 9, 0)
    assert example.masks[0].shape == (60, 80) and example.masks[0].any()
    assert sum(isinstance(one, Search) for one in sample.trace) == 2


@pytest.mark.loopback
@pytest.mark.parametrize(("change", "counts"), [
    ({"Decide whether": {"needs_knowledge": False, "parts": []}}, (0, 2, 1)),
    ({"For each": {"steps": [{"search": "none"}]}}, (0, 2, 1)),
    ({"Decide whether": "I cannot say"}, (0, 0, 3)),
    ({"For each": {"steps": [{"search": "guess"}]}}, (0, 0, 3)),
    ({"For each": {"steps": [{**STEPS["steps"][0], "box": [0.9, 0, 0.1, 1]}]}}, (0, 0, 3)),
    ({"For each": {"steps": "none"}}, (0, 0, 3)),
    ({"Write the": {"before": [], "answer": ""}}, (0, 0, 3)),
    ({"Write the": {"before": ["Look"], "answer": "a <search> b"}}, (2, 0, 1))])
def test_replies_that_cannot_be_used_leave_the_question_out(build: Callable, change: dict, counts: tuple) -> None:
    with annotator({**REPLIES, **change}) as (url, _):
        ended = build(url)
    told = json.loads(ended.stdout)
    assert ended.exit_code == 0 and (told["made"], told["without knowledge"], told["broken"]) == counts
    assert ended.stderr.count("left out") == counts[2]


def test_a_mask_follows_colours_in_its_box() -> None:
    frame = a_frame(RED, (60, 40, 120, 100))
    mask = grab_cut(frame, (50, 30, 130, 110))
    assert mask[70, 90] and mask[35, 55] == np.False_ and abs(int(mask.sum()) - 3600) < 200
    plain = np.full((20, 20, 3), 9, np.uint8)
    assert grab_cut(plain, (5, 5, 15, 15)).sum() == 100 and grab_cut(plain, (0, 0, 20, 20)).all()


def test_sam_draws_masks_at_the_size_of_the_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmenters, "grab_cut", None)  # it draws itself, and nothing stands in for it
    write_random_sam(tmp_path / "sam")
    segment, frame, box = sam2(tmp_path / "sam"), a_frame(RED, (60, 40, 120, 100)), (50, 30, 130, 110)
    mask = segment(frame, box)
    assert mask.shape == frame.shape[:2] and mask.dtype == np.bool_ and mask.any()
    assert np.array_equal(segment(frame, box), mask)


def test_a_server_that_is_not_there_ends_the_run_in_one_line(build: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    from pixsearch.model import chat

    def refuse(*_: object) -> None:
        raise Fault("chat model large", expected="a chat completion", actual="nothing", remedy="check the address")

    monkeypatch.setattr(chat.Chat, "ask", refuse)
    ended = build("http://127.0.0.1:9/v1")
    assert ended.exit_code == 1 and "chat model large" in ended.stderr


@pytest.mark.loopback
@pytest.mark.usefixtures("one_thread")
def test_a_run_trains_on_what_was_built(build: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with annotator(REPLIES) as (url, _):
        assert build(url).exit_code == 0
    data, runs = set_up(tmp_path, monkeypatch)
    (tmp_path / "run.toml").write_text("\n".join([
        'name = "built"', "stage = 2", 'size = "tiny"', 'start = "base-tiny"', "steps = 2", "scenes = 0",
        f"validation_scenes = {SCENES}", "batch = 2", "words = 2", "sight_steps = 1", "sight_batch = 2",
        "[corpora]", f'okvqa = "{tmp_path / "okvqa"}"', "[traces]", f'okvqa = "{tmp_path / "traces.jsonl"}"']))
    run = training.Run(load_config(tmp_path / "run.toml"), data, runs)
    traces = [sample.trace for sample in run.corpus.samples]
    assert len(traces) == 2 and all("<region>" in render(trace) and "Surfing" in render(trace) for trace in traces)
    before = {name: tensor.detach().clone() for name, tensor in run.model.named_parameters()}
    losses = run.train_step(run.steps[1])
    assert all(np.isfinite(value) for value in losses.values()) and {"language", "tversky"} <= set(losses)
    moved = {name.split(".")[0] for name, tensor in run.model.named_parameters()
             if not torch.equal(before[name], tensor)}
    assert {"language", "decoder", "pyramid"} <= moved
    with pytest.raises(Fault, match="samples of stage 1"):
        draw(run.corpus, replace(run.config, stage=1), 0)
