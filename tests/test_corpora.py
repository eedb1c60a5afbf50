"""Published corpora: each layout is read, what is broken is named and left out, and every batch trains the model."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from corpora_builders import HEIGHT, MINIATURES, WIDTH, instances, paco, refcoco, write
from miniature import some_looks
from test_wordnet import write_wordnet

from pixsearch.contract.faults import Fault
from pixsearch.contract.grammar import Modality, Search, render
from pixsearch.model import concepts, training
from pixsearch.model.batches import make_batch
from pixsearch.model.config import load_config
from pixsearch.model.corpora import GrowingArray, JoinedCorpus, joined, kept_corpora
from pixsearch.model.corpus import Corpus
from pixsearch.model.data.corpora.coco import mask_of
from pixsearch.model.data.corpora.example import Example
from pixsearch.model.data.corpora.readers import READERS, reader_named
from pixsearch.model.data.records import Split
from pixsearch.model.image_tokens import kept_frames
from pixsearch.model.layout import UNKNOWN, layout_loss, layout_of
from pixsearch.model.namings import name_batch
from pixsearch.model.steps import FullStep


def read(name: str, folder: Path, split: Split = Split.TRAIN) -> tuple[list[Example], list[Fault]]:
    if not any(folder.iterdir()):
        MINIATURES[name][0](folder)
    found = list(READERS[name](folder, split))
    return [one for one in found if isinstance(one, Example)], [one for one in found if isinstance(one, Fault)]


def test_every_reader_has_a_miniature() -> None:
    assert set(READERS) == set(MINIATURES)


@pytest.mark.parametrize("name", list(MINIATURES))
def test_pictures_are_read_and_the_broken_one_is_named(name: str, tmp_path: Path) -> None:
    examples, faults = read(name, tmp_path)
    assert len(examples) == 2 and len(faults) == 1
    assert "\n" not in str(faults[0]) and faults[0].remedy == "see docs/corpora.md for the layout"
    for example in examples:
        assert example.samples and {sample.stage for sample in example.samples} == {MINIATURES[name][1]}
        assert all(mask.shape == (HEIGHT, WIDTH) and mask.dtype == bool and mask.any() for mask in example.masks)
        for sample in example.samples:
            assert all(span.target < len(example.masks) for span in sample.spans) and render(sample.trace)


@pytest.mark.parametrize(("name", "expected"), [
    ("refcoco", [("the red cup", "cup"), ("left one", None)]),
    ("ade20k", [("the wall", "wall"), ("the building", "building")]),
    ("cocostuff", [("the person", "person"), ("the banner", "banner")]),
    ("paco", [("the trash can", "trash can"), ("the rim of the trash can", None)]),
    ("partimagenet", [("the head of the quadruped", None), ("the tail of the quadruped", None)])])
def test_phrases_and_nouns(name: str, expected: list, tmp_path: Path) -> None:
    (example, *_), _ = read(name, tmp_path)
    assert [(sample.answer, sample.spans[0].concept) for sample in example.samples] == expected


def test_masks_are_where_the_annotations_say(tmp_path: Path) -> None:
    (example, *_), _ = read("paco", tmp_path)
    assert example.masks[0][25, 25] and not example.masks[0][50, 50] and example.masks[0].sum() == 900
    assert example.masks[1][30:50, 50:70].all() and example.masks[1].sum() == 400


@pytest.mark.parametrize(("name", "trace"), [
    ("oven", "<search><image></search><information>Snowy owl (sure)</information>It is Snowy owl."),
    ("webqa", "<search><image></search><information>Tower 0 (sure) | caption: Tower 0 at night</information>"
              "The first tower is red."),
    ("textvqa", "Nokia."), ("okvqa", "Surfing."), ("llava", "Red.")])
def test_traces(name: str, trace: str, tmp_path: Path) -> None:
    (example, *_), _ = read(name, tmp_path)
    assert render(example.samples[0].trace) == trace


@pytest.mark.parametrize("name", ["infoseek", "aokvqa"])
def test_what_is_answered_stands_in_the_evidence(name: str, tmp_path: Path) -> None:
    (example, *_), _ = read(name, tmp_path)
    sample = example.samples[0]
    searches = [one for one in sample.trace if isinstance(one, Search)]
    assert searches[-1].modality is Modality.TEXT and sample.answer in searches[-1].evidence
    assert "tundra" in sample.accepted or "courier" in sample.accepted


def test_long_answers_end_with_a_sentence_and_turns_are_remembered(tmp_path: Path) -> None:
    (_, example), _ = read("llava", tmp_path)
    first, second = example.samples
    assert len(first.answer) < 601 and first.answer.endswith("green.")
    assert second.history[0].question == "What colour is the bus?" and second.question == "And the car?"


def test_splits_are_the_published_ones(tmp_path: Path) -> None:
    assert [example.samples[0].question for example in read("webqa", tmp_path)[0]] == ["Which tower is red?",
                                                                                      "Are both lit?"]
    assert [example.samples[0].question for example in read("webqa", tmp_path, Split.VALIDATION)[0]] == ["Who?"]


@pytest.mark.parametrize("code", [
    [], [[1, 2, 3]], [[1, 2, 3, float("nan"), 5, 6]], [["a"] * 6], [[0, 0, 9000, 0, 9000, 9000]], None, "mask",
    {"size": [1, 2], "counts": [2]}, {"size": [HEIGHT, WIDTH], "counts": [-1, HEIGHT * WIDTH + 1]},
    {"size": [HEIGHT, WIDTH], "counts": [7]}, {"size": [HEIGHT, WIDTH], "counts": "~~~~~~~"},
    {"size": [HEIGHT, WIDTH], "counts": "PPPPPPPPPPPPPPP1"}, {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * WIDTH]}])
def test_a_mask_that_is_none_is_named(code: object) -> None:
    with pytest.raises(Fault, match="annotation 5"):
        mask_of({"id": 5, "segmentation": code}, (HEIGHT, WIDTH), "a.json: image 1")


def test_uncompressed_run_lengths_are_read() -> None:
    counts = [HEIGHT * 10, HEIGHT, HEIGHT * (WIDTH - 11)]
    mask = mask_of({"id": 5, "segmentation": {"size": [HEIGHT, WIDTH], "counts": counts}}, (HEIGHT, WIDTH), "a.json")
    assert mask[:, 10].all() and mask.sum() == HEIGHT


class Trouble:
    def __reduce__(self):
        return Path.touch, (Path("/tmp/pixsearch-was-here"),)


def test_a_file_of_references_with_code_in_it_is_refused(tmp_path: Path) -> None:
    refcoco(tmp_path, "refcoco", "refs(unc).p")
    (tmp_path / "refcoco" / "refs(unc).p").write_bytes(pickle.dumps([{"split": Trouble()}]))
    with pytest.raises(Fault, match="a file of plain values"):
        list(READERS["refcoco"](tmp_path, Split.TRAIN))
    assert not Path("/tmp/pixsearch-was-here").exists()


def test_a_picture_outside_of_the_corpus_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "paco"
    paco(folder)
    (tmp_path / "secret.jpg").write_bytes(b"x")
    whole = instances(["../secret.jpg", "x"], ["cup", "dog"])
    write(folder / "annotations" / "paco_lvis_v1_train.json", whole)
    assert "a picture inside the corpus" in str(next(READERS["paco"](folder, Split.TRAIN)))


@pytest.mark.parametrize(("content", "message"), [
    ('{"images":\n[,]}', r"paco_lvis_v1_train.json:2"), ("[]", "as COCO has them"), ("", r"json:1")])
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    paco(tmp_path)
    (tmp_path / "annotations" / "paco_lvis_v1_train.json").write_text(content)
    with pytest.raises(Fault, match=message):
        list(READERS["paco"](tmp_path, Split.TRAIN))


def test_an_unknown_corpus_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="did you mean 'refcoco'"):
        reader_named("refcocoo")
    run_file = tmp_path / "run.toml"
    run_file.write_text('name="x"\nstage=1\nsize="tiny"\nstart="s"\nsteps=1\nscenes=0\nvalidation_scenes=1\n'
                        '[corpora]\nllawa = "/data"\n')
    with pytest.raises(Fault, match="did you mean 'llava'"):
        load_config(run_file)


def test_rows_of_a_growing_file_are_read_like_any_array(tmp_path: Path) -> None:
    array = GrowingArray(tmp_path / "a.npy", np.dtype(np.float16), (2, 3))
    for number in range(12):
        array.add(np.full((number, 2, 3), number, np.float16))
    array.close()
    rows = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert rows.shape == (66, 2, 3) and rows[-1, 0, 0] == 11 and rows[0, 0, 0] == 1


def test_where_nothing_is_annotated_nothing_is_learned_about_the_layout() -> None:
    nothing, partly = layout_of(np.zeros((0, 96, 96), np.float32), 24, complete=False), np.zeros((1, 96, 96), "f4")
    partly[0, :48] = 1
    told = layout_of(partly, 24, complete=False)
    assert (nothing[0] == UNKNOWN).all() and (told[0, :12] == 1).all() and (told[0, 12:] == UNKNOWN).all()
    guess = torch.randn(1, len(nothing), 24, 24, requires_grad=True)
    assert layout_loss(guess, nothing[None]).item() == 0.0
    layout_loss(guess, told[None]).backward()
    assert guess.grad[0, 0, :12].abs().sum() > 0 and guess.grad[0, 0, 12:].abs().sum() == 0
    assert layout_of(np.zeros((0, 96, 96), np.float32), 24)[0].eq(0).all()


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """So small a model is fastest on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[training.Run]:
    """A run of stage 2 over all corpora, through a run file, on the tiny model."""
    root = tmp_path_factory.mktemp("corpora")
    tabby = write_wordnet(root / "data" / "wordnet" / "3.0")["tabby"]
    for name, (make, _) in MINIATURES.items():
        make(root / name)
    lines = [f'"{name}" = "{root / name}"' for name in MINIATURES]
    (root / "run.toml").write_text("\n".join([
        'name = "all"', "stage = 2", 'size = "tiny"', 'start = "base-tiny"', "steps = 3", "scenes = 0",
        "validation_scenes = 3", "batch = 3", "words = 2", "sight_steps = 2", "sight_batch = 2", "[corpora]", *lines]))
    with pytest.MonkeyPatch.context() as patch:
        from miniature import write_corpus

        write_corpus(root / "runs" / "corpus" / "validation-3")
        patch.setattr(concepts, "class_names", lambda: {tabby: "tabby"})
        patch.setattr(training.Looks, "of_split", lambda *_: some_looks())  # the miniature has no pictures
        yield training.Run(load_config(root / "run.toml"), root / "data", root / "runs")


@pytest.mark.parametrize("name", list(MINIATURES))
def test_a_batch_of_every_corpus_trains_the_model(name: str, run: training.Run) -> None:
    corpus = run.corpus
    assert isinstance(corpus, JoinedCorpus)
    part = corpus.parts[list(MINIATURES).index(name)]
    samples, rng = part.of_stage(MINIATURES[name][1])[:2], np.random.default_rng(0)
    assert len(samples) == 2 and len(part.samples) >= 2 and part.scenes == 2
    batch = make_batch(samples, corpus, run.tokenizer, run.concepts, run.looks, rng)
    before = {parameter: tensor.detach().clone() for parameter, tensor in run.model.named_parameters()}
    losses = run.train_step(FullStep(batch, name_batch(run.concepts, run.tokenizer, 2, rng)))
    assert all(np.isfinite(value) for value in losses.values()) and losses["language"] > 0
    assert ("tversky" in losses) == bool(part.shown)
    moved = {name.split(".")[0] for name, tensor in run.model.named_parameters()
             if not torch.equal(before[name], tensor)}
    assert "language" in moved and (not part.shown or {"decoder", "pyramid"} <= moved)


def test_batches_of_all_corpora_and_sight_steps_train_together(run: training.Run) -> None:
    for number in range(1, 3):
        assert all(np.isfinite(value) for value in run.train_step(run.steps[number]).values())
    rows = [run.corpus.scene_of(sample) for sample in run.corpus.samples]
    assert sorted(set(rows)) == list(range(2 * len(MINIATURES)))
    features = run.corpus.scene_features([rows[0], rows[-1]], [False, True])
    assert torch.equal(features.head[1], run.corpus.scene_features([rows[-1]]).head[0].flip(-1))


def test_a_corpus_that_is_kept_is_not_read_again_and_nothing_usable_is_a_fault(tmp_path: Path,
                                                                               run: training.Run) -> None:
    folders = {"paco": str(tmp_path / "paco")}
    paco(tmp_path / "paco")
    (first,) = kept_corpora(folders, Split.TRAIN, 1, tmp_path, run.model.trunk)
    (tmp_path / "paco" / "annotations" / "paco_lvis_v1_train.json").unlink()
    assert kept_corpora(folders, Split.TRAIN, 1, tmp_path, run.model.trunk) == [first]
    assert Corpus(first).scenes == 1 and np.load(first / "frames.npy").shape == (1, 384, 384, 3)
    (frame,) = kept_frames(first)
    assert frame.shape == (1, 3, 384, 384) and abs(frame).max() < 1.1
    write(tmp_path / "paco" / "annotations" / "paco_lvis_v1_train.json",
          {"images": [], "annotations": [], "categories": []})
    with pytest.raises(Fault, match="pictures with samples"):
        kept_corpora(folders, Split.TRAIN, 2, tmp_path, run.model.trunk)
    with pytest.raises(Fault, match="scenes or corpora"):
        joined(None, [])
