"""Wheels of installed packages, packed again from their own files, so that a kit can be tested without network."""

import base64
import csv
import hashlib
import io
import sys
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement


def requirements(names: list[str]) -> dict[str, Distribution]:
    """These packages with all that they need, by name."""
    found: dict[str, Distribution] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name.lower() in found:
            continue
        found[name.lower()] = package = distribution(name)
        for line in package.requires or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                waiting.append(needed.name)
    return found


def pack(package: Distribution, folder: Path) -> Path:
    """One wheel of an installed package's files. Raises PackageNotFoundError where it lists none."""
    if not package.files:
        raise PackageNotFoundError(package.metadata["Name"])
    name = package.metadata["Name"].replace("-", "_").replace(".", "_")
    about = f"{name}-{package.version}.dist-info"
    tags = [line.split(": ")[1].split("-") for line in (package.read_text("WHEEL") or "").splitlines()
            if line.startswith("Tag")]
    tag = "-".join(".".join(dict.fromkeys(part)) for part in zip(*tags, strict=True))
    path = folder / f"{name}-{package.version}-{tag}.whl"
    records = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as wheel:
        for file in package.files:
            source = Path(str(file.locate()))
            if file.name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json") or file.suffix == ".pyc" or (
                    not source.is_file() or ".." in file.parts):  # scripts are made anew from the entry points
                continue
            parts = [about if part.endswith(".dist-info") else part for part in file.parts]
            data = source.read_bytes()
            wheel.writestr("/".join(parts), data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            records.append(("/".join(parts), f"sha256={digest}", len(data)))
        text = io.StringIO()
        csv.writer(text).writerows([*records, (f"{about}/RECORD", "", "")])
        wheel.writestr(f"{about}/RECORD", text.getvalue())
    return path


if __name__ == "__main__":
    for one in requirements(sys.argv[2:]).values():
        pack(one, Path(sys.argv[1]))
