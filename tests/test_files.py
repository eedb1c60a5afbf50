"""Files outlive a crash, and a changed byte never goes unnoticed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pixsearch.contract import files
from pixsearch.contract.faults import Fault
from pixsearch.contract.files import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    atomic_directory,
    manifest_checksum,
    read_manifest,
    verify_files,
    write_atomic,
    write_manifest,
)


def a_folder(path: Path, content: bytes = b"old") -> Path:
    with atomic_directory(path) as new:
        (new / "inner").mkdir()
        (new / "inner" / "data.bin").write_bytes(content)
        write_manifest(new, {"kind": "test"})
    return path


def test_a_new_folder_replaces_the_old_one_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    a_folder(tmp_path / "pack")
    a_folder(tmp_path / "pack", b"new")
    assert (tmp_path / "pack/inner/data.bin").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["pack"]


def test_an_error_while_writing_leaves_the_old_folder(tmp_path: Path) -> None:
    a_folder(tmp_path / "pack")
    with pytest.raises(KeyError), atomic_directory(tmp_path / "pack") as new:
        (new / "half").write_bytes(b"x")
        raise KeyError
    verify_files(tmp_path / "pack", read_manifest(tmp_path / "pack", "pack"), "pack")
    assert os.listdir(tmp_path) == ["pack"]


def test_a_process_killed_while_writing_leaves_the_old_folder(tmp_path: Path) -> None:
    a_folder(tmp_path / "pack")
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom pixsearch.contract.files import atomic_directory\n"
        "with atomic_directory(Path(sys.argv[1])) as new:\n"
        "    (new / 'half').write_bytes(b'x')\n    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "pack")], check=False, cwd=Path(__file__).parent.parent
    )
    assert done.returncode == -9
    verify_files(tmp_path / "pack", read_manifest(tmp_path / "pack", "pack"), "pack")


def test_a_rename_that_fails_puts_the_old_folder_back(tmp_path: Path) -> None:
    a_folder(tmp_path / "pack")
    with pytest.raises(FileNotFoundError):
        files._put_in_place(tmp_path / "vanished", tmp_path / "pack")
    verify_files(tmp_path / "pack", read_manifest(tmp_path / "pack", "pack"), "pack")
    assert os.listdir(tmp_path) == ["pack"]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", b"old")
    with pytest.raises(TypeError):
        write_atomic(tmp_path / "a", "no bytes")  # type: ignore[arg-type]
    assert (tmp_path / "a").read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda folder: _flip(folder / "inner/data.bin"), "sha256"),
        (lambda folder: (folder / "inner/data.bin").unlink(), "none there"),
        (lambda folder: (folder / "more").write_bytes(b""), "one more"),
        (lambda folder: (folder / MANIFEST_NAME).unlink(), "none there"),
        (lambda folder: (folder / MANIFEST_NAME).write_bytes(b"{"), "JSON"),
        (lambda folder: (folder / MANIFEST_NAME).write_bytes(b"[]"), "object"),
        (lambda folder: (folder / MANIFEST_NAME).write_bytes(b"{}"), "hashes"),
        (lambda folder: (folder / MANIFEST_NAME).write_bytes(b" " * (MAX_MANIFEST_BYTES + 1)), "bytes"),
        (
            lambda folder: (folder / MANIFEST_NAME).write_text(json.dumps({"files": {"../../x": "0"}})),
            "one more",
        ),
    ],
)
def test_damage_is_named_in_one_line(tmp_path: Path, damage, expected: str) -> None:
    folder = a_folder(tmp_path / "pack")
    damage(folder)
    with pytest.raises(Fault, match=expected) as fault:
        verify_files(folder, read_manifest(folder, "pack"), "pack")
    assert "\n" not in str(fault.value) and str(folder) in str(fault.value)


def test_a_manifest_cannot_reach_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    folder = tmp_path / "pack"
    folder.mkdir()
    with pytest.raises(Fault, match="none there"):
        verify_files(folder, {"files": {"../secret": "0"}}, "pack")


def test_the_checksum_covers_all_but_the_files_of_a_manifest(tmp_path: Path) -> None:
    manifest = read_manifest(a_folder(tmp_path / "pack"), "pack")
    assert manifest["checksum"] == manifest_checksum(manifest)
    assert manifest_checksum({**manifest, "kind": "other"}) != manifest["checksum"]
