"""A bundle proves on the device that it works: hashes, then what its graphs say about two pictures.

A bundle carries no reference outputs. What every graph was given while the pictures were looked at is run again without
any optimisation and on one thread: a kernel that goes wrong on this processor, a number that overflows, or an engine
that says something else than its graph shows. A weight that is wrong and keeps numbers finite is not found so: hashes
stand for weights.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixsearch.contract import graphs
from pixsearch.contract.closeness import Closeness
from pixsearch.contract.faults import Fault
from pixsearch.contract.images import Pixels
from pixsearch.edge.assistant import Assistant
from pixsearch.edge.bundle import REEXPORT, Bundle
from pixsearch.edge.language import BundleLanguage
from pixsearch.edge.replay import Call, recorded
from pixsearch.edge.sessions import open_plain
from pixsearch.index.search import Library

LEAST_COSINE = 0.99  # half precision and int8 activations round otherwise; a wrong kernel is far below
SAME = 1e-5  # relative difference below which a graph says the same about two pictures
UNIT_ERROR = 1e-2  # of a vector's length
UNIT = {graphs.REGION: "vector", graphs.TEXT: "vector"}
QUESTIONS = ("What is this?", "Which animal do you see here?")  # one a picture


@dataclass(frozen=True)
class Checked:
    """calls : how many were compared; close : with the plain run of the same graph."""

    calls: int
    close: Closeness


def self_check(folder: Path, pictures: tuple[Pixels, Pixels]) -> dict[str, Checked]:
    """Check every byte of a bundle, then what it says. Raises Fault for the first thing that is wrong.

    pictures : two different ones, uint8 RGB (H, W, 3), with something in their middle
    """
    bundle = Bundle.load(folder)
    try:
        return _checked(bundle, pictures)
    except Fault:
        raise
    except Exception as error:  # the runtime raises kinds of its own, without a common base
        raise Fault(f"bundle {folder}", expected="graphs that run on what they are given", actual=str(error)[:200],
                    remedy=REEXPORT) from error


def _checked(bundle: Bundle, pictures: tuple[Pixels, Pixels]) -> dict[str, Checked]:
    with Assistant(bundle, Library([])) as assistant:
        with recorded(bundle) as calls:
            masks = [_look(assistant, picture, question)
                     for picture, question in zip(pictures, QUESTIONS, strict=True)]
        for name in graphs.GRAPHS:
            _check_numbers(bundle, name, calls[name])
        if all(masks):
            raise _wrong(bundle, graphs.MASK, "a mask of something in a picture", "blank masks")
        answer = assistant.ask(pictures[0], QUESTIONS[0], _middle(pictures[0]))  # checks its trace when it is made
    if not np.isfinite(answer.confidence):
        raise _wrong(bundle, graphs.LANGUAGE, "a confidence", str(answer.confidence))
    return {name: Checked(len(calls[name]), _compared(bundle, name, calls[name])) for name in graphs.GRAPHS}


def _look(assistant: Assistant, picture: Pixels, question: str) -> bool:
    """Run every graph on a picture; returns whether its mask was blank."""
    bundle = assistant.bundle
    seen = assistant.perceive(picture)
    _, hidden = BundleLanguage(bundle, seen.image_tokens).feed(bundle.tokenizer.prompt(question))
    segment = seen.segment(hidden[-3:-1], _middle(picture))
    seen.region_vector(segment.mask)
    bundle.session(graphs.TEXT).run({"ids": np.array([bundle.tokenizer.encode(question)], np.int64)})
    return segment.fallback


def _middle(picture: Pixels) -> tuple[float, float]:
    return picture.shape[1] / 2, picture.shape[0] / 2


def _check_numbers(bundle: Bundle, name: str, calls: list[Call]) -> None:
    """Finite, of unit length where they should be, and not the same about everything."""
    for call in calls:
        for output, values in call.outputs.items():
            if not np.isfinite(values).all():
                raise _wrong(bundle, name, "finite numbers", f"some in {output!r} that are not")
        if name in UNIT and abs(float(np.linalg.norm(call.outputs[UNIT[name]])) - 1) > UNIT_ERROR:
            raise _wrong(bundle, name, "a vector of unit length", "another length")
    first, second = calls[0].outputs, calls[-1].outputs
    if all(first[one].shape == second[one].shape and Closeness.of(first[one], second[one]).relative < SAME
           for one in first):
        raise _wrong(bundle, name, "different outputs for two pictures", "the same")


def _compared(bundle: Bundle, name: str, calls: list[Call]) -> Closeness:
    plain = open_plain(bundle.folder / graphs.graph_file(name))
    close = Closeness.worst(Closeness.of_all(call.outputs, plain.run(call.feeds)) for call in calls)
    if not close.cosine >= LEAST_COSINE:
        raise _wrong(bundle, name, f"outputs as without optimisation, cosine at least {LEAST_COSINE}",
                     f"{close.cosine:.3f}")
    return close


def _wrong(bundle: Bundle, name: str, expected: str, actual: str) -> Fault:
    return Fault(f"graph {bundle.folder / graphs.graph_file(name)}", expected=expected, actual=actual, remedy=REEXPORT)
