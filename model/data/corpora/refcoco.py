"""RefCOCO, RefCOCO+ and RefCOCOg: phrases that people wrote for one thing in a COCO picture.

    refcoco/ (or refcoco+/, refcocog/): instances.json, refs(unc).p (refcocog: refs(umd).p or refs(google).p)
    images/mscoco/images/train2014/COCO_train2014_000000000001.jpg   (or train2014/…)
"""

import pickle
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from pixsearch.contract.faults import Fault
from pixsearch.model.data.corpora.coco import Annotated, mask_of, read_instances
from pixsearch.model.data.corpora.example import (
    MAX_PHRASE_CHARS,
    Example,
    Found,
    first_there,
    picture_file,
    point_out,
    words,
    wrong,
)
from pixsearch.model.data.records import Split

MAX_REFS_BYTES = 1 << 30
SPLITS = {Split.TRAIN: ("train",), Split.VALIDATION: ("val",), Split.TEST: ("test", "testA", "testB")}


class _Plain(pickle.Unpickler):
    """Reads lists, dictionaries, words and numbers, which the published files hold, and no object of any class."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} in a file of plain values")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("a reference in a file of plain values")


def read_refcoco(folder: Path, split: Split, which: str = "refcoco") -> Found:
    """Every picture of a split with its referring phrases."""
    own = folder / which
    refs = _refs(first_there(own, "refs(unc).p", "refs(umd).p", "refs(google).p"))
    instances = read_instances(own / "instances.json")
    pictures = {one.image["id"]: one for one in instances}
    by_picture: dict[Any, list[dict[str, Any]]] = {}
    for ref in refs:
        if ref.get("split") in SPLITS[split]:
            by_picture.setdefault(ref.get("image_id"), []).append(ref)
    for image, referred in by_picture.items():
        place = f"{which}: image {image}"
        try:
            if image not in pictures:
                raise wrong(place, "its record in instances.json", "none")
            yield _example(place, pictures[image], referred, instances.categories, folder, split)
        except Fault as fault:
            yield fault


def _example(place: str, picture: Annotated, referred: list[dict[str, Any]], categories: dict[int, str], folder: Path,
             split: Split) -> Example:
    annotations = {one["id"]: one for one in picture.annotations}
    masks, samples, rng = [], [], Random(str(picture.image["id"]))
    for ref in referred:
        if ref.get("ann_id") not in annotations:
            raise wrong(f"{place}: ref {ref.get('ref_id')}", "its annotation in instances.json", "none")
        annotation = annotations[ref["ann_id"]]
        masks.append(mask_of(annotation, picture.size, place))
        concept = categories.get(annotation.get("category_id", -1))
        for phrase in _phrases(ref, place):
            named = concept if concept and concept in phrase.lower() else None
            samples.append(point_out(split, phrase, len(masks) - 1, named, rng))
    name = str(picture.image.get("file_name"))
    file = picture_file(place, folder, f"images/mscoco/images/train2014/{name}", f"images/train2014/{name}",
                        f"train2014/{name}", f"images/{name}")
    return Example(place, file, tuple(masks), tuple(samples))


def _phrases(ref: dict[str, Any], place: str) -> Iterator[str]:
    for sentence in ref.get("sentences") or []:
        phrase = words(f"{place}: sentence {sentence.get('sent_id')}", sentence.get("sent") or sentence.get("raw"),
                       MAX_PHRASE_CHARS).rstrip(" .")
        if phrase:
            yield phrase


def _refs(path: Path) -> list[dict[str, Any]]:
    if (size := path.stat().st_size) > MAX_REFS_BYTES:
        raise wrong(str(path), f"at most {MAX_REFS_BYTES >> 30} GB", f"{size} bytes")
    try:
        with path.open("rb") as stream:
            refs = _Plain(stream, encoding="latin-1").load()
    except Exception as error:  # broken streams raise nearly anything
        raise wrong(str(path), "a list of plain values, as published", str(error)[:200]) from error
    if not isinstance(refs, list) or not all(isinstance(one, dict) for one in refs):
        raise wrong(str(path), "a list of references", type(refs).__name__)
    return refs
