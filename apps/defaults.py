"""What the commands use when nothing else is named."""

from pathlib import Path

import pixsearch.index

EVERYDAY_PACK = Path(pixsearch.index.__file__).parent / "packs" / "everyday.pxpack"
PHOTOS = Path(__file__).parent / "photos"
DEFAULT_SIZE = "nano"


def packs_or_default(packs: tuple[Path, ...]) -> tuple[Path, ...]:
    """The packs named, or the everyday pack that ships."""
    return packs or (EVERYDAY_PACK,)
