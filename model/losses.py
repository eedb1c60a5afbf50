"""The paper's losses over one batch (PixSearch §3.4), and one more that ties names to class prototypes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from pixsearch.model.batches import IGNORED, NO_NOUN, Batch, Nouns
from pixsearch.model.layout import layout_loss
from pixsearch.model.masks import Drawn, Prompts, cells_inside, every_second, mask_losses
from pixsearch.model.namings import Namings
from pixsearch.model.network import PixSearch
from pixsearch.model.steps import FullStep, SightStep
from pixsearch.model.tagger import pool_span, tag_loss
from pixsearch.model.vision import Features

LANGUAGE_WEIGHT, TAG_WEIGHT, ANCHOR_WEIGHT, NAME_WEIGHT = 1.0, 2.0, 0.1, 0.5
LOOK_WEIGHT, LOOK_SCALE = 0.5, 12.0
LOSSES = ("language", "tags", "tversky", "bce", "iou", "place", "layout", "anchor", "names", "looks", "words",
          "soft_words", "soft_masks", "soft_places")  # all that a step may have; the last ones in distillation
CHANNELS_DROPPED = 0.1  # of the trunk's, in sight steps: fewer scenes are learned by heart


@dataclass(frozen=True)
class Anchors:
    """Where the frozen language model keeps the words of spans: the targets of the Gaussian KL term.

    Both sides are Gaussians with the same spread (the anchors' own variance), so that the divergence is half the
    squared distance of their means over that variance.
    """

    rows: dict[str, int]  # of the phrases
    means: Tensor  # (phrases, width)
    variance: float

    def of(self, phrases: Sequence[str]) -> Tensor:
        """(len(phrases), width)."""
        return self.means[torch.tensor([self.rows[phrase] for phrase in phrases], dtype=torch.long)]

    def divergence(self, phrases: list[str], spans: Tensor) -> Tensor:
        """Mean KL from the anchors of `phrases` to span embeddings (N, width)."""
        return (spans - self.of(phrases)).square().mean() / (2 * self.variance)


def name_loss(model: PixSearch, spans: Tensor, covered: Tensor) -> Tensor:
    """Names must look like the classes that they cover: spans (N, width), covered bool (N, CLASSES)."""
    known = covered.any(dim=1)
    if not known.any():
        return spans.sum() * 0.0
    scores = model.region.class_logits(model.decoder.expected_look(spans[known])).log_softmax(dim=-1)
    return -scores.masked_fill(~covered[known], -torch.inf).logsumexp(dim=-1).mean()


def look_loss(model: PixSearch, spans: Tensor, dense: Tensor, gold: Tensor, nouns: Nouns) -> Tensor:
    """A noun must look like the thing it names and unlike the others of the batch (contrastive, both ways).

    spans (N, width), dense (N, R, h, h) region vectors of the spans' scenes, gold (N, M, M) coverage
    """
    rows = (nouns.words != NO_NOUN).nonzero()[:, 0]
    if len(rows) < 2:
        return spans.sum() * 0.0
    cells = F.adaptive_avg_pool2d(gold[rows][:, None], dense.shape[-1])
    seen = F.normalize((dense[rows] * cells).sum(dim=(2, 3)), dim=-1)
    scores = model.decoder.expected_look(spans[rows]) @ seen.T * LOOK_SCALE
    alike = torch.stack([one[:, None] == one[None] for one in (nouns.words[rows], nouns.things[rows])]).any(dim=0)
    scores = scores.masked_fill(alike.fill_diagonal_(False), -torch.inf)
    gold_row = torch.arange(len(rows), device=scores.device)
    return (F.cross_entropy(scores, gold_row) + F.cross_entropy(scores.T, gold_row)) / 2


class Said(NamedTuple):
    """What a model makes of a batch."""

    hidden: Tensor  # (B, T, width)
    tags: Tensor  # (G, S, TAGS) logits
    spans: Tensor  # (N, width): mean states of the spans
    detail: Tensor  # of the scenes, as the vision graph gives them
    context: Tensor
    dense: Tensor


def say(model: PixSearch, features: Features, batch: Batch) -> Said:
    """Read a batch: hidden states, tags and spans of its own words."""
    image_tokens, detail, context, dense = model.see(features)
    with _half_on_gpu(model.device), torch.set_grad_enabled(model.language.learns and torch.is_grad_enabled()):
        hidden = model.language.read(batch.ids, batch.lengths, image_tokens)
    words = hidden[batch.segment_rows[:, None], batch.segment_positions] * batch.segment_valid[..., None]
    spans = pool_span(words[batch.query_segments], batch.query_spans)
    return Said(hidden, model.tagger(words, batch.segment_valid), spans, detail, context, dense)


def full_losses(model: PixSearch, features: Features, step: FullStep, anchors: Anchors) -> dict[str, Tensor]:
    """All losses of a step, already weighted; their sum is what training minimises."""
    return losses_of(model, say(model, features, step.batch), step, anchors)[0]


def losses_of(model: PixSearch, said: Said, step: FullStep, anchors: Anchors
              ) -> tuple[dict[str, Tensor], Drawn | None]:
    """All losses of what a model said, and what it drew: the batch's own spans first; None without any span."""
    batch, learns = step.batch, model.language.learns
    losses = {"language": LANGUAGE_WEIGHT * _language_loss(model, said.hidden, batch.labels)} if learns else {}
    losses["tags"] = TAG_WEIGHT * tag_loss(said.tags, batch.tags)
    # other things of the same scenes cost no language pass: their words are read where the anchors keep them
    other = batch.other
    scenes = torch.cat([batch.segment_rows[batch.query_segments], other.rows])
    prompts = Prompts(*(torch.cat(pair) for pair in zip(batch.prompts, other.prompts, strict=True)))
    queries = torch.cat([said.spans, anchors.of(other.phrases)])
    gold = torch.cat([batch.gold, other.gold])
    dense = said.dense[scenes]
    drawn = None
    if len(queries):  # pictures without masks show the decoder nothing
        drawn = model.decoder(queries, said.detail[scenes], said.context[scenes], dense, prompts,
                              inside=cells_inside(gold, said.context.shape[-1]))
        losses |= mask_losses(drawn, gold)
    losses["layout"] = layout_loss(model.pyramid.layout(said.context), batch.scenes.layout)
    if learns and len(said.spans):
        losses["anchor"] = ANCHOR_WEIGHT * anchors.divergence(batch.phrases, said.spans)
    losses["names"] = NAME_WEIGHT * name_loss(model, queries, torch.cat([batch.concepts, other.concepts]))
    nouns = Nouns(*(torch.cat(pair) for pair in zip(batch.nouns, other.nouns, strict=True)))
    losses["looks"] = LOOK_WEIGHT * look_loss(model, queries, dense, gold, nouns)
    return losses | {"words": naming_loss(model, step.namings)}, drawn


def sight_losses(model: PixSearch, features: Features, step: SightStep, anchors: Anchors) -> dict[str, Tensor]:
    """The mask side alone, its words read where the anchors keep them: a cheap start before language trains."""
    other = step.others
    detail, context = model.pyramid(Features(*(F.dropout2d(level, CHANNELS_DROPPED) for level in features.levels)))
    dense = model.region.dense(features)
    queries = anchors.of(other.phrases)
    drawn = model.decoder(queries, detail, context[other.rows], dense[other.rows], other.prompts, step.corner,
                          cells_inside(other.gold, context.shape[-1]))
    return mask_losses(drawn, every_second(other.gold, step.corner)) | {
        "layout": layout_loss(model.pyramid.layout(context), step.scenes.layout),
        "names": NAME_WEIGHT * name_loss(model, queries, other.concepts),
        "looks": LOOK_WEIGHT * look_loss(model, queries, dense[other.rows], other.gold, other.nouns),
        "words": NAME_WEIGHT * name_loss(model, anchors.of(step.words), step.covered)}


def _language_loss(model: PixSearch, hidden: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the counted next tokens: hidden (B, T, width), labels (B, T)."""
    counted = labels[:, 1:] != IGNORED
    with _half_on_gpu(model.device):
        logits = model.language.logits(hidden[:, :-1][counted]).float()
    return F.cross_entropy(logits, labels[:, 1:][counted])


def _half_on_gpu(device: torch.device) -> torch.autocast:
    """bfloat16 for the language part on a GPU; masks are drawn by coordinates, which need more digits."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def naming_loss(model: PixSearch, namings: Namings) -> Tensor:
    """Names without any picture, already weighted."""
    with _half_on_gpu(model.device), torch.set_grad_enabled(model.language.learns):
        hidden = model.language.words_alone(namings.ids)
    return NAME_WEIGHT * name_loss(model, pool_span(hidden, namings.spans), namings.covered)
