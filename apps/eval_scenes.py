"""`eval scenes`: composed scenes with objects, backgrounds and phrasings that no training has seen."""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import click

from pixsearch.apps.baselines import FirstLook, GivenMask, SalientCutter, Unaided
from pixsearch.apps.defaults import EVERYDAY_PACK
from pixsearch.apps.extras import needs_extra
from pixsearch.apps.scene_packs import write_scene_pack
from pixsearch.apps.scores import (
    Verdict,
    applying,
    benchmark,
    is_well_formed,
    mask_scores,
    mean,
    overlap,
    precision_recall,
    share,
    verdict_scores,
)
from pixsearch.contract.grammar import Modality
from pixsearch.edge.answer import Answer, SearchRecord
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.bundle import Bundle, default_bundle
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.edge.perception import Perception
from pixsearch.index.pack import Pack
from pixsearch.index.search import Library

if TYPE_CHECKING:
    from pixsearch.model.corpus import Materials
    from pixsearch.model.data.records import Sample, Scene

SCENES = 500
DATA = Path("data")
RECALL_AT = 10
STAGE = 2
MADE_UP = "made-up/"  # how ids of entities begin that only the scene pack holds


@dataclass(frozen=True)
class Way:
    """How the assistant is asked.

    allowed : what it may do, as arguments of `ask`
    cuts    : whose masks region searches cut out: the assistant's "own", its own "unaided" by looks or at the "first"
              look, the "true" ones, or what is "salient"
    """

    allowed: dict[str, Any] = field(default_factory=dict)
    cuts: str = "own"


OWN = {"unaided": Unaided, "first": FirstLook}  # the assistant's own masks, with less
FULL = Way()
ABLATIONS = {
    "no_search": Way({"budget": 0}),
    "text_only": Way({"modalities": {Modality.TEXT}}),
    "image_only": Way({"modalities": {Modality.IMAGE}}),
    "region_only": Way({"modalities": {Modality.REGION}}),
    "budget_1": Way({"budget": 1}),
    "budget_3": Way({"budget": 3}),
    "budget_4": Way({"budget": 4}),
    "no_looks": Way(cuts="unaided"),
    "first_look": Way(cuts="first"),
    "salient_mask": Way(cuts="salient"),
    "oracle_mask": Way(cuts="true"),
}


@dataclass(frozen=True)
class SceneRow:
    """One judged question; `overlap` and ranks are None where it is not about one thing in view."""

    verdict: Verdict
    wanted: Modality | None  # of the first search
    searched: tuple[Modality, ...]
    well_formed: bool
    overlap: tuple[int, int] | None
    region_rank: int | None  # of the right entity, from 0; RECALL_AT when it is not among the first RECALL_AT
    image_rank: int | None


@dataclass(frozen=True)
class _Libraries:
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
    with _opened(bundle, split, data) as (libraries, materials):
        run = partial(_run, libraries, materials, limit or SCENES, data)
        rows = run(FULL, "scenes")
        ablations = {name: _metrics(run(way, name)) for name, way in ABLATIONS.items()} if ablation else {}
        more = {"ablation": ablations} if ablation else {}
    return benchmark(
        "scenes", len(rows), bundle.name, time.monotonic() - started, _metrics(rows), split=split, **more
    )


def scene_answers(
    bundle_folder: Path | None, split: str, count: int, data: Path = DATA
) -> Iterator[tuple[Answer, Verdict]]:
    """Answers to one question about each of `count` scenes of a split, with their verdicts."""
    from pixsearch.model.data.judge import judge

    with _opened(Bundle.load(bundle_folder or default_bundle()), split, data) as (libraries, materials):
        for scene, sample in _questions(materials, count):
            assistant = libraries.for_sample(sample)
            answer = assistant.ask(scene.frame, sample.question, sample.point, history=sample.history)
            yield answer, judge(answer.answer, sample)


@contextmanager
def _opened(bundle: Bundle, split: str, data: Path) -> Iterator[tuple[_Libraries, "Materials"]]:
    """The split's things and the packs that its questions go to; things of another split are not there."""
    from pixsearch.model.corpus import load_materials
    from pixsearch.model.data.records import Split

    materials = load_materials(data, Split(split))
    other = load_materials(data, Split.TRAIN if split == Split.VALIDATION else Split.VALIDATION)
    with _open_libraries(bundle, materials, other) as libraries:
        yield libraries, materials


@contextmanager
def _open_libraries(bundle: Bundle, materials: "Materials", other: "Materials") -> Iterator[_Libraries]:
    embed = BundleEmbedder(bundle)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        packs = [
            write_scene_pack(folder / "scenes.pxpack", materials, embed),
            EVERYDAY_PACK,
            write_scene_pack(folder / "elsewhere.pxpack", other, embed),
        ]
        yield _Libraries(
            *(
                opened.enter_context(Assistant(bundle, Library([Pack.open(pack, bundle.embedder_id)])))
                for pack in packs
            )
        )


def _questions(materials: "Materials", count: int) -> Iterator[tuple["Scene", "Sample"]]:
    """One question a scene, the same ones every time."""
    from pixsearch.model.corpus import make_scene, scene_samples

    for number in range(count):
        scene = make_scene(materials, number)
        if samples := scene_samples(materials, scene, (STAGE,)):
            yield scene, Random(scene.seed).choice(samples)


def _run(
    libraries: _Libraries, materials: "Materials", count: int, data: Path, way: Way, label: str
) -> list[SceneRow]:
    salient = SalientCutter(data) if way.cuts == "salient" else None
    with click.progressbar(
        _questions(materials, count), count, label=label, file=sys.stderr, show_pos=True
    ) as bar:
        return [_ask(libraries.for_sample(sample), scene, sample, way, salient) for scene, sample in bar]


def _ask(
    assistant: Assistant, scene: "Scene", sample: "Sample", way: Way, salient: SalientCutter | None
) -> SceneRow:
    from pixsearch.model.data.judge import judge

    perception = _perceive(assistant, scene, sample, way, salient)
    answer = assistant.ask(
        scene.frame, sample.question, sample.point, perception=perception, history=sample.history, **way.allowed
    )
    region = _first_region(answer)
    searched = tuple(search.modality for search in answer.searches)
    pixels = region_rank = image_rank = None
    if sample.modality is Modality.REGION and sample.target is not None:
        mask = region.segment.mask if region and region.segment else None
        pixels = overlap(mask, scene.placed[sample.target].mask)
        if sample.entity is not None:
            region_rank = (
                RECALL_AT if mask is None else _rank(assistant, perception.region_vector(mask), sample.entity)
            )
            image_rank = _rank(assistant, perception.frame_vector(), sample.entity)
    return SceneRow(
        judge(answer.answer, sample),
        sample.modality,
        searched,
        is_well_formed(answer.trace),
        pixels,
        region_rank,
        image_rank,
    )


def _perceive(
    assistant: Assistant, scene: "Scene", sample: "Sample", way: Way, salient: SalientCutter | None
) -> Perception:
    if salient:
        return GivenMask(assistant.bundle, scene.frame, salient(scene.frame))
    if way.cuts in OWN:
        return OWN[way.cuts](assistant.bundle, scene.frame)
    if way.cuts == "true" and sample.target is not None:
        return GivenMask(assistant.bundle, scene.frame, scene.placed[sample.target].mask)
    return assistant.perceive(scene.frame)


def _first_region(answer: Answer) -> SearchRecord | None:
    return next((search for search in answer.searches if search.modality is Modality.REGION), None)


def _rank(assistant: Assistant, vector: Any, entity: str) -> int:
    keys = [hit.key for hit in assistant.library.search_vectors(vector, k=RECALL_AT)]
    return keys.index(entity) if entity in keys else RECALL_AT


def _metrics(rows: list[SceneRow]) -> dict[str, Any]:
    regions = [row.region_rank for row in rows if row.region_rank is not None]
    images = [row.image_rank for row in rows if row.image_rank is not None]
    return applying(
        {
            **verdict_scores([row.verdict for row in rows]),
            "modality_accuracy": share(
                (row.searched[0] if row.searched else None) == row.wanted for row in rows
            ),
            **precision_recall(
                [bool(row.searched) for row in rows], [row.wanted is not None for row in rows]
            ),
            **mask_scores([row.overlap for row in rows if row.overlap is not None]),
            "region_recall_at_1": share(rank == 0 for rank in regions),
            "region_recall_at_10": share(rank < RECALL_AT for rank in regions),
            "image_recall_at_1": share(rank == 0 for rank in images),
            "image_recall_at_10": share(rank < RECALL_AT for rank in images),
            "searches_mean": mean([len(row.searched) for row in rows]),
            "well_formed": share(row.well_formed for row in rows),
        }
    )
