"""The paper's losses over one batch (PixSearch §3.4), and one more that ties names to class prototypes."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from pixsearch.model.batches import IGNORED, Batch, Noun, Others
from pixsearch.model.layout import layout_loss
from pixsearch.model.masks import Prompts, cells_inside, every_second, mask_losses
from pixsearch.model.network import PixSearch
from pixsearch.model.tagger import pool_span, tag_loss
from pixsearch.model.vision import Features

LANGUAGE_WEIGHT, TAG_WEIGHT, ANCHOR_WEIGHT, NAME_WEIGHT = 1.0, 2.0, 0.1, 0.5
LOOK_WEIGHT, LOOK_SCALE = 0.5, 12.0
CHANNELS_DROPPED = 0.1  # of the trunk's, in sight steps: fewer scenes are learned by heart


@dataclass(frozen=True)
class Anchors:
    """Where the frozen language model keeps the words of spans: the targets of the Gaussian KL term.

    Both sides are Gaussians with the same spread (the anchors' own variance), so that the divergence is half the
    squared distance of their means over that variance.
    """

    means: dict[str, Tensor]  # phrase → (width,)
    variance: float

    def of(self, phrases: list[str]) -> Tensor:
        """(len(phrases), width)."""
        return torch.stack([self.means[phrase] for phrase in phrases])

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


def look_loss(model: PixSearch, spans: Tensor, dense: Tensor, gold: Tensor, nouns: list[Noun]) -> Tensor:
    """A noun must look like the thing it names and unlike the others of the batch (contrastive, both ways).

    spans (N, width), dense (N, R, h, h) region vectors of the spans' scenes, gold (N, M, M) coverage
    """
    rows = [row for row, noun in enumerate(nouns) if noun.word]
    if len(rows) < 2:
        return spans.sum() * 0.0
    cells = F.adaptive_avg_pool2d(gold[rows][:, None], dense.shape[-1])
    seen = F.normalize((dense[rows] * cells).sum(dim=(2, 3)), dim=-1)
    scores = model.decoder.expected_look(spans[rows]) @ seen.T * LOOK_SCALE
    named = [nouns[row] for row in rows]
    alike = torch.tensor([[a is not b and (a.word == b.word or a.thing == b.thing) for b in named] for a in named])
    scores = scores.masked_fill(alike, -torch.inf)
    gold_row = torch.arange(len(rows))
    return (F.cross_entropy(scores, gold_row) + F.cross_entropy(scores.T, gold_row)) / 2


def batch_losses(model: PixSearch, batch: Batch, anchors: Anchors) -> dict[str, Tensor]:
    """All losses of a batch, already weighted; their sum is what training minimises."""
    image_tokens, detail, context, dense = model.see(batch.features)
    hidden = model.language.read(batch.ids, batch.lengths, image_tokens)
    counted = batch.labels[:, 1:] != IGNORED
    logits = model.language.logits(hidden[:, :-1][counted])
    losses = {"language": LANGUAGE_WEIGHT * F.cross_entropy(logits, batch.labels[:, 1:][counted])}

    words = hidden[batch.segment_rows[:, None], batch.segment_positions] * batch.segment_valid[..., None]
    losses["tags"] = TAG_WEIGHT * tag_loss(model.tagger(words, batch.segment_valid), batch.tags)
    spans = pool_span(words[batch.query_segments], batch.query_spans)
    # other things of the same scenes cost no language pass: their words are read where the anchors keep them
    other = batch.other
    scenes = torch.cat([batch.segment_rows[batch.query_segments], other.rows])
    prompts = Prompts(*(torch.cat(pair) for pair in zip(batch.prompts, other.prompts, strict=True)))
    queries = torch.cat([spans, anchors.of(other.phrases)])
    gold = torch.cat([batch.gold, other.gold])
    drawn = model.decoder(queries, detail[scenes], context[scenes], dense[scenes], prompts,
                          inside=cells_inside(gold, context.shape[-1]))
    losses |= mask_losses(drawn, gold)
    losses["layout"] = layout_loss(model.pyramid.layout(context), batch.layout)
    losses["anchor"] = ANCHOR_WEIGHT * anchors.divergence(batch.phrases, spans)
    losses["names"] = NAME_WEIGHT * name_loss(model, queries, torch.cat([batch.concepts, other.concepts]))
    losses["looks"] = LOOK_WEIGHT * look_loss(model, queries, dense[scenes], gold, batch.nouns + other.nouns)
    return losses


def sight_losses(model: PixSearch, features: Features, layout: Tensor, other: Others, anchors: Anchors,
                 words: list[str], covered: Tensor, corner: tuple[int, int]) -> dict[str, Tensor]:
    """The mask side alone, its words read where the anchors keep them: a cheap start before language trains.

    layout (B, LAYOUT_CHANNELS, m, m); other : as many queries for each scene of `features`
    words : names without a picture; covered bool (W, CLASSES)
    corner : masks are compared at every second row and column from here on
    """
    detail, context = model.pyramid(Features(*(F.dropout2d(level, CHANNELS_DROPPED) for level in features)))
    dense = model.region.dense(features)
    queries = anchors.of(other.phrases)
    drawn = model.decoder(queries, detail, context[other.rows], dense[other.rows], other.prompts, corner,
                          cells_inside(other.gold, context.shape[-1]))
    return mask_losses(drawn, every_second(other.gold, corner)) | {
        "layout": layout_loss(model.pyramid.layout(context), layout),
        "names": NAME_WEIGHT * name_loss(model, queries, other.concepts),
        "looks": LOOK_WEIGHT * look_loss(model, queries, dense[other.rows], other.gold, other.nouns),
        "words": NAME_WEIGHT * name_loss(model, anchors.of(words), covered)}


def word_losses(model: PixSearch, ids: Tensor, spans: Tensor, covered: Tensor) -> dict[str, Tensor]:
    """Names without any picture: ids (B, T), span weights (B, T), covered bool (B, CLASSES)."""
    blank = torch.zeros(len(ids), 1, model.size.width)
    hidden, _ = model.language(model.language.embed(ids, blank))
    return {"words": NAME_WEIGHT * name_loss(model, pool_span(hidden, spans), covered)}
