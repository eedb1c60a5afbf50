"""Write a trace and its spans together, and check the sample that they make."""

from pixsearch.contract.grammar import Modality, Search, Text, Trace, parse, render
from pixsearch.model.data.records import Sample, Span
from pixsearch.model.data.referring import Reference


class Writer:
    """A trace under construction. Calls chain."""

    def __init__(self) -> None:
        self._segments: list[Text | Search] = []
        self._spans: list[Span] = []
        self._text = ""

    def say(self, text: str) -> "Writer":
        """Add words."""
        self._text += text
        return self

    def mention(self, text: str, target: int, concept: str | None) -> "Writer":
        """Add words that mean a thing in view."""
        start = len(self._text)
        self._spans.append(Span(len(self._segments), start, start + len(text), target, concept))
        return self.say(text)

    def begin(self, reference: Reference, *, named: bool = True) -> "Writer":
        """Begin an answer with the asker's words for the thing, or with "This" where they had none."""
        return self.mention(
            reference.echo if named else "This", reference.target, reference.concept if named else None
        )

    def search(self, modality: Modality, evidence: str, query: str | None = None) -> "Writer":
        """Add a search and what it found."""
        self._close()
        self._segments.append(Search(modality, query, evidence))
        return self

    def trace(self) -> tuple[Trace, tuple[Span, ...]]:
        """The trace and its spans."""
        self._close()
        return tuple(self._segments), tuple(self._spans)

    def _close(self) -> None:
        if self._text:
            self._segments.append(Text(self._text))
            self._text = ""


def spoken(trace: Trace) -> str:
    """What the user hears of a trace: its text segments."""
    return "".join(segment.text for segment in trace if isinstance(segment, Text))


def check(sample: Sample) -> Sample:
    """Return the sample. Raises ValueError for a trace that parsing changes, or a span outside it."""
    if parse(render(sample.trace)) != sample.trace:
        raise ValueError(f"not well-formed: {render(sample.trace)}")
    for span in sample.spans:
        segment = sample.trace[span.segment]
        if not isinstance(segment, Text) or not 0 <= span.start < span.end <= len(segment.text):
            raise ValueError(f"{span} is outside {segment}")
    return sample
