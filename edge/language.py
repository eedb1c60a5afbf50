"""The language model as the decode loop sees it, and its implementation over a bundle."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract import graphs
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.sessions import as_array

Array = NDArray[np.float32]


class Language(Protocol):
    """One sequence that grows: the first call reads the prompt, later ones a token or a block of evidence."""

    def feed(self, ids: Sequence[int]) -> tuple[Array, Array]:
        """Append T ids; returns logits of the next, float32 (V,), and last hidden states, float32 (T, W)."""

    def forget(self, count: int) -> None:
        """Take the last `count` ids back, from 1 to all but the first."""


class BundleLanguage:
    """The language graph with its key-value cache, for one question about one frame."""

    def __init__(self, bundle: Bundle, image_tokens: Array) -> None:
        """image_tokens : float32 (1, 36, W), from the vision graph."""
        sizes = bundle.dimensions
        self._session = bundle.session(graphs.LANGUAGE)
        self._image_tokens = self._session.value(image_tokens)
        empty = np.zeros((sizes.layers, sizes.kv_heads, 0, sizes.head_width), np.float32)
        self._keys = self._values = self._session.value(empty)

    def feed(self, ids: Sequence[int]) -> tuple[Array, Array]:
        """See `Language.feed`."""
        outputs = self._session.run_values({
            "ids": np.array([ids], np.int64), "image_tokens": self._image_tokens,
            "past_keys": self._keys, "past_values": self._values})
        self._keys, self._values = outputs["keys"], outputs["values"]
        return as_array(outputs["logits"])[0], as_array(outputs["hidden"])[0]

    def forget(self, count: int) -> None:
        """See `Language.forget`."""
        self._keys, self._values = (self._session.value(np.ascontiguousarray(kept.numpy()[:, :, :-count]))
                                    for kept in (self._keys, self._values))
