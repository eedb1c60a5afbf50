"""Distillation: a smaller model learns what a bigger one thinks, beside what is right.

Where both have the same words, the student's next tokens follow the teacher's (Kullback-Leibler at a temperature, arXiv
1503.02531). Where their vocabularies differ, the places in a trace at which both have read the same characters are
compared by how sure the teacher is: the sorted probabilities of what comes next (as in arXiv 2402.12030). Masks and
places on the coarse grid follow the teacher's in both cases, for all sizes draw on the same grid.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from pixsearch.contract.grammar import Text
from pixsearch.contract.tokenizer import Tokenizer
from pixsearch.model.batches import IGNORED, SceneRows, encode_sample
from pixsearch.model.data.records import Sample
from pixsearch.model.losses import Anchors, Said, losses_of, say
from pixsearch.model.network import PixSearch
from pixsearch.model.steps import FullStep, SightStep, Steps, draw
from pixsearch.model.vision import Features

TEMPERATURE = 2.0
MOST_LIKELY = 64  # sorted probabilities that are compared
WORDS_WEIGHT, MASK_WEIGHT, PLACE_WEIGHT = 1.0, 2.0, 1.0


class Pair(NamedTuple):
    """The same samples as student and teacher read them."""

    student: FullStep
    teacher: FullStep
    places: Tensor  # (P, 3): row, the student's token and the teacher's after which both have read the same
    same_words: bool  # whether both have the same tokens there

    @property
    def scenes(self) -> SceneRows:
        """The batch's scenes."""
        return self.student.scenes


class PairedSteps(Steps):
    """The student's steps with the teacher's beside them."""

    teacher: Steps

    def __getitem__(self, number: int) -> SightStep | FullStep | Pair:  # type: ignore[override]
        own = super().__getitem__(number)
        told = self.teacher[number]
        if isinstance(own, SightStep) or isinstance(told, SightStep):
            return own
        step, part = divmod(number, self.config.parts)
        samples = draw(self.corpus, self.config, step)[part::self.config.parts]
        same = torch.equal(own.batch.ids, told.batch.ids) and self.tokenizer.size == self.teacher.tokenizer.size
        return Pair(own, told, same_places(samples, self.tokenizer, self.teacher.tokenizer), same)


def same_places(samples: Sequence[Sample], ours: Tokenizer, theirs: Tokenizer) -> Tensor:
    """(P, 3) row, token of one tokenizer and of the other at which the same characters of a trace end."""
    found = [(row, left, right) for row, sample in enumerate(samples)
             for left, right in _common_ends(sample, ours, theirs)]
    return torch.tensor(found, dtype=torch.long).reshape(-1, 3)


def _common_ends(sample: Sample, ours: Tokenizer, theirs: Tokenizer) -> Iterator[tuple[int, int]]:
    texts = [part.text for part in sample.trace if isinstance(part, Text)]
    pairs = zip(texts, encode_sample(sample, ours).segments, encode_sample(sample, theirs).segments, strict=True)
    for text, (left, *_), (right, *_) in pairs:
        ends = [{end: place for (_, end), place in zip(tokenizer.encode_with_offsets(text)[1], positions, strict=True)}
                for tokenizer, positions in ((ours, left), (theirs, right))]
        yield from ((ends[0][end], ends[1][end]) for end in sorted(ends[0].keys() & ends[1].keys()))


@torch.no_grad()
def told(teacher: PixSearch, features: Features, step: FullStep) -> tuple[Said, Tensor, Tensor]:
    """What a teacher says of a batch, the masks (N, M, M) that it draws of the batch's spans, and where (N, m²)."""
    said, batch = say(teacher, features, step.batch), step.batch
    scenes = batch.segment_rows[batch.query_segments]
    drawn = teacher.decoder(said.spans, said.detail[scenes], said.context[scenes], said.dense[scenes], batch.prompts)
    return said, drawn.logits[:, 0], drawn.where


def distil_losses(model: PixSearch, features: Features, pair: Pair, anchors: Anchors, teacher: PixSearch,
                  seen: Features) -> dict[str, Tensor]:
    """All losses of a step, and how far the student is from its teacher, already weighted.

    seen : the same scenes' features as the teacher sees them
    """
    theirs, masks, where = told(teacher, seen, pair.teacher)
    ours = say(model, features, pair.student.batch)
    losses, drawn = losses_of(model, ours, pair.student, anchors)
    if model.language.learns:
        losses["soft_words"] = WORDS_WEIGHT * _soft_words(model, ours, teacher, theirs, pair)
    count = len(masks)
    # a span at a segment's edge may fit one tokenizer alone
    if drawn is not None and 0 < count == len(pair.student.batch.gold):
        losses["soft_masks"] = MASK_WEIGHT * F.binary_cross_entropy_with_logits(
            drawn.logits[:count, 0], masks.sigmoid())
        losses["soft_places"] = PLACE_WEIGHT * F.kl_div(
            drawn.where[:count].log_softmax(dim=-1), where.softmax(dim=-1), reduction="batchmean")
    else:
        losses["soft_masks"] = losses["soft_places"] = ours.hidden.sum() * 0.0
    return losses


def _soft_words(model: PixSearch, ours: Said, teacher: PixSearch, theirs: Said, pair: Pair) -> Tensor:
    if pair.same_words:
        counted = pair.student.batch.labels[:, 1:] != IGNORED
        student = model.language.logits(ours.hidden[:, :-1][counted]) / TEMPERATURE
        wanted = teacher.language.logits(theirs.hidden[:, :-1][counted]) / TEMPERATURE
        return TEMPERATURE ** 2 * F.kl_div(student.log_softmax(-1), wanted.softmax(-1), reduction="batchmean")
    rows, left, right = pair.places.unbind(dim=1)
    if not len(rows):
        return ours.hidden.sum() * 0.0
    chances = [language.logits(hidden[rows, places]).softmax(-1).topk(MOST_LIKELY, dim=-1).values
               for language, hidden, places in ((model.language, ours.hidden, left),
                                                (teacher.language, theirs.hidden, right))]
    return (chances[0] - chances[1]).abs().sum(dim=-1).mean()
