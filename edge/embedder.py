"""Vectors of pictures and words from a bundle's graphs: what packs are built and searched with."""

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract import graphs
from pixsearch.contract.preprocess import region_batch
from pixsearch.edge.bundle import Bundle

MAX_TEXT_TOKENS = 256  # of one text vector; longer texts are cut

Vector = NDArray[np.float32]


class BundleEmbedder:
    """Implements `index.embedder.Embedder`."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self.id = bundle.embedder_id
        self.dimension = bundle.dimensions.region
        self.text_dimension = bundle.dimensions.text

    def region(self, rgb: NDArray[np.uint8], mask: NDArray[np.bool_] | None) -> Vector:
        """Embed the masked part of a picture (the whole of it for None): unit vector, float32 (D,).

        rgb  : uint8, shape (H, W, 3)
        mask : bool, shape (H, W). Raises ValueError when no pixel is set.
        """
        pixels, weights = region_batch(rgb, mask)
        return self._vector(graphs.REGION, pixels=pixels, weights=weights)

    def text(self, text: str) -> Vector:
        """Embed words: unit vector, float32 (T,). Raises ValueError for a text without any."""
        ids = self._bundle.tokenizer.encode(text)[:MAX_TEXT_TOKENS]
        if not ids:
            raise ValueError("a text to embed must not be empty")
        return self._vector(graphs.TEXT, ids=np.array([ids], np.int64))

    def _vector(self, graph: str, **feeds: NDArray[np.generic]) -> Vector:
        return self._bundle.session(graph).run(feeds)["vector"][0].astype(np.float32)
