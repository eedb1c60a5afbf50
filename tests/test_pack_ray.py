"""Packs whose pictures Ray embedded are those that one process makes, to the byte."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from edge_builders import GREEN, RED
from PIL import Image

from pixsearch.index.work import FILE_NAME

Run = Callable[..., Result]


def a_collection(folder: Path) -> Path:
    """A cut-out, a photograph with a box, a plain one, and a picture that is none."""
    folder.mkdir()
    noise = np.random.default_rng(0)
    cut_out = noise.integers(0, 256, (60, 80, 4), np.uint8)
    cut_out[..., 3] = 0
    cut_out[10:40, 20:70, 3] = 255
    Image.fromarray(cut_out).save(folder / "cut.png")
    for name, colour in (("box.png", RED), ("plain.png", GREEN)):
        picture = noise.integers(100, 140, (90, 120, 3), np.uint8)
        picture[20:60, 30:80] = colour
        Image.fromarray(picture).save(folder / name)
    (folder / "broken.png").write_bytes(b"no picture")
    rows = [{"id": "cut", "name": "Cut", "images": ["cut.png"], "facts": {"maker": "Norvik"}},
            {"id": "box", "name": "Box", "images": [{"file": "box.png", "box": [30, 20, 80, 60]}, "plain.png"]},
            {"id": "broken", "name": "Broken", "images": ["broken.png"]}]
    (folder / "entities.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.loopback
def test_ray_and_one_process_make_the_same_pack(run: Run, red_bundle: Path, tmp_path: Path) -> None:
    source = a_collection(tmp_path / "source")
    for engine in ("local", "ray"):
        result = run("pack", "build", str(source), "-o", str(tmp_path / engine / "things.pxpack"), "--skip-bad",
                     "--bundle", str(red_bundle), "--engine", engine)
        assert result.exit_code == 0, result.output
        assert "entities.jsonl:3" in result.stderr, "the build says where the broken picture stands"
    assert content(tmp_path / "ray" / "things.pxpack") == content(tmp_path / "local" / "things.pxpack")
    assert (tmp_path / "ray" / "things.pxpack.work" / FILE_NAME).is_file()


def test_an_address_without_ray_is_a_misuse(run: Run, tmp_path: Path) -> None:
    result = run("pack", "build", str(tmp_path), "-o", str(tmp_path / "p.pxpack"), "--address", "ray://host:1")
    assert result.exit_code == 2 and "--engine ray" in result.stderr
