"""A folder of photographs named by what they show.

`birds/robin/1.jpg` and `birds/robin/2.jpg` become the entity "robin" of kind "birds"; `kettle.jpg` and `kettle 2.jpg`
beside each other become one "kettle". A file `….mask.png` is the mask of the picture of that name. The folder that is
written has an entities.csv, so that facts can be filled in with a spreadsheet.
"""

import re
from pathlib import Path

from pixsearch.contract.faults import Fault
from pixsearch.index.importers.folder import Found, Imported, Picture, write_folder

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".heic", ".heif", ".avif"))
MASK = ".mask"
MAX_FILES = 2_000_000
_NUMBERED = re.compile(r"^(?P<base>.+?)[ _-]*[ _(-](?P<number>\d{1,4})\)?$")


def import_photos(source: Path, output: Path, *, skip_bad: bool = False) -> Imported:
    """Write the folder for `pack build` from a folder of photographs. Raises Fault."""
    if not source.is_dir():
        raise Fault(f"source {source}", expected="a folder of photographs", actual="none there",
                    remedy="check the path")
    entities, faults = _grouped(source)
    found: list[Found | Fault] = [*faults, *(_entity(source, place, files) for place, files in entities.items())]
    return write_folder(output, found, label="importing photographs", length=len(found), skip_bad=skip_bad,
                        as_csv=True)


Place = tuple[tuple[str, ...], str]  # the folders below the source, and the entity's name


def _grouped(source: Path) -> tuple[dict[Place, list[Path]], list[Fault]]:
    """Files by entity, and a fault for each that leads outside the source."""
    root, groups, faults = source.resolve(), dict[Place, list[Path]](), list[Fault]()
    for folder, files in _pictures(source).items():
        series = _series([path.stem for path in files])
        for path in files:
            if root not in path.resolve().parents:
                faults.append(Fault(f"image {path}", expected="a file inside the source",
                                    actual="a link that leads out", remedy="copy it there, or pass --skip-bad"))
                continue
            parts = folder.relative_to(source).parts
            place = (parts[:-1], parts[-1]) if parts else ((), series[path.stem])
            groups.setdefault(place, []).append(path)
    return groups, faults


def _pictures(source: Path) -> dict[Path, list[Path]]:
    """Pictures by folder in order of names; hidden files and folders are left out, and so are masks."""
    found: dict[Path, list[Path]] = {}
    count = 0
    for path in sorted(source.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(source).parts)
        if hidden or path.suffix.lower() not in SUFFIXES or path.is_dir() or path.stem.endswith(MASK):
            continue
        if (count := count + 1) > MAX_FILES:
            raise Fault(f"source {source}", expected=f"at most {MAX_FILES} pictures", actual="more",
                        remedy="import it in parts")
        found.setdefault(path.parent, []).append(path)
    return found


def _series(stems: list[str]) -> dict[str, str]:
    """What each file name stands for: the number that ends it is dropped where it counts views of one thing.

    It does where the series starts: there is a "kettle", "kettle 0" or "kettle 1" beside "kettle 2". So a lone
    "Boeing 747" keeps its number.
    """
    numbered = {stem: match for stem in stems if (match := _NUMBERED.fullmatch(stem))}
    starts = set(stems) | {match["base"] for match in numbered.values() if int(match["number"]) <= 1}
    return {stem: numbered[stem]["base"] if stem in numbered and numbered[stem]["base"] in starts else stem
            for stem in stems}


def _entity(source: Path, place: Place, files: list[Path]) -> Found:
    folders, name = place
    where = files[0].parent if files[0].parent != source else files[0]
    key = "/".join([*folders, name])
    pictures = [Picture(path, _mask_of(path)) for path in files]
    return Found(str(where), key, name.replace("_", " "), kind=folders[-1].replace("_", " ") if folders else "",
                 pictures=pictures)


def _mask_of(path: Path) -> Path | None:
    mask = path.with_name(f"{path.stem}{MASK}.png")
    return mask if mask.is_file() and not mask.is_symlink() else None
