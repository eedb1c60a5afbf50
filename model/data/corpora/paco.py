"""PACO-LVIS (objects and their parts) and PartImageNet (parts of animals and vehicles), both in COCO's form.

    annotations/paco_lvis_v1_train.json, train2017/000000000001.jpg
    annotations/train/train.json (or train.json), images/train/n02100735_8211.JPEG
"""

from collections.abc import Callable
from pathlib import Path
from random import Random

from pixsearch.contract.faults import Fault
from pixsearch.model.data.corpora.coco import Annotated, Instances, mask_of, read_instances
from pixsearch.model.data.corpora.example import Example, Found, first_there, picture_file, point_out
from pixsearch.model.data.records import Split

MOST_THINGS = 40  # of one picture
NAMES = {Split.TRAIN: "train", Split.VALIDATION: "val", Split.TEST: "test"}


def read_paco(folder: Path, split: Split) -> Found:
    """Objects ("the mug") and parts ("the handle of the mug"); only those that are alone under their name."""
    path = first_there(folder, f"annotations/paco_lvis_v1_{NAMES[split]}.json", f"paco_lvis_v1_{NAMES[split]}.json")
    yield from _named_parts(read_instances(path), folder, split, _paco_phrase, ("", "images/"))


def read_partimagenet(folder: Path, split: Split) -> Found:
    """Parts under names such as "the head of the quadruped"."""
    name = NAMES[split]
    path = first_there(folder, f"annotations/{name}/{name}.json", f"annotations/{name}.json", f"{name}.json")
    yield from _named_parts(read_instances(path), folder, split, _part_phrase, (f"images/{name}/", f"{name}/", ""))


def _paco_phrase(category: str) -> tuple[str, str | None]:
    """ "trash_can:rim" → "the rim of the trash can"; its noun where it is a whole object."""
    thing, _, part = (one.replace("_", " ").lower() for one in category.partition(":"))
    thing = thing.split(" (")[0]
    return (f"the {part} of the {thing}", None) if part else (f"the {thing}", thing)


def _part_phrase(category: str) -> tuple[str, str | None]:
    """ "Quadruped Head" → "the head of the quadruped"."""
    thing, _, part = category.lower().rpartition(" ")
    return (f"the {part} of the {thing}", None) if thing else (f"the {part}", part)


def _named_parts(instances: Instances, folder: Path, split: Split, phrase_of: Callable[[str], tuple[str, str | None]],
                 below: tuple[str, ...]) -> Found:
    for picture in instances:
        if picture.annotations:
            try:
                yield _example(picture, instances, folder, split, phrase_of, below)
            except Fault as fault:
                yield fault


def _example(picture: Annotated, instances: Instances, folder: Path, split: Split,
             phrase_of: Callable[[str], tuple[str, str | None]], below: tuple[str, ...]) -> Example:
    place, rng = f"{instances.path.name}: image {picture.image.get('id')}", Random(str(picture.image.get("id")))
    named = [phrase_of(instances.categories.get(one.get("category_id", -1), "thing")) for one in picture.annotations]
    counts = {phrase: sum(other == phrase for other, _ in named) for phrase, _ in named}
    masks, samples = [], []
    for annotation, (phrase, concept) in list(zip(picture.annotations, named, strict=True))[:MOST_THINGS]:
        masks.append(mask_of(annotation, picture.size, place))
        if counts[phrase] == 1:  # otherwise the words do not say which one
            samples.append(point_out(split, phrase, len(masks) - 1, concept, rng))
    name = str(picture.image.get("file_name"))
    return Example(place, picture_file(place, folder, *(f"{one}{name}" for one in below)), tuple(masks),
                   tuple(samples))
