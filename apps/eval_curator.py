"""`eval curator`: a pack of things that nothing was trained for, one picture each, and questions in new scenes.

The pack is built from a folder as a curator makes it, by the code of `pack build`.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import click
from PIL import Image

from pixsearch.apps.eval_scenes import DATA
from pixsearch.apps.extras import needs_extra
from pixsearch.apps.judged import Judged, judge_answer, judged_scores
from pixsearch.apps.scores import benchmark
from pixsearch.apps.ways import Asker
from pixsearch.edge.assistant import Assistant, open_assistant
from pixsearch.edge.bundle import Bundle, default_bundle
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.index.build import build_pack

if TYPE_CHECKING:
    from pixsearch.model.data.records import Entity, Place, Sample, Scene, Split, Thing

THINGS, SCENES = 60, 120
SEED = 43  # of names, facts and the choice of things
SCENE_SEEDS = {"validation": 25_000_000, "test": 35_000_000}
SCENES_A_QUESTION = 20  # that are tried until one shows several things of which one can be asked for
BY_POINT, BY_WORDS = "by point", "by words"
LICENCE = "for evaluation only"


@dataclass(frozen=True)
class Collection:
    """What a curator brings: things with made-up names, and the places where they will be seen."""

    things: list["Thing"]
    places: list["Place"]
    entities: dict[str, "Entity"]  # by Thing.id


@needs_extra("train")
def evaluate_curator(bundle_folder: Path | None = None, split: str = "test", limit: int | None = None,
                     data: Path = DATA) -> dict[str, Any]:
    """Ask `limit` questions (120 unless given), half by a point and half by words; right and wrong shares of both.

    split : "test" or "validation"; data : the folder that `make data` filled
    """
    from pixsearch.model.data.records import Split

    folder, started = bundle_folder or default_bundle(), time.monotonic()
    collection = load_collection(data, Split(split))
    with tempfile.TemporaryDirectory() as temporary:
        source, pack = Path(temporary) / "collection", Path(temporary) / "collection.pxpack"
        write_folder(source, collection)
        build_pack(source, pack, BundleEmbedder(Bundle.load(folder)), "collection", LICENCE)
        with open_assistant(folder, [pack]) as assistant:
            rows = _ask_all(assistant, collection, limit or SCENES, Asker(data))
    splits = {name: judged_scores([row for way, row in rows if way == name])
              for name in dict.fromkeys(way for way, _ in rows)}
    return benchmark("curator", len(rows), assistant.bundle.name, time.monotonic() - started,
                     judged_scores([row for _, row in rows]), splits=splits, split=split)


def load_collection(data: Path, split: "Split") -> Collection:
    """The things that belong to SEED, of a split that training has not seen."""
    from pixsearch.model.data.knowledge import make_entities
    from pixsearch.model.data.places import load_places
    from pixsearch.model.data.things import load_things

    own = [thing for thing in load_things(data) if thing.split is split]
    things = Random(SEED).sample(own, min(THINGS, len(own)))
    return Collection(things, [place for place in load_places(data) if place.split is split],
                      make_entities(things, split, SEED))


def write_folder(folder: Path, collection: Collection) -> None:
    """Write the folder that `pack build` takes: a row and one cut-out for each thing."""
    folder.mkdir(parents=True)
    rows = []
    for number, thing in enumerate(collection.things):
        picture, entity = f"{number:02}.png", collection.entities[thing.id]
        with Image.open(thing.path) as opened:
            opened.convert("RGBA").save(folder / picture)
        rows.append({"id": entity.id, "name": entity.name, "facts": entity.facts, "source": entity.source,
                     "images": [picture]})
    (folder / "entities.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def curator_questions(collection: Collection, split: str, count: int) -> Iterator[tuple["Scene", "Sample", str]]:
    """A question about each of `count` scenes of several things, by a point and by words in turn."""
    for number in range(count):
        way = (BY_POINT, BY_WORDS)[number % 2]
        first = SCENE_SEEDS[split] + number * SCENES_A_QUESTION
        yield next(found for seed in range(first, first + SCENES_A_QUESTION)
                   if (found := _question(collection, seed, way)))


def _question(collection: Collection, seed: int, way: str) -> tuple["Scene", "Sample", str] | None:
    from pixsearch.model.data.asking import Asking
    from pixsearch.model.data.knowledge import World
    from pixsearch.model.data.referring import pointed_at
    from pixsearch.model.data.scenes import SETTINGS, compose
    from pixsearch.model.data.stage2 import name_of

    split = collection.places[0].split
    scene = compose(seed, collection.things, collection.places, SETTINGS[split])
    asking = Asking(scene, collection.entities, World(split, {}, {}, {}), split, Random(seed), 2, 0.0)
    if len(scene.placed) < 2 or not asking.view.clear:
        return None
    target = asking.rng.choice(asking.view.clear)
    reference = (pointed_at(asking.view, target, split, asking.rng) if way == BY_POINT
                 else asking.refer(target, avoid=("deictic",)))
    if reference is None:
        return None
    return scene, name_of(asking, reference, collection.entities[scene.placed[target].thing.id]), way


def _ask_all(assistant: Assistant, collection: Collection, count: int, asker: Asker) -> list[tuple[str, Judged]]:
    split = collection.places[0].split.value
    rows = []
    with click.progressbar(curator_questions(collection, split, count), count, label="curator", file=sys.stderr,
                           show_pos=True) as bar:
        for scene, sample, way in bar:
            answer, perception = asker.ask(assistant, scene, sample)
            rows.append((way, judge_answer(assistant, perception, scene, sample, answer, sample.entity)))
    return rows
