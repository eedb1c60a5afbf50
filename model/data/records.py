"""The records that pictures, knowledge and questions exchange."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.grammar import Modality, Trace, parse, render
from pixsearch.contract.tokenizer import Turn
from pixsearch.model.data.quality import Problem, level

FRAME_WIDTH, FRAME_HEIGHT = 640, 480  # pixels of a composed scene, a common camera size


class Split(StrEnum):
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True)
class Thing:
    """A cut-out that scenes show: pictures with alpha.

    A flat one has one picture, for the index and for scenes. A 3D model has several of each, from other sides.
    """

    id: str  # unique and stable, e.g. "stamps/animals/birds/kiwi"
    noun: str  # lower-case English words without article, e.g. "polar bear"
    category: str  # coarse kind, e.g. "animal", "fruit", "tool", "vehicle"
    split: Split
    path: Path  # the picture, or a model's front
    photograph: bool  # a real photograph, not a drawing or a render
    colour: str | None  # dominant colour word where one dominates, else None
    wordnet: str | None = None  # ImageNet class id ("n02123597") where the noun names one of the 1,000 classes
    flat: bool = False  # a picture or a page: scenes show it in perspective, and never mirrored
    other_sides: tuple[Path, ...] = ()  # further pictures for the index
    in_scenes: tuple[Path, ...] = ()  # a model's pictures for scenes; those of a flat thing are its only one

    @property
    def index_pictures(self) -> tuple[Path, ...]:
        """What the index may know the thing from."""
        return (self.path, *self.other_sides)

    @property
    def scene_pictures(self) -> tuple[Path, ...]:
        """What scenes may show of the thing."""
        return self.in_scenes or (self.path,)


@dataclass(frozen=True)
class Place:
    """A photograph that serves as background."""

    id: str
    split: Split
    path: Path


@dataclass(frozen=True)
class Placed:
    """One thing in one scene."""

    thing: Thing
    mask: NDArray[np.bool_]  # (H, W), visible pixels only
    box: tuple[int, int, int, int]  # x0, y0, x1, y1 of the visible pixels, in pixels, right and bottom exclusive
    visible: float  # share of the object's pixels that is in frame and not occluded, 0..1
    depth: int  # 0 is nearest
    outside: float = 0.0  # share of them that is out of the frame

    @property
    def problems(self) -> dict[Problem, int]:
        """How much of the thing is missing: levels of truncation and occlusion, 0..3."""
        hidden = max(0.0, 1.0 - self.outside - self.visible)
        return {Problem.TRUNCATION: level(Problem.TRUNCATION, self.outside),
                Problem.OCCLUSION: level(Problem.OCCLUSION, hidden)}


@dataclass(frozen=True)
class Scene:
    """A composed egocentric frame with exact instance masks."""

    seed: int
    frame: NDArray[np.uint8]  # (FRAME_HEIGHT, FRAME_WIDTH, 3) RGB
    place: Place
    placed: tuple[Placed, ...]  # left to right by box centre
    problems: Mapping[Problem, int] = field(default_factory=dict)  # of the whole frame: light, blur, rotation; 0..3


@dataclass(frozen=True)
class Entity:
    """An entry of the made-up world: what only a search can tell."""

    id: str
    name: str  # e.g. "Norvik Alto kettle"
    noun: str
    category: str
    facts: dict[str, str]  # attribute -> value, e.g. {"maker": "Norvik", "first sold": "1987"}
    source: str


@dataclass(frozen=True)
class Span:
    """An entity span of a trace: characters of one text segment and the object that they mean."""

    segment: int  # index into the trace
    start: int  # first character in that segment's text
    end: int  # past the last character
    target: int  # index into Scene.placed
    concept: str | None  # the noun or kind that the words name ("kangaroo", "animal"); None for "this", "the left one"


@dataclass(frozen=True)
class Sample:
    """One question about one scene with the trace that answers it.

    Evidence in the trace is what the index would return, distractors included.
    """

    scene_seed: int
    split: Split
    stage: int  # 1: sees and says; 2: searches
    kind: str  # question type, e.g. "recognition", "fact", "multi-hop", "place", "colour", "count", "unanswerable"
    question: str
    trace: Trace
    answer: str  # the value looked for, normalised by the judge; "" where the right answer is to abstain
    modality: Modality | None  # of the first search; None where no search is needed
    spans: tuple[Span, ...] = ()
    point: tuple[float, float] | None = None  # pixels in the frame
    target: int | None = None  # index into Scene.placed of the thing asked about
    entity: str | None = None  # id of the entity that answers
    accepted: tuple[str, ...] = field(default=())  # other spellings of the answer that count as right
    history: tuple[Turn, ...] = ()  # earlier turns about the scene


def sample_as_json(sample: Sample) -> dict[str, Any]:
    """A sample as an object of JSON."""
    return {**asdict(sample), "trace": render(sample.trace)}


def sample_from_json(record: dict[str, Any]) -> Sample:
    """The inverse of `sample_as_json`."""
    return Sample(**{**record, "split": Split(record["split"]), "trace": parse(record["trace"]),
                     "modality": Modality(record["modality"]) if record["modality"] else None,
                     "spans": tuple(Span(**span) for span in record["spans"]),
                     "point": tuple(record["point"]) if record["point"] else None,
                     "accepted": tuple(record["accepted"]),
                     "history": tuple(Turn(**turn) for turn in record["history"])})
