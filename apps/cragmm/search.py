"""Both directions between our packs and the call interface of `cragmm-search-pipeline`.

The pipeline is called with a picture or with words, and k. A picture gives `{index, score, url, entities:
[{entity_name, entity_attributes}]}`, words give `{index, score, page_name, page_snippet, page_url}`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from pixsearch.contract.masks import box_of
from pixsearch.contract.plain_text import plain
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.edge.inputs import Box, Point
from pixsearch.edge.perception import Mask, Perception
from pixsearch.edge.retrieval import HITS, IMAGE_VIEWS, Retriever
from pixsearch.edge.stopwatch import Stopwatch
from pixsearch.index.hits import Hit
from pixsearch.index.search import Library

SearchPipeline = Callable[..., Sequence[Mapping[str, Any]]]

MAX_ATTRIBUTES, MAX_NAME_CHARS, MAX_VALUE_CHARS, MAX_TEXT_CHARS = 40, 200, 400, 20_000
PASSAGE_CHARS = 80  # evidence shows no more of a value
CROP_MARGIN = 0.1  # of the box's longer side, around what is searched with
PIPELINE = "crag-mm"  # the pack that hits of a pipeline name
_LINK = re.compile(r"\[\[(?:[^\]|]*\|)?([^\]|]*)\]\]")
_MARKUP = re.compile(r"<ref[^>]*>.*?</ref>|<[^>]*>|\{\{[^{}]*\}\}|'{2,}")
_SENTENCE = re.compile(r"(?<=[.!?…])\s+")


class PackSearch:
    """Our packs as the pipeline: call it with a picture or words, and k."""

    def __init__(self, bundle: Bundle, library: Library) -> None:
        self._embed, self._library = BundleEmbedder(bundle), library

    def __call__(self, query: str | Image.Image | np.ndarray, k: int = 5) -> list[dict[str, Any]]:
        """The k best hits, best first; a picture is a PIL image or uint8 RGB (H, W, 3)."""
        if isinstance(query, str):
            hits = self._library.search_text(query, self._embed.text(query), k)
            return [{"index": hit.key, "score": hit.score, "page_name": hit.entity,
                     "page_snippet": ". ".join(hit.facts), "page_url": hit.source} for hit in hits]
        frame = np.asarray(query.convert("RGB") if isinstance(query, Image.Image) else query, np.uint8)
        hits = self._library.search_vectors(self._embed.region(frame, None), IMAGE_VIEWS, k)
        return [{"index": hit.key, "score": hit.score, "url": hit.source,
                 "entities": [{"entity_name": hit.entity, "entity_attributes": hit.fact_map}]} for hit in hits]


class PipelineAssistant(Assistant):
    """An assistant that searches a pipeline instead of its packs; names it was told count as known."""

    def __init__(self, like: Assistant, pipeline: SearchPipeline) -> None:
        self.pipeline, self.known = pipeline, _Known(like.library)
        super().__init__(like.bundle, self.known, like._budget, like._deadline_s)

    def _retriever(self, perception: Perception, question: str, point: Point | None, box: Box | None,
                   watch: Stopwatch) -> Retriever:
        return _PipelineRetriever(self, perception, question, point, box, watch)


class _Known(Library):
    """The names that a pipeline has come up with so far, which an answer may not make up either."""

    def __init__(self, like: Library) -> None:
        super().__init__(like.packs)
        self._names: set[str] = set()

    def learn(self, hits: Sequence[Hit]) -> None:
        self._names |= {hit.entity.lower() for hit in hits}

    def has_name(self, phrase: str) -> bool:
        return phrase in self._names or super().has_name(phrase)


class _PipelineRetriever(Retriever):
    def __init__(self, assistant: PipelineAssistant, perception: Perception, question: str, point: Point | None,
                 box: Box | None, watch: Stopwatch) -> None:
        super().__init__(assistant.bundle, assistant.library, perception, question, point, box, watch)
        self._assistant = assistant

    def _hits_of_region(self, mask: Mask | None) -> list[Hit]:
        return self._found(_crop(self._perception.frame, mask))

    def _hits_of_frame(self) -> list[Hit]:
        return self._found(Image.fromarray(self._perception.frame))

    def _hits_of_words(self, query: str) -> list[Hit]:
        return self._found(query)

    def _found(self, query: str | Image.Image) -> list[Hit]:
        with self._stopwatch.measure("search"):
            hits = [hit for result in self._assistant.pipeline(query, k=HITS) for hit in hits_of(result)][:HITS]
            self._assistant.known.learn(hits)
        return hits


def hits_of(result: Mapping[str, Any]) -> list[Hit]:
    """The entities or the page of one result of a pipeline; words are bounded, and markup is left out."""
    score, key = float(result.get("score") or 0.0), str(result.get("index"))
    if "page_name" in result:
        name, source = readable(result["page_name"])[:MAX_NAME_CHARS], str(result.get("page_url") or "")
        return [_hit(name or source, key, score, source, passages(str(result.get("page_snippet") or "")))]
    source = str(result.get("url") or "")
    return [_hit(readable(entity.get("entity_name"))[:MAX_NAME_CHARS], key, score, source,
                 attributes(entity.get("entity_attributes") or {}))
            for entity in result.get("entities") or [] if readable(entity.get("entity_name"))]


def _hit(name: str, key: str, score: float, source: str, facts: dict[str, str]) -> Hit:
    return Hit(name, key, "", score, source, tuple(f"{attribute}: {value}" for attribute, value in facts.items()),
               facts, PIPELINE)


def attributes(given: Mapping[str, Any]) -> dict[str, str]:
    """Wikipedia's infobox values as plain facts; those that are markup alone are left out."""
    facts = {readable(str(name).replace("_", " "))[:MAX_NAME_CHARS]: readable(value)[:MAX_VALUE_CHARS]
             for name, value in given.items()}
    return {name: value for name, value in list(facts.items())[:MAX_ATTRIBUTES] if name and value}


def passages(text: str) -> dict[str, str]:
    """A page's words as numbered facts that evidence can rank by the question: sentences, long ones in pieces."""
    pieces: list[str] = []
    for sentence in _SENTENCE.split(readable(text[:MAX_TEXT_CHARS])):
        line = ""
        for word in sentence.split():
            if line and len(line) + 1 + len(word) > PASSAGE_CHARS:
                pieces.append(line)
                line = ""
            line = f"{line} {word}".strip()
        pieces += [line] if line else []
    return numbered(pieces)


def numbered(pieces: Sequence[str]) -> dict[str, str]:
    """Pieces of a page as facts, each of them once."""
    distinct = list(dict.fromkeys(pieces))[:MAX_ATTRIBUTES]
    return {f"text {number}": piece for number, piece in enumerate(distinct, 1)}


def readable(value: Any) -> str:
    """One line of words without links, templates and tags of a wiki."""
    words, before = str(value if value is not None else ""), ""
    while words != before:  # templates may be nested
        words, before = _MARKUP.sub(" ", _LINK.sub(r"\1", words)), words
    return plain(words)


def _crop(frame: np.ndarray, mask: Mask | None) -> Image.Image:
    box = box_of(mask) if mask is not None else None
    if box is None:
        return Image.fromarray(frame)
    margin = round(CROP_MARGIN * max(box[2] - box[0], box[3] - box[1]))
    height, width = frame.shape[:2]
    return Image.fromarray(frame).crop((max(0, box[0] - margin), max(0, box[1] - margin),
                                        min(width, box[2] + margin), min(height, box[3] + margin)))
