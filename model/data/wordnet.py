"""A reader of WordNet's nouns: one synset at a time, found by its byte offset (format: wndb(5WN))."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pixsearch.contract.faults import Fault

_ID = re.compile(r"n(\d{8})")
_RELATIONS = {
    "@": "hypernyms",
    "@i": "hypernyms",
    "~": "hyponyms",
    "~i": "hyponyms",
    "%p": "parts",
    "#p": "wholes",
    "%m": "members",
    "#m": "groups",
}


@dataclass(frozen=True)
class Synset:
    """One noun meaning. Relations hold synset ids such as "n02123597"."""

    id: str
    lemmas: tuple[str, ...]  # as written, spaces for underscores
    gloss: str  # the definition, without example sentences
    hypernyms: tuple[str, ...] = ()  # kinds that this is one of; classes of an instance too
    hyponyms: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()  # part meronyms
    wholes: tuple[str, ...] = ()  # part holonyms
    members: tuple[str, ...] = ()  # member meronyms
    groups: tuple[str, ...] = ()  # member holonyms


class WordNet:
    """The nouns of one WordNet release.

    folder : holds `data.noun` and `index.noun` of the release. ImageNet's ids are offsets of 3.0.
    Raises Fault when a file is missing, or an id names no synset.
    """

    def __init__(self, folder: Path) -> None:
        self._data, self._index = folder / "data.noun", folder / "index.noun"
        for path in (self._data, self._index):
            if not path.is_file():
                raise Fault(
                    f"WordNet file {path}",
                    expected="a noun file of WordNet",
                    actual="none there",
                    remedy="run make data",
                )
        self._synset = lru_cache(maxsize=None)(self._read)
        self._offsets: dict[str, tuple[str, ...]] | None = None

    def synset(self, id: str) -> Synset:
        """The synset with this id."""
        return self._synset(id)

    def lookup(self, lemma: str) -> tuple[str, ...]:
        """Ids of the synsets that a word names, most frequent meaning first; empty where it names none."""
        if self._offsets is None:
            self._offsets = dict(self._index_rows())
        return self._offsets.get(lemma.lower().replace(" ", "_"), ())

    def ancestors(self, id: str, steps: int | None = None) -> tuple[str, ...]:
        """Ids above a synset, nearest first, each once, at most `steps` up; all of them without `steps`."""
        found: dict[str, None] = {}
        level = [id]
        while level and (steps is None or steps > 0):
            level = [above for one in level for above in self.synset(one).hypernyms if above not in found]
            found.update(dict.fromkeys(level))
            steps = None if steps is None else steps - 1
        return tuple(found)

    def is_a(self, id: str, ancestor: str) -> bool:
        """Whether a synset is `ancestor` or below it."""
        return id == ancestor or ancestor in self.ancestors(id)

    def _read(self, id: str) -> Synset:
        match = _ID.fullmatch(id)
        line = ""
        if match:
            with self._data.open("rb") as stream:
                stream.seek(int(match[1]))
                line = stream.readline().decode("ascii", "replace")
        if not match or not line.startswith(f"{match[1]} "):
            raise Fault(
                f"WordNet id {id!r}",
                expected=f"a noun of {self._data}",
                actual="no such entry",
                remedy="check the id and the WordNet release (ImageNet uses 3.0)",
            )
        return _parse(id, line)

    def _index_rows(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        with self._index.open(encoding="ascii", errors="replace") as stream:
            for line in stream:
                if line.startswith(" "):  # the licence
                    continue
                fields = line.split()
                yield fields[0], tuple(f"n{offset}" for offset in fields[len(fields) - int(fields[2]) :])


def _parse(id: str, line: str) -> Synset:
    head, _, tail = line.partition("|")
    fields = head.split()
    words = int(fields[3], 16)  # the format counts words in hexadecimal, pointers in decimal
    lemmas = tuple(word.replace("_", " ") for word in fields[4 : 4 + 2 * words : 2])
    pointers = fields[5 + 2 * words :]
    relations: dict[str, list[str]] = {}
    for symbol, offset in zip(pointers[::4], pointers[1::4], strict=False):
        if name := _RELATIONS.get(symbol):
            relations.setdefault(name, []).append(f"n{offset}")
    gloss = tail.partition('; "')[0].strip().rstrip(";")
    return Synset(id, lemmas, gloss, **{name: tuple(ids) for name, ids in relations.items()})
