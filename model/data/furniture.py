"""The 3D models of Sweet Home 3D's furniture catalogues: what they are, and where their files lie."""

import zipfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import javaproperties

from pixsearch.contract.faults import Fault
from pixsearch.model.data.furniture_names import noun_of, sort_of

FOLDER = "furniture"  # below the data root
CATALOGUE = "PluginFurnitureCatalog.properties"
ENCODING = "latin-1"
PICTURES = (".jpg", ".jpeg", ".png", ".bmp")
MAX_MODEL_BYTES, MAX_CATALOGUE_BYTES = 32 << 20, 256 << 20  # unpacked
DROPPED_CATEGORIES = ("Doors and windows", "Staircases")


@dataclass(frozen=True)
class Model:
    """A 3D model."""

    id: str  # unique and stable, e.g. "furniture/scopia/teapot"
    noun: str  # lower-case English, e.g. "teapot"; many models share one
    category: str  # coarse sort, e.g. "furniture"
    creator: str  # for credit
    path: Path  # Wavefront OBJ; its materials and textures lie beside it
    size: tuple[float, float, float]  # width, depth, height in centimetres


def load_models(root: Path) -> list[Model]:
    """Every usable model below `root`, the folder that `make_data` filled, in a stable order.

    Raises Fault when there is none.
    """
    models = [model for path in sorted((root / FOLDER).glob(f"*/{CATALOGUE}")) for model in _catalogue(path)]
    if not models:
        raise Fault(f"3D models in {root / FOLDER}", expected=f"catalogues with a file {CATALOGUE}", actual="none",
                    remedy="run `make data`")
    return sorted(models, key=lambda model: model.id)


def _catalogue(path: Path) -> list[Model]:
    rows: dict[str, dict[str, str]] = defaultdict(dict)
    with path.open(encoding=ENCODING) as stream:
        for key, value in javaproperties.load(stream).items():
            name, _, number = key.partition("#")
            rows[number][name] = value
    models = (_model(path.parent, row) for row in rows.values() if "model" in row and not _is_building_part(row))
    return [model for model in models if model is not None]


def _is_building_part(row: Mapping[str, str]) -> bool:
    return row.get("category") in DROPPED_CATEGORIES or row.get("doorOrWindow") == "true"


def _model(folder: Path, row: Mapping[str, str]) -> Model | None:
    relative = Path(row["model"].lstrip("/"))
    noun = noun_of(row["name"])
    if noun is None:
        return None
    width, depth, height = (float(row[side]) for side in ("width", "depth", "height"))
    return Model(f"{FOLDER}/{relative.parent.as_posix().lower()}", noun, sort_of(noun), row.get("creator", ""),
                 folder / relative, (width, depth, height))


def unpack_catalogue(archive: Path, folder: Path) -> None:
    """Write the models, textures and table of one catalogue (.sh3f, a zip file) below `folder`.

    Raises Fault when the archive is damaged, too large, or leaves the folder.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            wanted = [member for member in opened.infolist() if _is_wanted(member.filename)]
            if sum(member.file_size for member in wanted) > MAX_CATALOGUE_BYTES \
                    or any(member.file_size > MAX_MODEL_BYTES for member in wanted):
                raise Fault(f"catalogue {archive.name}", expected=f"at most {MAX_CATALOGUE_BYTES} bytes, "
                            f"{MAX_MODEL_BYTES} a file", actual="more", remedy="check the package")
            opened.extractall(folder, wanted)  # zipfile drops absolute paths and ".."
    except zipfile.BadZipFile as error:
        raise Fault(f"catalogue {archive.name}", expected="a zip file", actual=str(error),
                    remedy="download the package again") from error


def _is_wanted(member: str) -> bool:
    path = Path(member)
    is_part = path.suffix.lower() in (".obj", ".mtl", *PICTURES) and len(path.parts) > 2  # icons lie above
    return is_part or path.name in (CATALOGUE, "LICENSE.TXT")
