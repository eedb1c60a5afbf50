"""An answer in words, as the terminal shows it: question, trace, answer, sources."""

from collections.abc import Iterator

from pixsearch.contract.evidence import MAX_HITS
from pixsearch.contract.grammar import Modality
from pixsearch.edge.answer import Answer, SearchRecord
from pixsearch.edge.memories import spoken_time
from pixsearch.index.hits import Hit


def report(question: str, answer: Answer) -> str:
    """Lines for one question, without a line break at the end."""
    lines = [f"question  {question}", f"trace     {answer.trace}", f"answer    {answer.answer}"]
    lines += [f"source    {line}" for line in sources(answer)] or ["source    none"]
    lines += [f"memory    {one.id}: {one.entity}, {spoken_time(one.time)}" for one in answer.memory]
    if answer.cloud:
        told = f'says "{answer.cloud.words}"' if answer.cloud.words else f"said nothing: {answer.cloud.trouble}"
        lines.append(f"cloud     {answer.cloud.model} at {answer.cloud.host} {told}")
    lines.append(f"sure      {answer.confidence:.2f}, {answer.timings.total:.0f} ms")
    return "\n".join(map(one_line, lines))


def sources(answer: Answer) -> list[str]:
    """The hits that the answer could draw on, each once: search, entity, similarity, where it is from."""
    lines = (
        f"{search_name(search)}: {hit.entity} {hit.score:.2f} ({hit.source or hit.pack})"
        for search, hit in shown_hits(answer)
    )
    return list(dict.fromkeys(lines))


def shown_hits(answer: Answer) -> Iterator[tuple[SearchRecord, Hit]]:
    """The hits that were written into the trace, best first."""
    for search in answer.searches:
        for hit in search.hits[:MAX_HITS]:
            yield search, hit


def search_name(search: SearchRecord) -> str:
    """What was searched with: "region", "image", or the words of a text search in quotes."""
    return f'"{search.query}"' if search.modality is Modality.TEXT else search.modality.value


def one_line(text: str) -> str:
    """One line without control characters, which a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
