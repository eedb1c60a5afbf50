"""Ways to ask the assistant: its own, with less, and with parts of it replaced. All share model and index."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixsearch.apps.baselines import FirstLook, GivenMask, SalientCutter, Unaided, WholeFrame
from pixsearch.apps.directed import Planned, Told
from pixsearch.contract.grammar import Modality, Search
from pixsearch.contract.images import Pixels
from pixsearch.contract.tokenizer import Turn
from pixsearch.edge.answer import Answer
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.perception import Perception

if TYPE_CHECKING:
    from pixsearch.model.data.records import Sample, Scene

REGION, IMAGE, TEXT = Modality.REGION, Modality.IMAGE, Modality.TEXT


@dataclass(frozen=True)
class Way:
    """How the assistant is asked.

    allowed : what it may do, as arguments of `ask`
    cuts    : whose masks region searches cut out: the assistant's "own", its own "unaided" by looks or at the "first"
              look, the "true" ones, what is "salient", or the "whole" frame
    plan    : the searches that are made whatever the model would choose; () leaves the choice to it
    told    : whether searches find what should be found, as traces of training write it
    """

    allowed: Mapping[str, Any] = field(default_factory=dict)
    cuts: str = "own"
    plan: tuple[Modality, ...] = ()
    told: bool = False


FULL = Way()
ABLATIONS = {
    "no_search": Way({"budget": 0}),
    "text_only": Way({"modalities": {TEXT}}),
    "image_only": Way({"modalities": {IMAGE}}),
    "region_only": Way({"modalities": {REGION}}),
    "budget_1": Way({"budget": 1}),
    "budget_3": Way({"budget": 3}),
    "budget_4": Way({"budget": 4}),
    "no_looks": Way(cuts="unaided"),
    "first_look": Way(cuts="first"),
    "salient_mask": Way(cuts="salient"),
    "oracle_mask": Way(cuts="true"),
}
BASELINES = {
    "no_search": ABLATIONS["no_search"],
    "text_only": ABLATIONS["text_only"],
    "whole_image": Way({"modalities": {REGION, IMAGE}}, cuts="whole"),
    "region_only": ABLATIONS["region_only"],
    "always_region_text": Way(plan=(REGION, TEXT)),
    "pipeline": Way(cuts="salient", plan=(REGION,)),
    "oracle_mask": ABLATIONS["oracle_mask"],
    "oracle_evidence": Way(told=True),
    "budget_1": ABLATIONS["budget_1"],
    "budget_2": FULL,  # the assistant's own budget
    "budget_3": ABLATIONS["budget_3"],
    "budget_4": ABLATIONS["budget_4"],
}
PAPER = {  # what PixSearch's tables on CRAG-MM compare the full model with (arXiv 2601.19060)
    "no_search": ABLATIONS["no_search"],
    "text_only": ABLATIONS["text_only"],
    "whole_image": BASELINES["whole_image"],
    "pipeline": BASELINES["pipeline"],
    "without_region": Way({"modalities": {IMAGE, TEXT}}),
    "without_text": Way({"modalities": {REGION, IMAGE}}),
    "without_image": Way({"modalities": {REGION, TEXT}}),
    "budget_1": ABLATIONS["budget_1"],
    "budget_2": FULL,
    "budget_3": ABLATIONS["budget_3"],
    "budget_4": ABLATIONS["budget_4"],
}
_OWN = {"unaided": Unaided, "first": FirstLook, "whole": WholeFrame}  # the assistant's perception, with less


class Asker:
    """Asks about composed scenes in any way."""

    def __init__(self, data: Path) -> None:
        """data : the folder that `make data` filled"""
        self._data = data
        self._salient: SalientCutter | None = None

    def ask(self, assistant: Assistant, scene: "Scene", sample: "Sample", way: Way = FULL,
            history: tuple[Turn, ...] | None = None) -> tuple[Answer, Perception]:
        """The answer to a sample's question, and the perception that it was found with.

        history : earlier turns; the sample's own unless given
        """
        perception = self._perceive(assistant, scene, sample, way)
        answer = _directed(assistant, sample, way).ask(
            scene.frame, sample.question, sample.point, perception=perception,
            history=sample.history if history is None else history, **way.allowed)
        return answer, perception

    def _perceive(self, assistant: Assistant, scene: "Scene", sample: "Sample", way: Way) -> Perception:
        targets = region_targets(sample)
        if way.cuts == "true" and targets:
            return GivenMask(assistant.bundle, scene.frame, *(scene.placed[target].mask for target in targets))
        return self.perceive(assistant, scene.frame, way)

    def perceive(self, assistant: Assistant, frame: Pixels, way: Way) -> Perception:
        """How a way sees a frame of which nothing else is known: uint8 RGB (H, W, 3)."""
        if way.cuts == "salient":
            self._salient = self._salient or SalientCutter(self._data)
            return GivenMask(assistant.bundle, frame, self._salient(frame))
        if way.cuts in _OWN:
            return _OWN[way.cuts](assistant.bundle, frame)
        return assistant.perceive(frame)


def region_targets(sample: "Sample") -> list[int]:
    """What the region searches of a sample's trace are about, in their order: indices into Scene.placed."""
    searched = [at for at, one in enumerate(sample.trace)
                if isinstance(one, Search) and one.modality is REGION]
    spans = [[span for span in sample.spans if span.segment < at] for at in searched]
    return [before[-1].target for before in spans if before]


def directed(assistant: Assistant, way: Way) -> Assistant:
    """The assistant, or one that makes the searches of the way's plan."""
    return Planned(assistant, way.plan) if way.plan else assistant


def _directed(assistant: Assistant, sample: "Sample", way: Way) -> Assistant:
    if way.told:
        return Told(assistant, [one.evidence or "" for one in sample.trace if isinstance(one, Search)])
    return directed(assistant, way)
