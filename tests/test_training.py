"""The training loop learns, resumes exactly, and touches only what it should."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from miniature import some_looks, write_corpus
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from test_wordnet import write_wordnet

from pixsearch.contract.faults import Fault
from pixsearch.contract.grammar import SPECIAL_TOKENS
from pixsearch.model import concepts, steps, training
from pixsearch.model.anchors import load_anchors
from pixsearch.model.checkpoint import load_model, save_model
from pixsearch.model.config import RunConfig, load_config
from pixsearch.model.corpus import Corpus
from pixsearch.model.network import add_adapters, merge_adapters, trained_parameters
from pixsearch.model.prepare import prepare
from pixsearch.model.progress import latest
from pixsearch.model.sizes import SIZES

CONFIG = RunConfig(name="small", stage=2, size="tiny", start="base-tiny", steps=8, scenes=3, validation_scenes=3,
                   batch=2, words=2, sight_steps=2, sight_batch=2, stage1_share=0.4375, rate=3e-3, new_rate=3e-3,
                   warmup=1, log_every=2, save_every=2, validate_every=4, validation_batches=1)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Folders for data and runs: a miniature WordNet with one class, and miniature corpora."""
    data, runs = tmp_path / "data", tmp_path / "runs"
    tabby = write_wordnet(data / "wordnet" / "3.0")["tabby"]
    monkeypatch.setattr(concepts, "class_names", lambda: {tabby: "tabby"})
    for split in ("train", "validation"):
        write_corpus(runs / "corpus" / f"{split}-3")
    monkeypatch.setattr(training.Looks, "of_split", lambda *_: some_looks())  # the miniature has no pictures
    return data, runs


def test_the_same_seed_draws_the_same_samples_at_the_paper_s_mix(places: tuple[Path, Path]) -> None:
    corpus = Corpus(places[1] / "corpus" / "train-3")
    drawn_at = [steps.draw(corpus, replace(CONFIG, batch=16), step) for step in range(40)]
    assert drawn_at == [steps.draw(corpus, replace(CONFIG, batch=16), step) for step in range(40)]
    assert drawn_at != [steps.draw(corpus, replace(CONFIG, batch=16, seed=1), step) for step in range(40)]
    assert all(sum(sample.stage == 1 for sample in drawn) == 7 for drawn in drawn_at)
    pairs = [steps.draw(corpus, CONFIG, step) for step in range(400)]  # .875 of two samples, on average
    assert sum(sample.stage == 1 for pair in pairs for sample in pair) / 400 == pytest.approx(0.875, abs=0.06)
    only = steps.draw(corpus, replace(CONFIG, stage=1), 0)
    assert [sample.stage for sample in only] == [1, 1]


@pytest.mark.parametrize(("step", "share"), [
    (0, 0.25), (3, 1.0), (4, 1.0), (52, 0.525), (99, 0.05),
    (100, 0.25), (104, 1.0), (152, 0.525), (200, 0.05), (500, 0.05)])
def test_the_rate_warms_up_and_falls_along_a_cosine_in_each_phase(step: int, share: float) -> None:
    config = replace(CONFIG, warmup=4, sight_steps=100, steps=200)
    assert training.learning_rate(step, config) == pytest.approx(share, abs=1e-3)


def test_scenes_of_which_nothing_is_said_are_left_out(places: tuple[Path, Path]) -> None:
    folder = places[1] / "corpus" / "train-3"
    rows = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    for row in rows[:2]:
        row["spans"] = []
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus = Corpus(folder)
    assert len(corpus.samples) == len(rows) - 2
    assert all(corpus.referred(sample) for sample in corpus.samples)


def test_loss_falls(places: tuple[Path, Path]) -> None:
    run = training.Run(replace(CONFIG, steps=60), *places)
    totals = [sum(run.train_step(run.steps[number]).values()) for number in range(50)]
    assert sum(totals[-4:]) < 0.8 * sum(totals[2:6])


def test_a_run_that_was_cut_ends_like_one_that_was_not(places: tuple[Path, Path]) -> None:
    class Cut(Exception):
        """Stands for a power cut."""

    def cut(run: training.Run) -> None:
        if run.step == 5:
            raise Cut

    whole = training.train(replace(CONFIG, name="whole"), *places)
    with pytest.raises(Cut):
        training.train(CONFIG, *places, on_step=cut)
    resumed = training.train(CONFIG, *places)
    for (name, ours), (_, theirs) in zip(resumed.named_parameters(), whole.named_parameters(), strict=True):
        assert torch.equal(ours, theirs), name
    assert (places[1] / "small.run" / training.CURVES_FILE).stat().st_size > 0
    assert load_model(places[1] / "small").description["stage"] == 2


def test_only_adapters_special_rows_and_new_parts_move(places: tuple[Path, Path]) -> None:
    run = training.Run(replace(CONFIG, sight_steps=0), *places)
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    run.train_step(run.steps[0])
    run.train_step(run.steps[1])
    after = run.model.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved <= set(trained_parameters(run.model))
    assert any("lora_" in name for name in moved) and any(name.startswith("decoder.") for name in moved)
    assert not any(name.startswith(("trunk.", "region.", "text.")) for name in moved)
    rows = "language.embedding.weight"
    assert torch.equal(before[rows][len(SPECIAL_TOKENS):], after[rows][len(SPECIAL_TOKENS):])
    assert not torch.equal(before[rows], after[rows])


def test_sight_steps_move_the_mask_side_alone(places: tuple[Path, Path]) -> None:
    run = training.Run(CONFIG, *places)
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    losses = [run.train_step(run.steps[number]) for number in range(CONFIG.sight_steps)]
    assert all("language" not in one and {"place", "looks", "words"} <= set(one) for one in losses)
    moved = {name for name, tensor in run.model.state_dict().items() if not torch.equal(before[name], tensor)}
    assert {name.partition(".")[0] for name in moved} == {"pyramid", "decoder"}


def test_anchors_are_the_untrained_model_s_in_both_stages(places: tuple[Path, Path]) -> None:
    training.train(replace(CONFIG, name="first", stage=1, steps=3), *places)
    first = training.Run(CONFIG, *places)
    second = training.Run(replace(CONFIG, start="first"), *places)
    assert not torch.equal(first.model.language.embedding.weight, second.model.language.embedding.weight)
    assert first.anchors.variance == second.anchors.variance
    assert first.anchors.rows == second.anchors.rows and torch.equal(first.anchors.means, second.anchors.means)
    assert {"the tabby", "the cat"} & set(first.anchors.rows)
    kept = list((places[1] / "anchors").iterdir())
    assert len(kept) == 1 and kept[0].suffix == ".safetensors"  # both read the same file, and nothing is left half done
    with torch.no_grad():
        first.model.language.embedding.weight.add_(1.0)
    load_anchors(places[1] / "anchors", first.model, first.tokenizer, list(first.anchors.rows))
    assert len(list((places[1] / "anchors").iterdir())) == 2  # other weights, other anchors


def test_progress_of_another_model_is_a_fault(places: tuple[Path, Path]) -> None:
    training.train(replace(CONFIG, steps=2), *places)
    (progress,) = latest(places[1] / "small.run").iterdir()
    with safe_open(progress, "pt") as shard:
        about = shard.metadata()
    tensors = {name: tensor for name, tensor in load_file(progress).items() if "decoder.seek" not in name}
    save_file(tensors, progress, about)
    with pytest.raises(Fault, match="train again from the start"):
        training.Run(CONFIG, *places)


def test_merged_adapters_say_the_same(tmp_path: Path) -> None:
    checkpoint = prepare(SIZES["tiny"], tmp_path, tmp_path)
    model = checkpoint.model
    add_adapters(model, seed=0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
        prompt = model.language.embed(torch.randint(11, 200, (1, 9)), torch.zeros(1, 1, 64))
        adapted = model.language(prompt)[0]
        merge_adapters(model)
        assert torch.allclose(model.language(prompt)[0], adapted, atol=1e-4)
    save_model(tmp_path / "model", checkpoint)
    again = load_model(tmp_path / "model")
    assert all(torch.equal(tensor, again.model.state_dict()[name]) for name, tensor in model.state_dict().items())


def test_no_model_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="train stage1"):
        load_model(tmp_path)


@pytest.mark.parametrize(("name", "content"), [
    ("weights.safetensors", b"cut"), ("description.json", b"{"), ("description.json", b"[]"),
    ("description.json", b'{"size": "mega"}'), ("tokenizer.json", b"{}"),
])
def test_a_damaged_model_is_a_fault(tmp_path: Path, name: str, content: bytes) -> None:
    folder = tmp_path / "model"
    save_model(folder, prepare(SIZES["tiny"], tmp_path, tmp_path))
    (folder / name).write_bytes(content)
    with pytest.raises(Fault):
        load_model(folder)


@pytest.mark.parametrize(("text", "message"), [
    ('name = "x"\nstepps = 3\n', "did you mean 'steps'"),
    ('name = "x"\n', "without a default"),
    ("name = ", "TOML"),
    ('name="x"\nstage=3\nsize="tiny"\nstart="s"\nsteps=1\nscenes=1\nvalidation_scenes=1\n', "stage 1 or 2"),
])
def test_a_run_file_at_fault_says_so_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(Fault, match=message):
        load_config(path)


@pytest.mark.parametrize("name", ["small-stage1", "small-stage2", "nano-stage2", "mini-stage1", "mini-stage2",
                                  "base-stage1", "base-stage2", "mini-distill", "nano-distill"])
def test_committed_run_files_are_sound(name: str) -> None:
    config = load_config(Path(training.__file__).parent / "runs" / f"{name}.toml")
    assert config.name == name and config.sight_steps < config.steps
