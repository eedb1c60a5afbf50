"""What a measurement was made of: the code's commit and the bundle's hash."""

import subprocess
from pathlib import Path

from pixsearch.contract.files import MANIFEST_NAME, sha256_file

ROOT = Path(__file__).resolve().parent.parent
HASH_DIGITS = 12


def commit() -> str | None:
    """The commit that this code is at, with "+" where files were changed since; None outside of a repository."""
    try:
        head, changes = (subprocess.run(["git", "-C", str(ROOT), *words], check=True, capture_output=True, text=True
                                        ).stdout.strip()
                         for words in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "-uno")))
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("+" if changes else "")


def bundle_hash(folder: Path) -> str:
    """Of a bundle's manifest, which holds the hashes of all its files."""
    return sha256_file(folder / MANIFEST_NAME)[:HASH_DIGITS]
