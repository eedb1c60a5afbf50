"""OVEN and InfoSeek: which Wikipedia entity a picture shows, and what is known of it.

    oven_data/oven_entity_train.jsonl                      {data_id, image_id, question, entity_id, entity_text}
    infoseek_data/infoseek_train.jsonl                     {data_id, image_id, question, answer, answer_eval}
    infoseek_data/infoseek_train_withkb.jsonl              {data_id, entity_id, entity_text}
    wikipedia/Wiki6M_ver_1_0.jsonl (may be missing)        {wikidata_id, wikipedia_title, wikipedia_summary, …}
    images: oven_images/00/oven_00000001.jpg, oven_images/oven_00000001.jpg, or infoseek_images/…
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pixsearch.contract.faults import Fault
from pixsearch.contract.grammar import Modality
from pixsearch.model.data.corpora.example import (
    Example,
    Found,
    first_there,
    found,
    looked_up,
    picture_file,
    read_lines,
    words,
    wrong,
)
from pixsearch.model.data.records import Sample, Split

NAMES = {Split.TRAIN: "train", Split.VALIDATION: "val", Split.TEST: "test"}
WIKI = ("wikipedia/Wiki6M_ver_1_0.jsonl", "Wiki6M_ver_1_0.jsonl")
IMAGES = ("oven_images", "infoseek_images", "images")
MAX_NAME_CHARS, MAX_SUMMARY_CHARS, MAX_ACCEPTED = 120, 2_000, 20
ABOUT = "about"  # the attribute that a summary's sentence has in evidence
_PIECE_CHARS = 78


def read_oven(folder: Path, split: Split) -> Found:
    """Every question of the entity split: a whole-image search names the entity."""
    path = first_there(folder, f"oven_data/oven_entity_{NAMES[split]}.jsonl", f"oven_entity_{NAMES[split]}.jsonl")
    yield from _examples(folder, path, split, {})


def read_infoseek(folder: Path, split: Split) -> Found:
    """Every question with its entity: an image search names it, a text search tells the answer."""
    path = first_there(folder, f"infoseek_data/infoseek_{NAMES[split]}.jsonl", f"infoseek_{NAMES[split]}.jsonl")
    entities: dict[str, Any] = {}
    for _, row in read_lines(path.with_name(f"{path.stem}_withkb.jsonl")):
        if isinstance(row, dict):
            entities[str(row.get("data_id"))] = row
    yield from _examples(folder, path, split, entities)


def _examples(folder: Path, path: Path, split: Split, entities: Mapping[str, Any]) -> Found:
    wanted = {str(row.get("entity_id")) for row in entities.values()}
    summaries = dict(_summaries(folder, wanted)) if wanted else {}
    for place, row in read_lines(path):
        try:
            if isinstance(row, Fault):
                raise row
            image = str(row.get("image_id"))
            picture = picture_file(place, folder, *(name for below in IMAGES for name in (
                f"{below}/{image[5:7]}/{image}", f"{below}/{image}")))
            sample = _known(row, entities, summaries, place, split) if entities else _named(row, place, split)
            yield Example(place, picture, samples=(sample,))
        except Fault as fault:
            yield fault


def _named(row: Mapping[str, Any], place: str, split: Split) -> Sample:
    name = words(place, row.get("entity_text"), MAX_NAME_CHARS)
    question = words(place, row.get("question"))
    return looked_up(split, question, name, f"It is {name}.", [found(Modality.IMAGE, question, name, {})],
                     "recognition", entity=str(row.get("entity_id")))


def _known(row: Mapping[str, Any], entities: Mapping[str, Any], summaries: Mapping[str, str], place: str,
           split: Split) -> Sample:
    entity = entities.get(str(row.get("data_id")))
    if entity is None:
        raise wrong(place, "its entity in the file …_withkb.jsonl", "none")
    name = words(place, entity.get("entity_text"), MAX_NAME_CHARS)
    answers = row.get("answer")
    if not isinstance(answers, list) or not answers:
        raise wrong(place, "a list of answers", repr(answers)[:60])
    question, answer = words(place, row.get("question")), words(place, answers[0], MAX_NAME_CHARS)
    facts = _facts(summaries.get(str(entity.get("entity_id")), ""), answer)
    searches = [found(Modality.IMAGE, question, name, {}),
                found(Modality.TEXT, question, name, facts, f"{question.rstrip('?')} {name}"[:MAX_NAME_CHARS])]
    accepted = [one for one in answers[1:MAX_ACCEPTED] if isinstance(one, str) and one.strip()]
    return looked_up(split, question, answer, f"{answer}.", searches, "fact", accepted, str(entity.get("entity_id")))


def _facts(summary: str, answer: str) -> dict[str, str]:
    """The pieces of a summary that hold the answer before the others; the answer itself where none does.

    Evidence must hold what the answer says, or training would teach to make it up.
    """
    pieces = [piece for piece in _pieces(summary)]
    holding = [piece for piece in pieces if answer.lower() in piece.lower()]
    chosen = holding[:1] + [piece for piece in pieces if piece not in holding[:1]][:2]
    if not holding:
        chosen = [answer, *chosen]
    return {f"{ABOUT} {number}": piece for number, piece in enumerate(chosen, 1)}


def _pieces(summary: str) -> Iterator[str]:
    line = ""
    for word in summary[:MAX_SUMMARY_CHARS].split():
        if len(line) + 1 + len(word) > _PIECE_CHARS and line:
            yield line
            line = ""
        line = f"{line} {word}".strip()
    if line:
        yield line


def _summaries(folder: Path, wanted: set[str]) -> Iterator[tuple[str, str]]:
    """Summaries of the entities that are asked about; the file has six million lines."""
    path = next((one for name in WIKI if (one := folder / name).is_file()), None)
    for _, row in read_lines(path) if path else ():
        if isinstance(row, dict) and str(row.get("wikidata_id")) in wanted:
            yield str(row["wikidata_id"]), str(row.get("wikipedia_summary") or row.get("wikipedia_content") or "")
