"""The language model as the decode loop sees it, and its implementation over a bundle."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract import graphs
from pixsearch.contract.tokenizer import MAX_EVIDENCE_TOKENS
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.sessions import Session, Value, as_array

Array = NDArray[np.float32]


class Language(Protocol):
    """One sequence that grows: the first call reads the prompt, later ones a token or a block of evidence."""

    def feed(self, ids: Sequence[int]) -> tuple[Array, Array]:
        """Append T ids; returns logits of the next, float32 (V,), and last hidden states, float32 (N, W).

        The states are those of the last N ids, from 1 to T: the beginning of a prompt may be known already.
        """

    def forget(self, count: int) -> None:
        """Take the last `count` ids back, from 1 to all but the first."""


@dataclass(frozen=True)
class _Read:
    ids: tuple[int, ...]
    keys: Value
    values: Value


class Beginning:
    """The last prompt that was read about one frame, with its keys and values.

    Prompts about a frame begin alike, with its image tokens and often with earlier turns; a token's keys and values
    depend on nothing after it, so that what two prompts share is read once. Threads may share one of these.
    """

    def __init__(self) -> None:
        self._read: _Read | None = None

    def keep(self, ids: Sequence[int], keys: Value, values: Value) -> None:
        """Remember a prompt; keys and values (L, K, T, H) are not written to any more."""
        self._read = _Read(tuple(ids), keys, values)

    def shared(self, ids: Sequence[int], session: Session) -> tuple[int, Value, Value] | None:
        """How many ids of a prompt are known, always short of all, with their keys and values; None for none."""
        read = self._read
        if read is None:
            return None
        alike = np.flatnonzero([one != other for one, other in zip(ids, read.ids, strict=False)])
        count = min(int(alike[0]) if len(alike) else len(read.ids), len(ids) - 1)
        return (count, _cut(session, read.keys, count), _cut(session, read.values, count)) if count else None


class BundleLanguage:
    """The language graph with its key-value cache, for one question about one frame."""

    def __init__(self, bundle: Bundle, image_tokens: Array, beginning: Beginning | None = None) -> None:
        """image_tokens : float32 (1, 36, W), from the vision graph; beginning : of that frame's prompts."""
        sizes = bundle.dimensions
        self._session = bundle.session(graphs.LANGUAGE)
        self._image_tokens = self._session.value(image_tokens)
        empty = np.zeros((sizes.layers, sizes.kv_heads, 0, sizes.head_width), np.float32)
        self._keys = self._values = self._session.value(empty)
        self._beginning = beginning

    def feed(self, ids: Sequence[int]) -> tuple[Array, Array]:
        """See `Language.feed`."""
        beginning, self._beginning = self._beginning, None  # only the first call reads a prompt
        new = ids
        if beginning and (shared := beginning.shared(ids, self._session)):
            count, self._keys, self._values = shared
            new = ids[count:]
        outputs = self._session.run_values({
            "ids": np.array([new], np.int64), "image_tokens": self._image_tokens,
            "past_keys": self._keys, "past_values": self._values})
        self._keys, self._values = outputs["keys"], outputs["values"]
        if beginning:
            beginning.keep(ids, self._keys, self._values)
        return as_array(outputs["logits"])[0], as_array(outputs["hidden"])[0]

    def forget(self, count: int) -> None:
        """See `Language.forget`."""
        self._keys, self._values = (_cut(self._session, kept, -count) for kept in (self._keys, self._values))


def reserve(bundle: Bundle) -> None:
    """Open all graphs, and read as much as a context holds, once: no question will want more memory than is there then.

    Without it memory grows with each question that is longer than all before, for hours.
    """
    bundle.open_all()
    tokens = bundle.session(graphs.LANGUAGE).inputs["image_tokens"]
    language = BundleLanguage(bundle, np.zeros([int(side) for side in tokens], np.float32))
    prompt, context = bundle.tokenizer.prompt(""), bundle.tokenizer.context
    longest = [*prompt, *[prompt[-1]] * (context - len(prompt))]
    for start, end in pairwise((0, context // 2, context // 2 + MAX_EVIDENCE_TOKENS, context - 1, context)):
        language.feed(longest[start:end])


def _cut(session: Session, kept: Value, end: int) -> Value:
    """Keys or values up to a place."""
    return session.value(kept.numpy()[:, :, :end])
