"""Quick looks at held-out scenes while training: losses are for curves, these are what the losses are for."""

import numpy as np
import torch

from pixsearch.contract.tokenizer import Tokenizer
from pixsearch.model.batches import IGNORED, Batch, make_batch, on_device
from pixsearch.model.concepts import Concepts
from pixsearch.model.config import RunConfig
from pixsearch.model.corpus import Corpus
from pixsearch.model.looks import Looks
from pixsearch.model.masks import iou
from pixsearch.model.network import PixSearch
from pixsearch.model.tagger import pool_span
from pixsearch.model.vision import Features


@torch.inference_mode()
def validate(model: PixSearch, corpus: Corpus, tokenizer: Tokenizer, concepts: Concepts, looks: Looks,
             config: RunConfig) -> dict[str, float]:
    """Teacher-forced figures over the first batches of a held-out corpus, shares from 0 to 1.

    tokens: next tokens of the trace that are right; traces: whole traces that are right; tags: spans found exactly;
    giou: mean mask IoU over spans (gold spans)
    """
    samples = corpus.of_stage(config.stage)
    found: dict[str, list[float]] = {"tokens": [], "traces": [], "tags": [], "giou": []}
    for number in range(config.validation_batches):
        chosen = samples[number * config.batch:(number + 1) * config.batch]
        if not chosen:
            break
        batch = make_batch(chosen, corpus, tokenizer, concepts, looks, np.random.default_rng(number))
        _look(model, corpus.scene_features(batch.scenes.rows), on_device(batch, model.device), found)
    return {name: float(np.mean(values)) for name, values in found.items() if values}


def _look(model: PixSearch, features: Features, batch: Batch, found: dict[str, list[float]]) -> None:
    image_tokens, detail, context, dense = model.see(features)
    hidden = model.language.read(batch.ids, batch.lengths, image_tokens)
    counted = batch.labels[:, 1:] != IGNORED
    right = (model.language.logits(hidden[:, :-1]).argmax(dim=-1) == batch.labels[:, 1:]) | ~counted
    found["tokens"].append(float(right[counted].float().mean()))
    found["traces"] += right.all(dim=1).float().tolist()
    words = hidden[batch.segment_rows[:, None], batch.segment_positions] * batch.segment_valid[..., None]
    tags = model.tagger(words, batch.segment_valid).argmax(dim=-1)
    found["tags"] += ((tags == batch.tags) | (batch.tags == IGNORED)).all(dim=1).float().tolist()
    if len(batch.query_segments):
        scenes = batch.segment_rows[batch.query_segments]
        spans = pool_span(words[batch.query_segments], batch.query_spans)
        drawn = model.decoder(spans, detail[scenes], context[scenes], dense[scenes], batch.prompts)
        found["giou"] += iou(drawn.logits[:, 0], batch.gold).tolist()
