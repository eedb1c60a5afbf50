"""`python -m pixsearch.apps.parity_report -o docs/parity.md`: the shipped bundle beside its float32 twin.

Graph by graph on the inputs that they get while questions are answered, and end to end on validation questions.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import jinja2
import numpy as np

from pixsearch.apps.console import PATH, OneCommand
from pixsearch.apps.defaults import EVERYDAY_PACK, PHOTOS, verified_with
from pixsearch.apps.eval_scenes import DATA, opened_scenes, scene_questions, shown_entity
from pixsearch.apps.extras import needs_extra
from pixsearch.apps.floors import machine
from pixsearch.apps.judged import Judged, first_search, judge_answer, judged_scores
from pixsearch.apps.provenance import bundle_hash, commit
from pixsearch.apps.scores import mean, share
from pixsearch.apps.ways import Asker
from pixsearch.contract import graphs
from pixsearch.contract.closeness import Closeness
from pixsearch.contract.files import write_atomic
from pixsearch.contract.grammar import Modality
from pixsearch.contract.images import read_image
from pixsearch.contract.masks import decode_mask
from pixsearch.edge.answer import Answer
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.bundle import Bundle, default_bundle
from pixsearch.edge.embedder import BundleEmbedder
from pixsearch.edge.replay import Call, recorded
from pixsearch.edge.self_check import Checked, self_check
from pixsearch.index.pack import Pack
from pixsearch.index.search import Library

if TYPE_CHECKING:
    from pixsearch.model.data.records import Sample, Scene

QUESTIONS = 300
CALLS = 60  # of every graph, that are run again by the twin
PHOTO_QUESTION = "What is this, and what is it known for?"
SPLIT = "validation"
TEMPLATE = "parity.md.j2"
METRICS = ("accuracy", "missing", "hallucination", "modality_accuracy", "giou", "region_recall_at_1",
           "region_recall_at_10", "image_recall_at_1", "well_formed")


@dataclass(frozen=True)
class Compared:
    """A graph beside its twin. restored : weights that have their float32 originals in the twin."""

    calls: int
    restored: int
    close: Closeness


@dataclass(frozen=True)
class Pair:
    """One question, asked of both: answers and what they are worth, the bundle's first."""

    answers: tuple[Answer, Answer]
    judged: tuple[Judged, Judged]

    @property
    def mask_iou(self) -> float | None:
        """Of the first things that both cut out; None where one did not."""
        masks = [next((search.mask for search in answer.searches if search.modality is Modality.REGION and search.mask),
                      None) for answer in self.answers]
        if None in masks:
            return None
        ours, theirs = (decode_mask(mask) for mask in masks if mask)
        return float((ours & theirs).sum() / max(1, (ours | theirs).sum()))


def compare_graphs(bundle: Bundle, twin: Bundle, most: int = CALLS) -> dict[str, Compared]:
    """Ask about every shipped photograph and let the twin run the same graphs on the same inputs."""
    with Pack.open(EVERYDAY_PACK, bundle.embedder_id) as pack, recorded(bundle, most) as calls:
        assistant = Assistant(bundle, Library([pack]))
        for photo in sorted(PHOTOS.glob("*.jpg")):
            frame = read_image(photo)
            assistant.ask(frame, PHOTO_QUESTION, (frame.shape[1] / 2, frame.shape[0] / 2))
            BundleEmbedder(bundle).text(f"{photo.stem}, {PHOTO_QUESTION}")
    restored = twin.manifest.get("restored", {})
    return {name: Compared(len(calls[name]), restored.get(name, 0), replay(twin, name, calls[name]))
            for name in graphs.GRAPHS}


def replay(twin: Bundle, name: str, calls: Sequence[Call]) -> Closeness:
    """How far the twin's outputs are from those that were recorded."""
    session = twin.session(name)
    return Closeness.worst(Closeness.of_all(call.outputs, session.run(call.feeds)) for call in calls)


@needs_extra("train")
def compare_answers(bundle: Bundle, twin: Bundle, count: int, data: Path = DATA) -> list[Pair]:
    """Ask both about `count` validation scenes, with the same packs."""
    asker, pairs = Asker(data), []
    with (opened_scenes(bundle, SPLIT, data) as (libraries, materials),
          click.progressbar(scene_questions(materials, count), count, label="questions", file=sys.stderr,
                            show_pos=True) as bar):
        for scene, sample in bar:
            own = libraries.for_sample(sample)
            shown = shown_entity(materials, scene, sample)
            asked = [_asked(asker, one, scene, sample, shown) for one in (own, Assistant(twin, own.library))]
            pairs.append(Pair((asked[0][0], asked[1][0]), (asked[0][1], asked[1][1])))
    return pairs


def _asked(asker: Asker, assistant: Assistant, scene: "Scene", sample: "Sample", shown: str | None
           ) -> tuple[Answer, Judged]:
    answer, seen = asker.ask(assistant, scene, sample)
    return answer, judge_answer(assistant, seen, scene, sample, answer, shown)


def agreement(pairs: Sequence[Pair]) -> dict[str, float | None]:
    """How often both do the same, as shares; mask_iou is a mean."""
    overlaps = [pair.mask_iou for pair in pairs if pair.mask_iou is not None]
    return {
        "the same answer, word for word": share(one.answer == other.answer for one, other in _answers(pairs)),
        "the same trace": share(one.trace == other.trace for one, other in _answers(pairs)),
        "the same verdict": share(one.verdict == other.verdict for one, other in _judged(pairs)),
        "the same first search": share(first_search(one) == first_search(other) for one, other in _judged(pairs)),
        "mean IoU of both masks, where both cut out": mean(overlaps),
        "masks with an IoU of at least .95": share(one >= 0.95 for one in overlaps),
    }


def _answers(pairs: Sequence[Pair]) -> list[tuple[Answer, Answer]]:
    return [pair.answers for pair in pairs]


def _judged(pairs: Sequence[Pair]) -> list[tuple[Judged, Judged]]:
    return [pair.judged for pair in pairs]


@needs_extra("export")
def originals() -> dict[str, Any]:
    """Float32 weights that are at hand: EfficientNet-Lite0's, by the end of their name in a graph."""
    from pixsearch.model.vision import efficientnet_lite0

    trunk, _, _ = efficientnet_lite0()
    return {f"trunk.{name}": tensor.numpy() for name, tensor in trunk.state_dict().items()}


@needs_extra("export")
def against_torch() -> dict[str, dict[str, Closeness]]:
    """A random model of the tiny size, exported, beside torch in float32: by precision and graph."""
    from pixsearch.export.bundle import export_bundle
    from pixsearch.export.parity import parity
    from pixsearch.model.prepare import prepare
    from pixsearch.model.sizes import SIZES

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = prepare(SIZES["tiny"], Path(folder), Path(folder))
        for precision in ("fp32", "int8"):
            export_bundle(checkpoint, bundle := Path(folder) / precision, precision)
            found[precision] = parity(checkpoint, bundle, [PHOTOS / "cat.jpg"])
    return found


def page(bundle: Bundle, compared: Mapping[str, Compared], checked: Mapping[str, Checked],
         torch: Mapping[str, Mapping[str, Closeness]], pairs: Sequence[Pair], made_by: str | None) -> str:
    """The report as Markdown. made_by : the commit"""
    environment = jinja2.Environment(loader=jinja2.PackageLoader("pixsearch.apps"), keep_trailing_newline=True,
                                     trim_blocks=True, lstrip_blocks=True)
    scores = [judged_scores([pair.judged[side] for pair in pairs]) for side in (0, 1)]
    return environment.get_template(TEMPLATE).render(
        bundle=bundle.name, hash=bundle_hash(bundle.folder), commit=made_by or "unknown", machine=machine(),
        compared=compared, checked=checked, torch=torch, count=len(pairs), agreement=agreement(pairs),
        cut=sum(pair.mask_iou is not None for pair in pairs),
        scores=[(name, *(one[name] for one in scores)) for name in METRICS if all(name in one for one in scores)],
        metrics_differ=float(np.max([abs(scores[0][name] - scores[1][name]) for name in METRICS
                                     if all(name in one for one in scores)])))


@needs_extra("export")
def make_twin(bundle: Bundle, folder: Path) -> Bundle:
    """The bundle's float32 twin, written to a folder."""
    from pixsearch.export.twin import write_twin

    return Bundle.load(write_twin(bundle.folder, folder, originals()), threads=bundle.threads)


@click.command(cls=OneCommand)
@click.argument("folder", type=PATH, required=False)
@click.option("-o", "--output", type=PATH, default=Path("docs/parity.md"), show_default=True)
@click.option("--questions", type=click.IntRange(min=1), default=QUESTIONS, show_default=True,
              help="Of the validation split.")
@click.option("--data", type=PATH, default=DATA, show_default=True, help="The folder that `make data` filled.")
def main(folder: Path | None, output: Path, questions: int, data: Path) -> None:
    """Compare a bundle (the shipped one unless FOLDER is given) with its float32 twin, and write the page."""
    bundle, made_by = Bundle.load(folder or default_bundle()), commit()
    checked, torch = self_check(bundle.folder, verified_with()), against_torch()
    with tempfile.TemporaryDirectory() as temporary:
        twin = make_twin(bundle, Path(temporary) / "twin")
        compared = compare_graphs(bundle, twin)
        pairs = compare_answers(bundle, twin, questions, data)
    text = page(bundle, compared, checked, torch, pairs, made_by)
    write_atomic(output, text.encode())
    click.echo(text)


if __name__ == "__main__":
    main(prog_name="python -m pixsearch.apps.parity_report")
