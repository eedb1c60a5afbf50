"""The photographs that serve as backgrounds, split by hand so that no photograph is in two splits."""

from pathlib import Path

from PIL import Image

from pixsearch.contract.faults import Fault
from pixsearch.model.data.records import Place, Split

FOLDER = "places"
HALVES = ("left", "right")  # one photograph gives two places that share no pixel
HALF_HEIGHT = 1080  # pixels at most: twice a frame's height and a little more is all that a crop needs
MAX_PHOTOGRAPH_PIXELS = 40_000_000

# Judged by eye: drawings, renders and abstract patterns among the wallpapers are left out.
PHOTOGRAPHS: dict[Split, tuple[str, ...]] = {
    Split.TRAIN: (
        "BytheWater",
        "ColorfulCups",
        "DarkestHour",
        "EveningGlow",
        "FreshFlower",
        "Garden",
        "Grey",
        "Kite",
        "LadyBird",
        "OneStandsOut",
        "RainDrops",
        "TwoWings",
        "YellowFlower",
    ),
    Split.VALIDATION: ("Aqua", "Dune", "FallenLeaf"),
    Split.TEST: ("Blinds", "ColdRipple", "GreenMeadow", "Path", "Storm", "Wood", "summer_1am"),
}


def load_places(root: Path) -> list[Place]:
    """Every background half below `root` in a stable order; `root` is the folder that `make_data` filled.

    Raises Fault when a split has no place.
    """
    folder = root / FOLDER
    places = [
        Place(f"{name}/{half}", split, path)
        for split, names in PHOTOGRAPHS.items()
        for name in names
        for half in HALVES
        if (path := folder / f"{name}-{half}.jpg").is_file()
    ]
    for split in Split:
        if not any(place.split is split for place in places):
            raise Fault(
                f"backgrounds in {folder}",
                expected=f"photographs of the {split} split",
                actual="none",
                remedy="run `make data`",
            )
    return places


def cut_halves(photograph: Path, name: str, folder: Path) -> None:
    """Write the halves of a photograph as `folder/NAME-left.jpg` and `folder/NAME-right.jpg`."""
    with Image.open(photograph) as opened:
        if opened.width * opened.height > MAX_PHOTOGRAPH_PIXELS:
            raise Fault(
                f"photograph {photograph}",
                expected=f"at most {MAX_PHOTOGRAPH_PIXELS} pixels",
                actual=f"{opened.width}x{opened.height}",
                remedy="leave it out of the table of places",
            )
        picture = opened.convert("RGB")
    if picture.height > HALF_HEIGHT:
        picture = picture.resize(
            (round(picture.width * HALF_HEIGHT / picture.height), HALF_HEIGHT), Image.Resampling.LANCZOS
        )
    middle = picture.width // 2
    boxes = ((0, 0, middle, picture.height), (middle, 0, picture.width, picture.height))
    for half, box in zip(HALVES, boxes, strict=True):
        picture.crop(box).save(folder / f"{name}-{half}.jpg", quality=92)
