"""Samples → tensors: token ids, what the language loss counts, tag targets, and span queries with their masks."""

import re
from collections.abc import Container, Sequence
from typing import NamedTuple, TypeVar
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from pixsearch.contract.grammar import Modality, Text
from pixsearch.contract.graphs import SPAN_TOKENS, TAG_BEGIN, TAG_INSIDE, TAG_OUTSIDE
from pixsearch.contract.preprocess import FRAME_PIXELS, MASK_PIXELS, Letterbox
from pixsearch.contract.tokenizer import Tokenizer
from pixsearch.model.concepts import Concepts
from pixsearch.model.corpus import Corpus
from pixsearch.model.data.records import FRAME_HEIGHT, FRAME_WIDTH, Sample
from pixsearch.model.layout import layout_of
from pixsearch.model.looks import Looks
from pixsearch.model.masks import Prompts

IGNORED = -100
POINT_CHANCE, BOX_CHANCE, PREVIOUS_CHANCE = 0.25, 0.1, 0.1  # of prompts that the question did not come with
OTHERS_A_SCENE, SIGHT_A_SCENE = 2, 4  # queries beside the sample's own; without a language pass
SLOPPY_BOX = 0.08  # of a box's side that a corner may be off
NO_NOUN = -1
MOST_THINGS = 256  # in a scene
NO_MASKS = np.zeros((0, MASK_PIXELS, MASK_PIXELS), np.float32)
_SIDES = re.compile(r"\b(?:left|right)(?=most\b|\b)")


class Segment(NamedTuple):
    """One text segment of one sequence: token positions and its spans as [start, end) into those positions."""

    row: int
    positions: list[int]
    spans: list[tuple[int, int]]


class SceneRows(NamedTuple):
    """B scenes of a corpus."""

    rows: list[int]  # of the corpus's features
    mirrored: list[bool]  # which of them are turned left to right
    layout: Tensor  # (B, LAYOUT_CHANNELS, m, m): what stands where in them


class Nouns(NamedTuple):
    """What N spans say of how their things look."""

    words: Tensor  # (N,) int64, the same for the same noun; NO_NOUN where a span names no thing of a narrow sort
    things: Tensor  # (N,) int64, the same for the same thing of the same scene: two spans may mean the same one


class Others(NamedTuple):
    """Further things that other questions about the same scenes refer to: M queries for the mask decoder alone."""

    rows: Tensor  # (M,) into the batch's scenes
    phrases: list[str]
    gold: Tensor  # (M, M, M) coverage
    prompts: Prompts
    concepts: Tensor  # (M, CLASSES)
    nouns: Nouns


class Batch(NamedTuple):
    """B sequences of T tokens, G tagged segments of S words, N span queries."""

    ids: Tensor  # (B, T)
    lengths: list[int]  # of the sequences, without padding
    labels: Tensor  # (B, T): the id itself where the language loss counts, else IGNORED
    scenes: SceneRows
    segment_rows: Tensor  # (G,)
    segment_positions: Tensor  # (G, S)
    segment_valid: Tensor  # (G, S) float
    tags: Tensor  # (G, S), IGNORED for padding
    query_segments: Tensor  # (N,) into the segments
    query_spans: Tensor  # (N, S) float weights
    gold: Tensor  # (N, M, M) coverage
    prompts: Prompts
    phrases: list[str]  # the words of each span
    concepts: Tensor  # (N, CLASSES) bool: which classes the span's noun covers; no row set where it names none
    nouns: Nouns
    other: Others


class Encoded(NamedTuple):
    """One sample as tokens."""

    ids: list[int]
    counted: list[bool]  # by the language loss
    segments: list[tuple[list[int], list[tuple[int, int]], list[int]]]  # positions, spans, numbers of Sample.spans


def encode_sample(sample: Sample, tokenizer: Tokenizer) -> Encoded:
    """Prompt and trace as ids. Evidence and prompt are given, not learned."""
    special = tokenizer.special
    ids = tokenizer.prompt(sample.question, sample.history)
    counted = [False] * len(ids)
    segments = []
    for number, part in enumerate(sample.trace):
        if isinstance(part, Text):
            words, offsets = tokenizer.encode_with_offsets(part.text)
            spans = [(i, _cover(offsets, span.start, span.end)) for i, span in enumerate(sample.spans)
                     if span.segment == number]
            segments.append((list(range(len(ids), len(ids) + len(words))),
                             [tokens for _, tokens in spans], [i for i, _ in spans]))
            ids += words
            counted += [True] * len(words)
            continue
        payload = ([special.region] if part.modality is Modality.REGION else [special.image]
                   if part.modality is Modality.IMAGE else tokenizer.encode(part.query or ""))
        search = [special.search, *payload, special.search_end]
        evidence = tokenizer.information(part.evidence or "")
        ids += search + evidence
        counted += [True] * len(search) + [False] * len(evidence)
    return Encoded([*ids, special.eos], [*counted, True], segments)


def _cover(offsets: Sequence[tuple[int, int]], start: int, end: int) -> tuple[int, int]:
    """Token range [first, last) that covers characters [start, end)."""
    inside = [i for i, (left, right) in enumerate(offsets) if left < end and right > start]
    return inside[0], inside[-1] + 1


def make_batch(samples: Sequence[Sample], corpus: Corpus, tokenizer: Tokenizer, concepts: Concepts, looks: Looks,
               rng: np.random.Generator) -> Batch:
    """Collate samples; what a wearer might add, and what an index might know, is drawn from `rng`."""
    encoded = [encode_sample(sample, tokenizer) for sample in samples]
    length = max(len(one.ids) for one in encoded)
    ids = torch.full((len(samples), length), tokenizer.special.pad)
    labels = torch.full((len(samples), length), IGNORED)
    for row, one in enumerate(encoded):
        tokens = torch.tensor(one.ids)
        ids[row, :len(tokens)] = tokens
        labels[row, :len(tokens)] = torch.where(torch.tensor(one.counted), tokens, IGNORED)
    segments, queries = _segments(encoded)
    rows, positions, valid, tags = _segment_tensors(segments)
    asked = [(samples[segments[segment].row], number) for segment, _, number in queries]
    spans = torch.zeros(len(queries), SPAN_TOKENS)
    for row, (_, (start, end), _) in enumerate(queries):
        spans[row, start:end] = 1.0
    gold = np.stack([corpus.mask(sample, sample.spans[number].target) for sample, number in asked]
                    ) if asked else NO_MASKS
    named = [sample.spans[number] for sample, number in asked]
    return Batch(
        ids, [len(one.ids) for one in encoded], labels, make_scenes(samples, corpus), rows, positions, valid, tags,
        torch.tensor([segment for segment, _, _ in queries], dtype=torch.long), spans, torch.from_numpy(gold),
        _prompts(asked, gold, looks, rng),
        [_words(sample, number) for sample, number in asked],
        concepts.rows([span.concept for span in named]), _nouns(asked, concepts),
        make_others(samples, corpus, concepts, looks, rng, OTHERS_A_SCENE))


def make_scenes(samples: Sequence[Sample], corpus: Corpus, mirrored: Sequence[bool] = ()) -> SceneRows:
    """The samples' scenes; `mirrored` ones, none by default, are turned left to right."""
    things = [corpus.things(sample) for sample in samples]
    for row in np.flatnonzero(mirrored):
        things[row] = np.ascontiguousarray(things[row][..., ::-1])
    return SceneRows([corpus.scene_of(sample) for sample in samples], list(mirrored) or [False] * len(samples),
                     torch.stack([layout_of(masks, FRAME_PIXELS // 16, corpus.is_complete(sample))
                                  for sample, masks in zip(samples, things, strict=True)]))


def make_others(samples: Sequence[Sample], corpus: Corpus, concepts: Concepts, looks: Looks, rng: np.random.Generator,
                count: int, mirrored: Sequence[bool] = (), known: Container[str] = ()) -> Others:
    """`count` things of each sample's scene, in the words of any question about that scene, where it shows any.

    mirrored : which scenes are turned left to right, none by default; their words are turned too, to `known` ones
    """
    mirrored = mirrored or [False] * len(samples)
    chosen: list[tuple[int, Sample, int]] = []
    for row, sample in enumerate(samples):
        referred = corpus.referred(sample)
        if mirrored[row]:
            referred = [(one, number) for one, number in referred if mirror_words(_words(one, number)) in known]
        if referred:  # a picture without masks shows nothing
            chosen += [(row, *referred[i]) for i in rng.integers(len(referred), size=count)]
    turned = [mirrored[row] for row, _, _ in chosen]
    words = [_words(sample, number) for _, sample, number in chosen]
    gold = np.stack([corpus.mask(sample, sample.spans[number].target)[:, ::-1 if turn else 1]
                     for turn, (_, sample, number) in zip(turned, chosen, strict=True)]) if chosen else NO_MASKS
    return Others(
        torch.tensor([row for row, _, _ in chosen], dtype=torch.long),
        [mirror_words(one) if turn else one for turn, one in zip(turned, words, strict=True)], torch.from_numpy(gold),
        _prompts([(sample, number) for _, sample, number in chosen], gold, looks, rng, turned),
        concepts.rows([sample.spans[number].concept for _, sample, number in chosen]),
        _nouns([(sample, number) for _, sample, number in chosen], concepts))


def can_mirror(sample: Sample, corpus: Corpus, known: Container[str]) -> bool:
    """Whether anything is said of the sample's scene that is among `known` words when left and right change places."""
    return any(mirror_words(_words(one, number)) in known for one, number in corpus.referred(sample))


def mirror_words(words: str) -> str:
    """What the words are of a picture turned left to right: "the leftmost cup" → "the rightmost cup"."""
    return _SIDES.sub(lambda side: "right" if side[0] == "left" else "left", words)


def _nouns(referred: Sequence[tuple[Sample, int]], concepts: Concepts) -> Nouns:
    """Of spans: (sample, number of the span)."""
    words = [sample.spans[number].concept for sample, number in referred]
    return Nouns(
        torch.tensor([NO_NOUN if word is None or concepts.is_kind(word) else crc32(word.encode()) for word in words],
                     dtype=torch.long),
        torch.tensor([sample.scene_seed * MOST_THINGS + sample.spans[number].target for sample, number in referred],
                     dtype=torch.long))


def _words(sample: Sample, number: int) -> str:
    span = sample.spans[number]
    part = sample.trace[span.segment]
    assert isinstance(part, Text)
    return part.text[span.start:span.end]


def _segments(encoded: Sequence[Encoded]) -> tuple[list[Segment], list[tuple[int, tuple[int, int], int]]]:
    """All segments, cut to their last SPAN_TOKENS words, and all queries (segment, span, number of the span)."""
    segments: list[Segment] = []
    queries: list[tuple[int, tuple[int, int], int]] = []
    for row, one in enumerate(encoded):
        for positions, spans, numbers in one.segments:
            skip = max(0, len(positions) - SPAN_TOKENS)
            kept = [((start - skip, end - skip), number) for (start, end), number in zip(spans, numbers, strict=True)
                    if start >= skip]
            queries += [(len(segments), span, number) for span, number in kept]
            segments.append(Segment(row, positions[skip:], [span for span, _ in kept]))
    return segments, queries


def _segment_tensors(segments: Sequence[Segment]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    shape = (len(segments), SPAN_TOKENS)
    positions, valid = torch.zeros(shape, dtype=torch.long), torch.zeros(shape)
    tags = torch.full(shape, IGNORED)
    for row, segment in enumerate(segments):
        count = len(segment.positions)
        positions[row, :count] = torch.tensor(segment.positions)
        valid[row, :count] = 1.0
        tags[row, :count] = TAG_OUTSIDE
        for start, end in segment.spans:
            tags[row, start] = TAG_BEGIN
            tags[row, start + 1:end] = TAG_INSIDE
    return torch.tensor([segment.row for segment in segments], dtype=torch.long), positions, valid, tags


def _prompts(referred: Sequence[tuple[Sample, int]], gold: np.ndarray, looks: Looks, rng: np.random.Generator,
             mirrored: Sequence[bool] = ()) -> Prompts:
    """The question's own point where it has one; otherwise now and then a point, a box or an earlier mask; looks."""
    point, box = np.zeros((len(referred), 3), np.float32), np.zeros((len(referred), 5), np.float32)
    previous = np.zeros((len(referred), 1, MASK_PIXELS, MASK_PIXELS), np.float32)
    letterbox = Letterbox.fit(FRAME_HEIGHT, FRAME_WIDTH)
    for row, (sample, _) in enumerate(referred):
        cells = np.argwhere(gold[row] > 0.5)
        if sample.point is not None:
            x, y = letterbox.to_unit(*sample.point)
            point[row] = 1.0 - x if any(mirrored) and mirrored[row] else x, y, 1.0
        elif len(cells) and rng.random() < POINT_CHANCE:
            y, x = cells[rng.integers(len(cells))]
            point[row] = (x + rng.random()) / MASK_PIXELS, (y + rng.random()) / MASK_PIXELS, 1.0
        if len(cells) and rng.random() < BOX_CHANCE:
            (y0, x0), (y1, x1) = cells.min(axis=0), cells.max(axis=0) + 1
            sides = np.array([x1 - x0, y1 - y0, x1 - x0, y1 - y0])
            corners = np.array([x0, y0, x1, y1]) + rng.normal(0, SLOPPY_BOX, 4) * sides
            box[row] = *np.clip(corners / MASK_PIXELS, 0, 1), 1.0
        if rng.random() < PREVIOUS_CHANCE:
            shift = rng.integers(-4, 5, 2)
            earlier = np.roll(gold[row], tuple(shift), axis=(0, 1))
            previous[row, 0] = (earlier * 2 - 1) * rng.uniform(2, 6)
    known = looks.draw([sample.spans[number].concept for sample, number in referred], rng)
    return Prompts(torch.from_numpy(point), torch.from_numpy(box), torch.from_numpy(previous), known)


Nested = TypeVar("Nested")


def on_device(value: Nested, device: torch.device) -> Nested:
    """The same named tuples with their tensors on a device."""
    if isinstance(value, Tensor):
        return value.to(device)  # type: ignore[return-value]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(on_device(one, device) for one in value))
    return value
