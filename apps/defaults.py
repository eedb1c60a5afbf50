"""What the commands use when nothing else is named."""

import os
from pathlib import Path

import platformdirs

import pixsearch.index
from pixsearch.contract.images import Pixels, read_image

EVERYDAY_PACK = Path(pixsearch.index.__file__).parent / "packs" / "everyday.pxpack"
PHOTOS = Path(__file__).parent / "photos"
DEFAULT_SIZE = "nano"


def packs_or_default(packs: tuple[Path, ...]) -> tuple[Path, ...]:
    """The packs named, or the everyday pack that ships."""
    return packs or (EVERYDAY_PACK,)


def verified_with() -> tuple[Pixels, Pixels]:
    """Two pictures, uint8 RGB (H, W, 3), that a bundle is tried on."""
    return read_image(PHOTOS / "cat.jpg"), read_image(PHOTOS / "coffee.jpg")


def home() -> Path:
    """Where the wearer's own things are kept: the folder that PIXSEARCH_HOME names, or the user's data folder."""
    return Path(os.environ.get("PIXSEARCH_HOME") or platformdirs.user_data_dir("pixsearch"))


def cloud_settings_file() -> Path:
    """What the wearer allows a server elsewhere; there is none unless the wearer writes it."""
    return home() / "cloud.toml"


def outbound_folder() -> Path:
    """The log of what left the device."""
    return home() / "outbound"


def memory_folder() -> Path:
    """What the wearer asked to remember."""
    return home() / "memory"
