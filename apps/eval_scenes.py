"""`eval scenes`: composed scenes with objects, backgrounds and phrasings that no training has seen."""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import click

from pixsearch.apps.defaults import EVERYDAY_PACK
from pixsearch.apps.extras import needs_extra
from pixsearch.apps.judged import Judged, judge_answer, judged_scores
from pixsearch.apps.scene_packs import write_scene_pack
from pixsearch.apps.scores import Verdict, benchmark
from pixsearch.apps.ways import ABLATIONS, FULL, Asker, Way
from pixsearch.edge.answer import Answer
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.bundle import Bundle, default_bundle
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.index.pack import Pack
from pixsearch.index.search import Library

if TYPE_CHECKING:
    from pixsearch.model.corpus import Materials
    from pixsearch.model.data.records import Sample, Scene

SCENES = 500
DATA = Path("data")
STAGE = 2
MADE_UP = "made-up/"  # how ids of entities begin that only the scene pack holds


@dataclass(frozen=True)
class SceneLibraries:
    """Each question goes to the pack that can answer it; one that should fail, to a pack of other things."""

    made_up: Assistant
    everyday: Assistant
    elsewhere: Assistant

    def for_sample(self, sample: "Sample") -> Assistant:
        if sample.modality is None:
            return self.made_up
        if sample.entity is None:
            return self.elsewhere
        return self.made_up if sample.entity.startswith(MADE_UP) else self.everyday


@needs_extra("train")
def evaluate_scenes(
    bundle_folder: Path | None = None,
    split: str = "test",
    limit: int | None = None,
    ablation: bool = False,
    data: Path = DATA,
) -> dict[str, Any]:
    """Ask one question about each of `limit` scenes (500 unless given) and score the answers.

    split : "test" or "validation"; data : the folder that `make data` filled
    """
    bundle, started = Bundle.load(bundle_folder or default_bundle()), time.monotonic()
    with opened_scenes(bundle, split, data) as (libraries, materials):
        run = partial(_run, libraries, materials, limit or SCENES, Asker(data))
        rows = run(FULL, "scenes")
        ablations = {name: judged_scores(run(way, name)) for name, way in ABLATIONS.items()} if ablation else {}
        more = {"ablation": ablations} if ablation else {}
    return benchmark(
        "scenes", len(rows), bundle.name, time.monotonic() - started, judged_scores(rows), split=split, **more
    )


def scene_answers(
    bundle_folder: Path | None, split: str, count: int, data: Path = DATA, everyday: Path = EVERYDAY_PACK
) -> Iterator[tuple[Answer, Verdict]]:
    """Answers to one question about each of `count` scenes of a split, with their verdicts.

    everyday : the everyday pack of the bundle's embedder
    """
    from pixsearch.model.data.judge import judge

    with opened_scenes(Bundle.load(bundle_folder or default_bundle()), split, data, everyday) as (libraries, materials):
        for scene, sample in scene_questions(materials, count):
            assistant = libraries.for_sample(sample)
            answer = assistant.ask(scene.frame, sample.question, sample.point, history=sample.history)
            yield answer, judge(answer.answer, sample)


@contextmanager
def opened_scenes(
    bundle: Bundle, split: str, data: Path, everyday: Path = EVERYDAY_PACK
) -> Iterator[tuple[SceneLibraries, "Materials"]]:
    """The split's things and the packs that its questions go to; things of another split are not there."""
    from pixsearch.model.corpus import load_materials
    from pixsearch.model.data.records import Split

    materials = load_materials(data, Split(split))
    other = load_materials(data, Split.TRAIN if split == Split.VALIDATION else Split.VALIDATION)
    with _open_libraries(bundle, materials, other, everyday) as libraries:
        yield libraries, materials


@contextmanager
def _open_libraries(
    bundle: Bundle, materials: "Materials", other: "Materials", everyday: Path
) -> Iterator[SceneLibraries]:
    embed = BundleEmbedder(bundle)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        packs = [
            write_scene_pack(folder / "scenes.pxpack", materials, embed),
            everyday,
            write_scene_pack(folder / "elsewhere.pxpack", other, embed),
        ]
        yield SceneLibraries(
            *(
                opened.enter_context(Assistant(bundle, Library([Pack.open(pack, bundle.embedder_id)])))
                for pack in packs
            )
        )


def scene_questions(materials: "Materials", count: int) -> Iterator[tuple["Scene", "Sample"]]:
    """One question a scene, the same ones every time."""
    from pixsearch.model.corpus import make_scene, scene_samples

    for number in range(count):
        scene = make_scene(materials, number)
        if samples := scene_samples(materials, scene, (STAGE,)):
            yield scene, Random(scene.seed).choice(samples)


def _run(
    libraries: SceneLibraries, materials: "Materials", count: int, asker: Asker, way: Way, label: str
) -> list[Judged]:
    rows = []
    with click.progressbar(
        scene_questions(materials, count), count, label=label, file=sys.stderr, show_pos=True
    ) as bar:
        for scene, sample in bar:
            assistant = libraries.for_sample(sample)
            answer, perception = asker.ask(assistant, scene, sample, way)
            shown = shown_entity(materials, scene, sample)
            rows.append(judge_answer(assistant, perception, scene, sample, answer, shown))
    return rows


def shown_entity(materials: "Materials", scene: "Scene", sample: "Sample") -> str | None:
    """The entity in view that a sample's first search looks for; a later one may lead on to another."""
    if sample.entity is None or sample.target is None or not sample.entity.startswith(MADE_UP):
        return sample.entity
    return materials.entities[scene.placed[sample.target].thing.id].id
