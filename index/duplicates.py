"""Near-duplicate views of one entity: they cost memory and time, and find nothing that the first does not."""

from collections.abc import Sequence

from pixsearch.index.views import EmbeddedView

SAME_COSINE = 0.95  # of vectors: what saving again, scaling or brightening leaves of one picture
SAME_BITS = 10  # of the 64 of fingerprints that may differ; other pictures differ in 20 and more


def distinct(views: Sequence[EmbeddedView]) -> list[EmbeddedView]:
    """The views without those that repeat an earlier one of their kind."""
    kept: list[EmbeddedView] = []
    for view in views:
        if not any(near_duplicates(view, other) for other in kept):
            kept.append(view)
    return kept


def near_duplicates(one: EmbeddedView, other: EmbeddedView) -> bool:
    """Whether two views show the same: alike to the model, and to the eye, which tells two similar things apart."""
    return (one.view is other.view and bits_apart(one.fingerprint, other.fingerprint) <= SAME_BITS
            and float(one.vector @ other.vector) >= SAME_COSINE)


def bits_apart(one: int, other: int) -> int:
    """In how many bits two fingerprints differ."""
    return (one ^ other).bit_count()
