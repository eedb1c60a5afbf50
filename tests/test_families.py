"""Every family goes the whole way: both stages, a cut, validation, export, a question, a benchmark."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from base_lab import STAGE1, a_folder, drawn_scene, set_up
from click.testing import CliRunner
from exams import an_exam
from PIL import Image
from safetensors.torch import load_file
from test_baselines import write_brightness
from transformers import AutoModelForImageTextToText

from pixsearch.apps.baselines import SALIENT
from pixsearch.apps.eval_egoqa import FULL_NAME, answer_exam
from pixsearch.apps.main import cli
from pixsearch.apps.scene_packs import write_exam_pack
from pixsearch.apps.ways import Asker
from pixsearch.contract.faults import Fault
from pixsearch.contract.tokenizer import Tokenizer
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.export.bundle import export_bundle
from pixsearch.export.parity import next_token_agreement, parity
from pixsearch.index.pack import Pack
from pixsearch.index.search import Library
from pixsearch.model import batches, training
from pixsearch.model.checkpoint import WEIGHTS_FILE, load_merged, load_model
from pixsearch.model.families.parts import family_tokenizer
from pixsearch.model.families.qwen_patches import patches
from pixsearch.model.families.table import FAMILIES, Source, size_of
from pixsearch.model.network import PixSearch, trained_parameters
from pixsearch.model.sizes import SIZES, size_named

PHOTOGRAPH = Path(__file__).parent.parent / "apps" / "photos" / "cat.jpg"
# what the parts are called whose gradient must not be lost on the way
LEARNING = ("language.special_rows", "lora_A", "lora_B", "projector.change", "projector.place", "pyramid.", "tagger.",
            "decoder.query", "decoder.weights", "decoder.quality", "decoder.appearance", "decoder.known")
Places = tuple[Path, Path, Path]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """Folders for data, runs and models."""
    return (*set_up(tmp_path, monkeypatch), tmp_path)


class Cut(Exception):
    """Stands for a power cut."""


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_goes_the_whole_way(family: str, places: Places) -> None:
    data, runs, folder = places
    config = replace(STAGE1, weights=a_folder(folder, family))

    training.train(config, data, runs)
    first, last, validation = losses_of(runs / "stage1.run")
    assert last["language"] < 0.95 * first["language"] and last["tags"] < first["tags"]
    assert validation["giou"] >= 0.9

    second = replace(config, name="stage2", stage=2, start="stage1", steps=6, sight_steps=0, save_every=2,
                     stage1_share=0.4375)
    with pytest.raises(Cut):
        training.train(second, data, runs, on_step=cut_after(3))
    training.train(second, data, runs)
    assert load_model(runs / "stage2").description["stage"] == 2

    checkpoint, bundle = load_merged(runs / "stage2"), folder / f"{family}-fp32"
    export_bundle(checkpoint, bundle)
    assert max(one.relative for one in parity(checkpoint, bundle, [PHOTOGRAPH]).values()) < 1e-4
    assert next_token_agreement(checkpoint, bundle, PHOTOGRAPH) == 1.0

    exam = an_exam(folder / "exam")
    embedder = BundleEmbedder(Bundle.load(bundle))
    pack = write_exam_pack(folder / "exam.pxpack", exam, embedder)
    write_brightness(folder / SALIENT)
    with Assistant(Bundle.load(bundle), Library([Pack.open(pack, embedder.id)]), deadline_s=600) as assistant:
        results = answer_exam(exam, assistant, Asker(folder), folder, folder / "answers", 2, {})
    assert len(results.rows[FULL_NAME]) == 2

    Image.fromarray(drawn_scene(0)[0]).save(folder / "scene.png")
    asked = CliRunner().invoke(cli, ["ask", str(folder / "scene.png"), "Who makes the mug?", "--point", "400,200",
                                     "--bundle", str(bundle), "--pack", str(pack), "--json"])
    assert asked.exit_code == 0, asked.output
    assert json.loads(asked.stdout)["answer"]


def losses_of(run: Path) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """First and last losses with language, and the last validation."""
    records = [json.loads(line) for line in (run / training.LOG_FILE).read_text().splitlines()]
    full = [record["losses"] for record in records if "language" in record.get("losses", {})]
    return full[0], full[-1], next(record["validation"] for record in reversed(records) if "validation" in record)


def cut_after(step: int):
    def cut(run: training.Run) -> None:
        if run.step == step:
            raise Cut

    return cut


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_gradient_reaches_every_part_that_learns(family: str, quantized: bool, places: Places,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    for chance in ("POINT_CHANCE", "BOX_CHANCE", "PREVIOUS_CHANCE"):
        monkeypatch.setattr(batches, chance, 0.5)  # so that a few steps have each prompt, and miss each
    data, runs, folder = places
    config = replace(STAGE1, weights=a_folder(folder, family), quantized=quantized, checkpointing=quantized,
                     sight_steps=0, stage=2)
    run = training.Run(config, data, runs)
    before = {name: tensor.detach().clone() for name, tensor in run.model.named_parameters()}
    for step in range(4):  # what starts at zero passes nothing back in the first
        run.train_step(run.steps[step])
    moved = {name for name, tensor in run.model.named_parameters() if not torch.equal(before[name], tensor)}
    assert moved == set(trained_parameters(run.model))
    assert all(any(part in name for name in moved) for part in LEARNING)
    decoder, was = run.model.decoder, {name: before[f"decoder.{name}"] for name in ("hints.weight", "kinds", "absent")}
    assert (decoder.hints.weight != was["hints.weight"]).any(dim=0).all()  # words, point and box, at every offset
    assert (decoder.kinds != was["kinds"]).any(dim=1).all() and (decoder.absent != was["absent"]).any(dim=1).all()
    if quantized:
        assert any("Linear4bit" in type(module).__name__ for module in run.model.language.modules())
    run.save()


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_image_and_words_are_read_as_transformers_reads_them(family: str, tmp_path: Path) -> None:
    model, tokenizer, theirs = opened(tmp_path, family)
    words = tokenizer.encode("The cup is on the left.")
    pixels = torch.rand(1, 3, 384, 384, generator=torch.Generator().manual_seed(0)) * 2 - 1
    tower, special, count = model.tower, tokenizer.special, model.size.image_tokens
    seen = []
    tower.vision.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    tokens = tower(pixels)
    first = theirs.config.vision_start_token_id if "qwen" in family else 5
    model.language.special_rows[list(vars(special)).index("bos")] = theirs.get_input_embeddings().weight[first]
    ids = torch.tensor([[special.bos, *[special.pad] * count, *words]])
    found = model.language.read(ids, [ids.shape[1]], tokens)
    hole = theirs.config.image_token_index if family == "llava" else theirs.config.image_token_id
    given = torch.tensor([[first, *[hole] * count, *words]])
    expected = theirs.model(input_ids=given, attention_mask=torch.ones_like(given),
                            **as_they_take(family, theirs, seen[0]))
    assert torch.allclose(found, expected.last_hidden_state, atol=1e-4)


def opened(folder: Path, family: str) -> tuple[PixSearch, Tokenizer, torch.nn.Module]:
    """The model over a random folder, its tokenizer, and the folder as transformers opens it."""
    weights = Path(a_folder(folder, family))
    size = size_of(size_named("tiny-base"), weights)
    tokenizer = Tokenizer(family_tokenizer(weights), size.image_tokens)
    return PixSearch(size, tokenizer).eval(), tokenizer, AutoModelForImageTextToText.from_pretrained(weights).eval()


def as_they_take(family: str, theirs: torch.nn.Module, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
    """Scaled pixels as a family's own class takes them."""
    if "qwen" in family:
        vision = theirs.config.vision_config
        cut, grid = patches(pixels, vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size)
        return {"pixel_values": cut, "image_grid_thw": grid}
    return {"pixel_values": pixels[:, None] if family == "smolvlm" else pixels}


def test_a_family_s_own_special_tokens_are_no_words(tmp_path: Path) -> None:
    backend = family_tokenizer(Path(a_folder(tmp_path, "qwen2_5_vl")))
    tokenizer = Tokenizer(backend)
    assert tokenizer.id_of("<|im_end|>") in tokenizer.special_ids
    assert not set(tokenizer.encode("<|im_end|> <search>")) & tokenizer.special_ids
    assert tokenizer.decode(tokenizer.encode("Café?")) == "Café?"


def test_the_weights_of_a_folder_are_not_kept_again(places: Places) -> None:
    data, runs, folder = places
    weights = a_folder(folder, "llava")
    training.train(replace(STAGE1, weights=weights, steps=2, sight_steps=0, validation_batches=1), data, runs)
    kept = load_file(runs / "stage1" / WEIGHTS_FILE)
    assert not [name for name in kept if name.startswith("tower.") or ("decoder.layers" in name and "lora" not in name
                                                                      and name.startswith("language"))]
    assert any("lora_A" in name for name in kept)


@pytest.mark.parametrize(("change", "message"), [
    ({"weights": "elsewhere"}, "config.json"), ({"weights": ""}, "--weights"),
    ({"size": "qwen2.5-vl-7b"}, "width 3584"), ({"size": "llava-1.5-13b"}, "family llava"),
])
def test_a_folder_at_fault_says_so(change: dict[str, str], message: str, places: Places) -> None:
    data, runs, folder = places
    config = replace(STAGE1, weights=a_folder(folder, "qwen2_5_vl"))
    with pytest.raises(Fault, match=message):
        training.Run(replace(config, **change), data, runs)


def test_a_model_of_no_known_family_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(Fault, match=r"docs/families\.md"):
        Source.read(tmp_path)


def test_the_page_s_example_is_a_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parent.parent / "docs" / "families.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    told: dict[str, Any] = {}
    exec(compile(example, "families.md", "exec"), told)
    monkeypatch.setitem(FAMILIES, "llava_next", told["FAMILY"])
    model, tokenizer, _ = opened(tmp_path, "llava_next")
    tokens, *_ = model.see(model.look(torch.zeros(1, 3, 384, 384)))
    ids = torch.tensor([tokenizer.prompt("What is this?")])
    hidden = model.language.read(ids, [ids.shape[1]], tokens)
    assert hidden.shape == (1, ids.shape[1], 128) and hidden.isfinite().all()
    assert all(f"`{name}`" in page for name, size in SIZES.items() if size.family)


@pytest.mark.parametrize("family", ["qwen3_vl", "llava"])
def test_a_merged_folder_says_what_the_trained_model_says(family: str, places: Places) -> None:
    data, runs, folder = places
    weights = a_folder(folder, family)
    training.train(replace(STAGE1, weights=weights, steps=4, sight_steps=0, validation_batches=1), data, runs)
    done = CliRunner().invoke(cli, ["model", "merge", str(runs / "stage1"), "-o", str(folder / "merged")])
    assert done.exit_code == 0, done.output
    ours, theirs = load_merged(runs / "stage1"), AutoModelForImageTextToText.from_pretrained(folder / "merged").eval()
    special = ours.tokenizer.special
    ids = torch.tensor([[special.bos, special.question, *ours.tokenizer.encode("Who makes it?"), special.answer]])
    with torch.inference_mode():
        expected = ours.model.language.logits(ours.model.language.words_alone(ids))
        assert torch.allclose(theirs(input_ids=ids).logits, expected, atol=1e-4)
    assert (folder / "merged" / "preprocessor_config.json").is_file()
