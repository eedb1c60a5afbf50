"""One judged answer to a question about a composed scene, and the scores of many."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pixsearch.apps.scores import (
    Verdict,
    applying,
    is_well_formed,
    mask_scores,
    mean,
    overlap,
    precision_recall,
    share,
    verdict_scores,
)
from pixsearch.contract.grammar import Modality, parse
from pixsearch.contract.masks import decode_mask
from pixsearch.edge.answer import Answer
from pixsearch.edge.assistant import Assistant, spoken
from pixsearch.edge.perception import Perception

if TYPE_CHECKING:
    from pixsearch.model.data.records import Sample, Scene

RECALL_AT = 10
NO_SEARCH = "none"  # what a modality is called where nothing was searched with


@dataclass(frozen=True)
class Judged:
    """One judged answer; overlaps and ranks are None where the question is not about one thing in view.

    said        : the verdict had nothing been held back for want of confidence
    answerable  : whether there was anything to answer
    wanted      : what the first search should be made with, None for none
    overlap     : pixels in both masks, found and true, and in either; the found one of the first region search
    iou         : predicted IoU of that mask
    region_rank : of the right entity among what the mask finds, from 0; RECALL_AT when it is not among the first
    image_rank  : the same for the whole frame
    """

    verdict: Verdict
    said: Verdict
    answerable: bool
    confidence: float
    abstained: bool
    wanted: Modality | None
    searched: tuple[Modality, ...]
    well_formed: bool
    overlap: tuple[int, int] | None = None
    iou: float | None = None
    region_rank: int | None = None
    image_rank: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The row as an object of JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "Judged":
        """The inverse of `as_json`."""
        wanted = Modality(row["wanted"]) if row["wanted"] else None
        pixels = tuple(row["overlap"]) if row["overlap"] else None
        return cls(**{**row, "wanted": wanted, "searched": tuple(map(Modality, row["searched"])), "overlap": pixels})


def judge_answer(assistant: Assistant, perception: Perception, scene: "Scene", sample: "Sample", answer: Answer,
                 shown: str | None) -> Judged:
    """Judge an answer to a sample's question.

    shown : id of the entity that a region search for the sample's target should find; None where none does
    """
    from pixsearch.model.data.judge import judge

    region = next((search for search in answer.searches if search.modality is Modality.REGION), None)
    pixels = iou = region_rank = image_rank = None
    if sample.modality is Modality.REGION and sample.target is not None:
        mask = decode_mask(region.mask) if region and region.mask else None
        pixels = overlap(mask, scene.placed[sample.target].mask)
        iou = region.iou if region else None
        if shown is not None:
            region_rank = RECALL_AT if mask is None else _rank(assistant, perception.region_vector(mask), shown)
            image_rank = _rank(assistant, perception.frame_vector(), shown)
    return Judged(
        judge(answer.answer, sample),
        judge(spoken(parse(answer.trace)), sample),
        bool(sample.answer),
        round(answer.confidence, 4),
        answer.abstained,
        sample.modality,
        tuple(search.modality for search in answer.searches),
        is_well_formed(answer.trace),
        pixels,
        iou,
        region_rank,
        image_rank,
    )


def _rank(assistant: Assistant, vector: Any, entity: str) -> int:
    keys = [hit.key for hit in assistant.library.search_vectors(vector, k=RECALL_AT)]
    return keys.index(entity) if entity in keys else RECALL_AT


def judged_scores(rows: Sequence[Judged]) -> dict[str, Any]:
    """The metrics of the benchmark contract, those that apply."""
    regions = [row.region_rank for row in rows if row.region_rank is not None]
    images = [row.image_rank for row in rows if row.image_rank is not None]
    return applying(
        {
            **verdict_scores([row.verdict for row in rows]),
            "modality_accuracy": share(first_search(row) == (row.wanted or NO_SEARCH) for row in rows),
            **precision_recall([bool(row.searched) for row in rows], [row.wanted is not None for row in rows]),
            **mask_scores([row.overlap for row in rows if row.overlap is not None]),
            "region_recall_at_1": share(rank == 0 for rank in regions),
            "region_recall_at_10": share(rank < RECALL_AT for rank in regions),
            "image_recall_at_1": share(rank == 0 for rank in images),
            "image_recall_at_10": share(rank < RECALL_AT for rank in images),
            "searches_mean": mean([len(row.searched) for row in rows]),
            "well_formed": share(row.well_formed for row in rows),
        }
    )


def first_search(row: Judged) -> str:
    """What the first search was made with."""
    return row.searched[0].value if row.searched else NO_SEARCH
