"""How scenes look, a preset a split: what the test split shows, training has not seen."""

from dataclasses import dataclass

from pixsearch.model.data.degrade import Camera, Range
from pixsearch.model.data.records import Split


@dataclass(frozen=True)
class SceneSettings:
    """Ranges and chances that a composed scene is drawn from."""

    counts: tuple[float, ...]  # weight of one thing, two things, …
    side: Range  # longest side of a thing as a share of the frame's height
    degrees: float  # rotation of most things, either way
    wild_chance: float  # of a thing that is rotated by up to WILD_DEGREES
    skew: float  # largest move of a corner as a share of the longest side
    perspective: float  # largest turn of a flat thing in degrees; half of it up or down
    gain: float  # largest relative deviation of a thing's colour gains
    contrast: Range
    offset: float  # largest brightness offset in grey levels
    photographs: float  # share of things that are drawn from photographs, where there are any
    rivals: float  # chance that a scene of several things has two of one noun or of one category
    outside: float  # chance that a thing may hang out of the frame
    occluding: float  # chance that a thing is put near an earlier one
    shadow: float  # chance of a contact shadow
    visible: float  # least visible share of every thing
    close_up: float  # chance of a scene of one thing that fills the frame, as in photographs of one animal
    pile: float  # chance of a scene of big things that lie edge to edge, as on a market stall
    hand: float  # chance that the wearer's hand reaches into the frame
    lens: Range  # strength of the wide-angle lens, see `lens.through_lens`
    tilt: float  # largest rotation of the camera in degrees
    zoom: Range  # the background's window as a share of the largest that fits
    camera: Camera


TRAINING = SceneSettings(
    counts=(0.1, 0.2, 0.22, 0.17, 0.1, 0.06, 0.04, 0.03, 0.03, 0.02, 0.02, 0.01),
    side=(0.12, 0.6),
    degrees=15,
    wild_chance=0.12,
    skew=0.09,
    perspective=45,
    gain=0.12,
    contrast=(0.75, 1.25),
    offset=22,
    photographs=0.45,
    rivals=0.5,
    outside=0.25,
    occluding=0.3,
    shadow=0.5,
    visible=0.5,
    hand=0.1,
    lens=(0, 0.3),
    tilt=10,
    zoom=(0.5, 0.95),
    close_up=0.18,
    pile=0.14,
    camera=Camera(
        exposure=(0.65, 1.35),
        dark_chance=0.15,
        dark_exposure=(0.2, 0.5),
        cast=0.12,
        blur_chance=0.2,
        blur_pixels=(2, 9),
        noise=(0, 6),
        jpeg=(45, 95),
    ),
)
VALIDATION = SceneSettings(
    counts=(0.1, 0.2, 0.22, 0.17, 0.1, 0.06, 0.04, 0.03, 0.03, 0.02, 0.02, 0.01),
    side=(0.12, 0.58),
    degrees=16,
    wild_chance=0.12,
    skew=0.1,
    perspective=48,
    gain=0.13,
    contrast=(0.72, 1.28),
    offset=24,
    photographs=0.5,
    rivals=0.5,
    outside=0.25,
    occluding=0.3,
    shadow=0.5,
    visible=0.5,
    hand=0.12,
    lens=(0.05, 0.32),
    tilt=11,
    zoom=(0.45, 0.9),
    close_up=0.0,
    pile=0.0,
    camera=Camera(
        exposure=(0.6, 1.4),
        dark_chance=0.18,
        dark_exposure=(0.17, 0.45),
        cast=0.13,
        blur_chance=0.22,
        blur_pixels=(3, 10),
        noise=(1, 7),
        jpeg=(40, 92),
    ),
)
TEST = SceneSettings(
    counts=(0.08, 0.18, 0.22, 0.19, 0.1, 0.07, 0.05, 0.04, 0.03, 0.02, 0.01, 0.01),
    side=(0.11, 0.54),
    degrees=20,
    wild_chance=0.15,
    skew=0.12,
    perspective=52,
    gain=0.16,
    contrast=(0.68, 1.3),
    offset=28,
    photographs=0.5,
    rivals=0.5,
    outside=0.3,
    occluding=0.35,
    shadow=0.5,
    visible=0.5,
    hand=0.15,
    lens=(0.1, 0.38),
    tilt=14,
    zoom=(0.4, 0.85),
    close_up=0.0,
    pile=0.0,
    camera=Camera(
        exposure=(0.55, 1.5),
        dark_chance=0.22,
        dark_exposure=(0.14, 0.4),
        cast=0.16,
        blur_chance=0.28,
        blur_pixels=(4, 12),
        noise=(2, 9),
        jpeg=(30, 88),
    ),
)
SETTINGS: dict[Split, SceneSettings] = {Split.TRAIN: TRAINING, Split.VALIDATION: VALIDATION, Split.TEST: TEST}

WILD_DEGREES = 70.0
CLOSE_SIDE, CLOSE_VISIBLE = (0.7, 1.5), 0.35  # of a close-up's thing: longest side, least visible share
PILE_COUNTS = (0, 0, 0, 0, 0, 0, 0.2, 0.2, 0.2, 0.2, 0.1, 0.1)  # as `counts`
PILE_SIDE, PILE_VISIBLE = (0.4, 0.7), 0.3
PILE_KIND = 0.6  # of the piles: all of one category
