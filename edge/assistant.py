"""The assistant: a frame and a question in, a grounded answer out."""

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.abstention import UNKNOWN, is_abstention
from pixsearch.contract.articles import agree_articles
from pixsearch.contract.faults import Fault
from pixsearch.contract.grammar import Modality, Text, Trace, render
from pixsearch.contract.machine import DEFAULT_BUDGET, TraceMachine
from pixsearch.contract.tokenizer import Turn
from pixsearch.edge.answer import Answer, SearchRecord, Timings
from pixsearch.edge.bundle import Bundle, default_bundle
from pixsearch.edge.confidence import confidence, features
from pixsearch.edge.decoder import Decoded, Decoder, SearchRequest
from pixsearch.edge.grounding import NameGuard
from pixsearch.edge.inputs import Box, Point, check_box, check_point, check_question
from pixsearch.edge.language import BundleLanguage
from pixsearch.edge.listener import SILENT, Listener, Stopped
from pixsearch.edge.perception import Perception
from pixsearch.edge.retrieval import Retriever
from pixsearch.edge.stopwatch import Stopwatch
from pixsearch.index.hits import Hit
from pixsearch.index.pack import Pack
from pixsearch.index.search import Library

STAGES = ("vision", "language", "mask", "region", "search")
DEADLINE_S = 8.0  # CRAG-MM allows ten seconds a turn
_SPACE_BEFORE_STOP = re.compile(r" +([.,;:!?])")


class Assistant:
    """Answers questions about frames from a bundle and mounted packs."""

    def __init__(self, bundle: Bundle, library: Library, budget: int = DEFAULT_BUDGET,
                 deadline_s: float = DEADLINE_S, clock: Callable[[], float] = time.monotonic) -> None:
        """budget : searches a question; deadline_s : seconds after which no search is opened any more."""
        for pack in library.packs:
            if pack.embedder.id != bundle.embedder_id:
                raise Fault(f"pack {pack.name}", expected=f"embedder {bundle.embedder_id!r}",
                            actual=repr(pack.embedder.id), remedy="build the pack again with this model")
        self.bundle, self.library = bundle, library
        self._budget, self._deadline_s, self._clock = budget, deadline_s, clock
        bundle.open_all()

    def perceive(self, frame: NDArray[np.uint8]) -> Perception:
        """Encode a frame, uint8 RGB (H, W, 3), once for several questions."""
        return Perception(self.bundle, frame)

    def ask(self, frame: NDArray[np.uint8], question: str, point: Sequence[float] | None = None,
            box: Sequence[float] | None = None, budget: int | None = None,
            perception: Perception | None = None, history: Sequence[Turn] = (),
            modalities: Collection[Modality] = frozenset(Modality), listener: Listener = SILENT,
            known: Sequence[Hit] = ()) -> Answer:
        """Answer a question about a frame.

        frame      : uint8 RGB, shape (H, W, 3)
        point, box : where the wearer looks or points, in frame pixels
        budget     : searches allowed; None takes the assistant's
        perception : of this frame, when it is encoded already
        history    : earlier turns about it, oldest first
        modalities : what may be searched with
        listener   : hears words and searches while the answer is made, and may stop it
        known      : hits that come first in every search, such as things whose names were read
        Raises Fault for a question, point or box that cannot be used, and Stopped.
        """
        question = check_question(question)
        height, width = frame.shape[:2]
        at = None if point is None else check_point(point, height, width)
        inside = None if box is None else check_box(box, height, width)
        watch = Stopwatch(self._clock)
        if perception is None:
            with watch.measure("vision"):
                perception = self.perceive(frame)
        search = self._retriever(perception, question, at, inside, watch)
        search.known = tuple(known)
        with watch.measure("language"):
            tokenizer = self.bundle.tokenizer
            machine = self._machine(self._budget if budget is None else budget, modalities)
            language = BundleLanguage(self.bundle, perception.image_tokens, perception.beginning)
            guard = NameGuard(self.library.has_name, question)
            decoder = Decoder(language, tokenizer, machine, _heard(search, listener), guard,
                              deadline=watch.started + self._deadline_s, clock=self._clock, on_token=_teller(listener))
            decoded = decoder.run(tokenizer.prompt(question, history))
        return self._answer(decoded, tuple(search.records), watch)

    def _retriever(self, perception: Perception, question: str, point: Point | None, box: Box | None,
                   watch: Stopwatch) -> Retriever:
        """What answers the searches of one question."""
        return Retriever(self.bundle, self.library, perception, question, point, box, watch)

    def _machine(self, budget: int, modalities: Collection[Modality]) -> TraceMachine:
        """What the trace of one question may be."""
        return TraceMachine(self.bundle.tokenizer, budget, modalities)

    def _answer(self, decoded: Decoded, searches: tuple[SearchRecord, ...], watch: Stopwatch) -> Answer:
        calibration = self.bundle.calibration
        signals = features(searches, decoded.log_probabilities)
        sure = confidence(calibration, signals, searched=bool(searches))
        text = spoken(decoded.trace)
        abstained = not text or is_abstention(text)
        if not abstained and (sure < calibration.threshold or not decoded.grounded):
            text, abstained = unsure_answer(searches, calibration.likely), True
        timings = Timings(**{stage: watch.ms(stage) for stage in STAGES},
                          total=watch.ms_since_start(self._clock()),
                          first_token=watch.ms_since_start(decoded.first_token_at))
        return Answer(text or UNKNOWN, abstained, sure, searches, render(decoded.trace), timings,
                      decoded.tokens, signals)

    def close(self) -> None:
        """Unmount the packs."""
        self.library.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


def open_assistant(bundle_folder: Path | None = None, pack_folders: Sequence[Path] = (),
                   budget: int = DEFAULT_BUDGET, deadline_s: float = DEADLINE_S,
                   providers: Sequence[str] | None = None, threads: int | None = None,
                   trusted: Mapping[str, str] | None = None) -> Assistant:
    """Load a bundle (None: the default one) and mount packs; with `trusted`, only packs that one of these keys signed.

    Raises Fault; nothing stays open then.
    """
    bundle = Bundle.load(bundle_folder or default_bundle(), providers, threads)
    with ExitStack() as opened:
        packs = [opened.enter_context(Pack.open(folder, bundle.embedder_id, trusted=trusted))
                 for folder in pack_folders]
        assistant = Assistant(bundle, Library(packs), budget, deadline_s)
        opened.pop_all()
    return assistant


def _heard(search: Retriever, listener: Listener) -> Callable[[SearchRequest], str]:
    """A retriever of which each search is told."""
    def look(request: SearchRequest) -> str:
        evidence = search(request)
        listener.on_search(search.records[-1])
        return evidence
    return look


def _teller(listener: Listener) -> Callable[[Trace], None]:
    def tell(trace: Trace) -> None:
        if listener.stopped():
            raise Stopped
        listener.on_text(spoken(trace))
    return tell


def spoken(trace: Trace) -> str:
    """The words of a trace without its searches, with tidy spaces and articles."""
    words = " ".join(" ".join(segment.text for segment in trace if isinstance(segment, Text)).split())
    return agree_articles(_SPACE_BEFORE_STOP.sub(r"\1", words))


def unsure_answer(searches: Sequence[SearchRecord], likely: float) -> str:
    """Says that it does not know, and what it did see, if a visual search found what looks alike."""
    for record in searches:
        if record.modality is not Modality.TEXT and record.hits and record.hits[0].score >= likely:
            return f"{UNKNOWN} My best guess is {record.hits[0].entity}."
    return UNKNOWN
