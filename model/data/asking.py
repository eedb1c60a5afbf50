"""What every question maker is given."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from pixsearch.model.data.geometry import View
from pixsearch.model.data.knowledge import World
from pixsearch.model.data.records import Entity, Sample, Scene, Split
from pixsearch.model.data.referring import Reference, refer, thing_called
from pixsearch.model.data.writing import Writer, check

FAILED_SHARE = 0.14  # of searches in training that find nothing of use


@dataclass(frozen=True)
class Asking:
    """One scene and all that questions about it may draw on."""

    scene: Scene
    entities: Mapping[str, Entity]  # by Thing.id
    world: World
    split: Split
    rng: Random
    stage: int
    failed_share: float = FAILED_SHARE

    @cached_property
    def view(self) -> View:
        return View(self.scene, [thing_called(one.thing) for one in self.scene.placed])

    @cached_property
    def pool(self) -> list[Entity]:
        """All things' entities."""
        return list(self.entities.values())

    def fails(self) -> bool:
        """Whether the next search finds nothing of use."""
        return self.rng.random() < self.failed_share

    def refer(
        self, target: int | None = None, avoid: tuple[str, ...] = (), *, by_kind: bool = False
    ) -> Reference | None:
        """Words for a thing, or for a random one that is clearly visible; see `referring.refer`."""
        if target is None:
            if not self.view.clear:
                return None
            target = self.rng.choice(self.view.clear)
        return refer(self.view, target, self.split, self.rng, avoid=avoid, by_kind=by_kind)

    def sample(self, kind: str, question: str, writer: Writer, answer: str, **fields: Any) -> Sample:
        """A checked sample; `fields` are those of Sample that have defaults, and `modality`."""
        trace, spans = writer.trace()
        return check(
            Sample(
                self.scene.seed,
                self.split,
                self.stage,
                kind,
                question,
                trace,
                answer,
                fields.pop("modality", None),
                spans,
                **fields,
            )
        )
