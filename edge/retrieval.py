"""The back end of a search: from what the model asks for to evidence, with a record of how it was found."""

from collections.abc import Sequence

from pixsearch.contract.evidence import EvidenceItem, format_evidence
from pixsearch.contract.grammar import Modality
from pixsearch.contract.masks import box_of, encode_mask
from pixsearch.edge.answer import SearchRecord
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.decoder import SearchRequest
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.edge.inputs import Box, Point
from pixsearch.edge.perception import Mask, Perception, Segment
from pixsearch.edge.stopwatch import Stopwatch
from pixsearch.index.hits import Hit, View
from pixsearch.index.search import Library

HITS = 5  # kept in a record: more than the evidence shows, so that confidence can see the runners-up
TRUSTED_MASK = 0.5  # predicted IoU below which words alone have cut out nothing: the whole frame is searched with
IMAGE_VIEWS = (View.IMAGE, View.PROTOTYPE)  # what a whole frame may be compared with


class Retriever:
    """Answers the searches of one question; `records` holds them in order."""

    def __init__(self, bundle: Bundle, library: Library, perception: Perception, question: str,
                 point: Point | None, box: Box | None, stopwatch: Stopwatch) -> None:
        self._bundle, self._library, self._perception = bundle, library, perception
        self._question, self._point, self._box, self._stopwatch = question, point, box, stopwatch
        self.records: list[SearchRecord] = []
        self.known: tuple[Hit, ...] = ()  # what is known to be meant, before anything is searched: it comes first

    def __call__(self, request: SearchRequest) -> str:
        """Search; returns the evidence."""
        search = {Modality.REGION: self._region, Modality.IMAGE: self._image, Modality.TEXT: self._text}
        record = search[request.modality](request)
        self.records.append(record)
        return record.evidence

    def _region(self, request: SearchRequest) -> SearchRecord:
        segment = self._cut_out(request)
        words, whole = self._span_words(request, segment), self._is_whole_frame(segment)
        hits = self._hits_of_region(None if whole else segment.mask)
        mask, box = (None, None) if whole else (encode_mask(segment.mask), box_of(segment.mask))
        return SearchRecord(Modality.REGION, None, mask, box, tuple(hits), None if whole else segment.iou, words,
                            self._evidence(hits, Modality.REGION), segment)

    def _cut_out(self, request: SearchRequest) -> Segment:
        """The mask of what the words name, drawn once more where an index knows how things of that name look."""
        with self._stopwatch.measure("mask"):
            segment = self._perception.segment(request.hidden, self._point, self._box)
        with self._stopwatch.measure("search"):
            looks = self._library.looks(self._span_words(request, segment) or "")
        with self._stopwatch.measure("mask"):
            if len(looks):
                segment = self._perception.segment(request.hidden, self._point, self._box, looks=looks)
            return self._perception.look_closer(segment)

    def _is_whole_frame(self, segment: Segment) -> bool:
        """Whether the frame says more than the mask: close-ups of one thing have no mask worth its name."""
        shown = self._point is not None or self._box is not None
        return segment.is_whole_frame or (not shown and segment.iou < TRUSTED_MASK)

    def _hits_of_region(self, mask: Mask | None) -> list[Hit]:
        """What a masked part of the frame finds, bool (H, W); None stands for the whole frame."""
        with self._stopwatch.measure("region"):
            vector = self._perception.frame_vector() if mask is None else self._perception.region_vector(mask)
        with self._stopwatch.measure("search"):
            return self._after_known(self._library.search_vectors(vector, k=HITS))

    def _image(self, request: SearchRequest) -> SearchRecord:
        return self._without_mask(request, self._hits_of_frame())

    def _hits_of_frame(self) -> list[Hit]:
        with self._stopwatch.measure("region"):
            vector = self._perception.frame_vector()
        with self._stopwatch.measure("search"):
            return self._after_known(self._library.search_vectors(vector, IMAGE_VIEWS, HITS))

    def _text(self, request: SearchRequest) -> SearchRecord:
        return self._without_mask(request, self._hits_of_words(request.query or ""))

    def _hits_of_words(self, query: str) -> list[Hit]:
        with self._stopwatch.measure("search"):
            vector = BundleEmbedder(self._bundle).text(query)
            return self._after_known(self._library.search_text(query, vector, HITS))

    def _after_known(self, hits: list[Hit]) -> list[Hit]:
        known = {(hit.pack, hit.key) for hit in self.known}
        return [*self.known, *(hit for hit in hits if (hit.pack, hit.key) not in known)][:HITS]

    def _without_mask(self, request: SearchRequest, hits: list[Hit]) -> SearchRecord:
        return SearchRecord(request.modality, request.query, None, None, tuple(hits), None, None,
                            self._evidence(hits, request.modality))

    def _span_words(self, request: SearchRequest, segment: Segment) -> str | None:
        """The words of the entity span, as text."""
        seen = request.words[-len(segment.span):] if len(segment.span) else ()
        named = [word for word, inside in zip(seen, segment.span, strict=True) if inside]
        return self._bundle.tokenizer.decode(named).strip() or None

    def _evidence(self, hits: list[Hit], modality: Modality) -> str:
        return evidence_of(self._bundle, hits, modality, self._question)


def evidence_of(bundle: Bundle, hits: Sequence[Hit], modality: Modality, question: str) -> str:
    """Hits as the model reads them; those of a text search have no similarity that compares."""
    items = [EvidenceItem(hit.entity, {"kind": hit.kind, **hit.fact_map} if hit.kind else hit.fact_map,
                          None if modality is Modality.TEXT else hit.score, hit.source) for hit in hits]
    return format_evidence(items, question, sure_at=bundle.calibration.sure, likely_at=bundle.calibration.likely)
