"""CRAG-MM's five problems of egocentric pictures (arXiv 2510.26160), each with a level from 0, none, to 3, heavy."""

from collections.abc import Sequence
from enum import StrEnum


class Problem(StrEnum):
    LOW_LIGHT = "low light"
    BLUR = "blur"
    ROTATION = "rotation"
    TRUNCATION = "truncation"
    OCCLUSION = "occlusion"


# From which value on a problem has level 1, 2 and 3.
_STEPS: dict[Problem, Sequence[float]] = {
    Problem.LOW_LIGHT: (2.0, 3.0, 5.0),  # how many times darker than a well-exposed frame, in linear light
    Problem.BLUR: (3.0, 6.0, 9.0),  # length of the smear in pixels of a frame 640 wide
    Problem.ROTATION: (10.0, 15.0, 20.0),  # of the camera, degrees either way
    Problem.TRUNCATION: (0.05, 0.2, 0.35),  # share of a thing that is out of the frame
    Problem.OCCLUSION: (0.05, 0.2, 0.35),  # share of a thing that others hide
}


def level(problem: Problem, value: float) -> int:
    """How heavy a problem is, 0..3, from what it is measured by (see `_STEPS`)."""
    return sum(value >= step for step in _STEPS[problem])
