"""What the wearer told about things: kept with a picture, found again by look or by name, noticed when seen again."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.evidence import stems
from pixsearch.contract.images import Pixels
from pixsearch.edge.answer import Recollection
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.edge.perception import Perception
from pixsearch.index.hits import Hit
from pixsearch.index.memory import MemoryPack
from pixsearch.index.memory_items import MemoryItem

PICTURE_SIDE = 480  # pixels
PICTURE_QUALITY = 70
AROUND = 100  # opacity of what surrounds the thing, of 255: below what `pack build` takes for the thing itself
CANDIDATES = 20
TOLD, SEEN = "you", "seen again"  # how sources begin
SAID, WHEN = "said", "seen"  # attributes
SEEN_AGAIN_AFTER = timedelta(minutes=5)

Mask = NDArray[np.bool_]


class Memories:
    """The wearer's memory as the assistant uses it; `pack` may be mounted in a library beside others."""

    def __init__(self, pack: MemoryPack, bundle: Bundle,
                 now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.pack, self._now = pack, now
        self._alike, self._sure = bundle.calibration.likely, bundle.calibration.sure
        self._embed = BundleEmbedder(bundle)

    def keep(self, perception: Perception, mask: Mask | None, name: str, words: str, kind: str = "",
             how: str = TOLD) -> Recollection:
        """Remember what a mask (H, W) shows, or the whole frame; returns when it is on the disk. Raises Fault."""
        time = self._now()
        facts = {**({SAID: words} if words else {}), WHEN: spoken_time(time)}
        region = perception.frame_vector() if mask is None else perception.region_vector(mask)
        item = self.pack.add(name, facts, region=region, image=perception.frame_vector(), kind=kind, time=time,
                             thumbnail=picture_of(perception.frame, mask), source=f"{how}, {spoken_time(time)}")
        return self.recollection(item)

    def alike(self, vector: NDArray[np.float32]) -> list[Hit]:
        """What looks like the thing of a region vector, best first."""
        return [hit for hit in self.pack.search_vectors(vector, k=CANDIDATES) if hit.score >= self._alike]

    def called(self, thing: str) -> list[Hit]:
        """What goes by a name: all its words are in a name, or else in what was said; most alike first."""
        wanted = stems(thing)
        hits = self.pack.search_text(thing, self._embed.text(thing), CANDIDATES)
        named = [hit for hit in hits if wanted <= stems(hit.entity)]
        return named or [hit for hit in hits if wanted <= stems(f"{hit.entity} {hit.fact_map.get(SAID, '')}")]

    def recollection(self, item: int) -> Recollection:
        """Something kept, with its picture. Raises KeyError."""
        kept = self.pack.item(item)
        return Recollection(kept.id, kept.entity, kept.facts.get(SAID, ""), kept.time, self.pack.picture(item))

    def newest(self, hits: Sequence[Hit]) -> Recollection | None:
        """What was seen last of some hits."""
        found = [self.recollection(int(hit.key)) for hit in hits]
        return max(found, key=lambda one: (one.time, one.id), default=None)

    def told(self) -> list[MemoryItem]:
        """What the wearer told, newest first; without later sightings."""
        return [item for item in self.pack.items() if not is_sighting(item)]

    def forget(self, entity: str) -> int:
        """Forget all that was kept under a name, sightings too; how many the wearer had told."""
        items = [item for item in self.pack.items() if item.entity == entity]
        for item in items:
            self.pack.remove(item.id)
        return sum(not is_sighting(item) for item in items)

    def notice(self, perception: Perception, mask: Mask | None, hits: Sequence[Hit]) -> None:
        """Keep where something was seen again, when a search surely hit it: its last place, not each of them.

        The new sighting is on the disk before the one before it goes.
        """
        hit = hits[0] if hits and hits[0].pack == self.pack.name and hits[0].score >= self._sure else None
        if hit is None:
            return
        same = [item for item in self.pack.items() if item.entity == hit.entity]
        if not same or self._now() - same[0].time < SEEN_AGAIN_AFTER:
            return
        self.keep(perception, mask, hit.entity, hit.fact_map.get(SAID, ""), hit.kind, SEEN)
        for item in same:
            if is_sighting(item):
                self.pack.remove(item.id)


def is_sighting(item: MemoryItem) -> bool:
    """Whether something was kept because it was seen again, and not because the wearer told it."""
    return item.source.startswith(SEEN)


def picture_of(frame: Pixels, mask: Mask | None) -> bytes:
    """A WebP file of a frame at most 480 pixels a side, in which all but the masked thing is half transparent."""
    scale = min(1.0, PICTURE_SIDE / max(frame.shape[:2]))
    size = [max(1, round(side * scale)) for side in frame.shape[1::-1]]
    small = cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
    if mask is not None:
        inside = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_AREA) if scale < 1 else mask
        opacity = np.where(np.asarray(inside) > 0, 255, AROUND).astype(np.uint8)
        if (opacity == 255).any():
            small = np.dstack([small, opacity])
    done, content = cv2.imencode(".webp", small, [cv2.IMWRITE_WEBP_QUALITY, PICTURE_QUALITY])
    if not done:
        raise ValueError(f"no WebP of {small.shape}")
    return content.tobytes()


def spoken_time(time: datetime) -> str:
    """A moment as it is said, in local time: "Thursday 26 November 2026 at 16:20"."""
    local = time.astimezone()
    return f"{local:%A} {local.day} {local:%B %Y} at {local:%H:%M}"
