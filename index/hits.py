"""What a search returns: one entity with its score, facts and source."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


class View(StrEnum):
    """What a stored vector was made from."""

    REGION = "region"        # the masked part of a picture
    PROTOTYPE = "prototype"  # a class direction, made without a picture
    IMAGE = "image"          # a whole picture


ALL_VIEWS = tuple(View)
MAX_HITS = 1000


@dataclass(frozen=True)
class Hit:
    """One entity that a search found.

    entity    : its name; `key` is its id in the pack
    score     : cosine in [-1, 1] for vectors, [0, 1] for text; higher is nearer
    facts     : "attribute: value", in the curator's order; `fact_map` holds the same by attribute
    view      : kind of the stored vector that matched best; None for a text search
    thumbnail : a WebP file inside the pack, or None
    """

    entity: str
    key: str
    kind: str
    score: float
    source: str
    facts: tuple[str, ...]
    fact_map: dict[str, str]
    pack: str
    view: View | None = None
    thumbnail: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """The hit as `ask --json` and `pack search --json` print it."""
        return {"entity": self.entity, "key": self.key, "kind": self.kind, "score": round(self.score, 6),
                "source": self.source, "facts": list(self.facts), "pack": self.pack,
                "thumbnail": str(self.thumbnail) if self.thumbnail else None}


def best_first(hits: list[Hit], k: int) -> list[Hit]:
    """The k best hits; equal scores are ordered by pack and key, so that chance never orders them."""
    return sorted(hits, key=lambda hit: (-hit.score, hit.pack, hit.key))[:k]


def check_k(k: int) -> None:
    """Raise ValueError for a number of hits outside 1 to 1000."""
    if not 1 <= k <= MAX_HITS:
        raise ValueError(f"k must be from 1 to {MAX_HITS}, got {k}")
