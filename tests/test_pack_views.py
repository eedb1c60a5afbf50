"""From pictures to views: what is cut out of a plain photograph, what is dropped, and where a build goes on."""

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from edge_builders import GREY, a_frame
from numpy.typing import NDArray
from PIL import Image
from test_pack_build import Histogram, a_folder, contents

from pixsearch.contract.faults import Fault
from pixsearch.contract.images import read_image, read_image_with_alpha
from pixsearch.edge.bundle import Bundle
from pixsearch.edge.salient import SalientCutter
from pixsearch.index.build import build_pack, work_folder
from pixsearch.index.pack import Pack, info, verify
from pixsearch.index.views import fingerprint
from pixsearch.index.work import FILE_NAME

PHOTOS = Path(__file__).parents[1] / "apps" / "photos"
STEPS = 6


class Counting(Histogram):
    """Counts what is embedded."""

    def __init__(self) -> None:
        self.regions = self.texts = 0

    def region(self, rgb: NDArray[np.uint8], mask: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        self.regions += 1
        return super().region(rgb, mask)

    def text(self, text: str) -> NDArray[np.float32]:
        self.texts += 1
        return super().text(text)


def photographs(folder: Path) -> Path:
    """A folder of six entities with a photograph each."""
    folder.mkdir()
    rows = []
    for path in sorted(PHOTOS.glob("*.jpg"))[:STEPS]:
        Image.fromarray(read_image(path)[::2, ::2]).save(folder / f"{path.stem}.png")
        rows.append({"id": path.stem, "name": path.stem, "images": [f"{path.stem}.png"]})
    (folder / "entities.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def built(folder: Path, output: Path, embed: Histogram, work: Path | None = None) -> dict[str, bytes]:
    build_pack(folder, output, embed, "p", "CC0-1.0", work=work)
    return contents(output)


def test_a_plain_photograph_gives_a_region_view_of_what_stands_out(run: Run, photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "things"
    folder.mkdir()
    Image.fromarray(a_frame()).save(folder / "box.png")
    Image.fromarray(np.full((60, 80, 3), GREY, np.uint8)).save(folder / "fog.png")
    (folder / "entities.jsonl").write_text(
        '{"id": "box", "name": "box", "images": ["box.png"]}\n{"id": "fog", "name": "fog", "images": ["fog.png"]}\n')
    assert run("pack", "build", folder, "-o", tmp_path / "p.pxpack").exit_code == 0
    counts = info(tmp_path / "p.pxpack")["counts"]
    assert (counts["regions"], counts["images"]) == (1, 2)
    first = tmp_path / "p.pxpack" / "thumbnails" / "00000001.webp"
    rgb, _ = read_image_with_alpha(first)
    assert abs(rgb.shape[0] - 60) <= 8 and rgb[30, 30, 0] > 200 > 60 > rgb[30, 30, 1]


def test_a_large_photograph_is_cut_out_at_its_own_size(red_bundle: Path) -> None:
    frame = a_frame(box=(900, 300, 1500, 900), height=1200, width=2400)
    mask = SalientCutter(Bundle.load(red_bundle, threads=1))(frame)
    assert mask is not None and mask.shape == frame.shape[:2] and mask[600, 1200] and not mask[600, 200]
    assert abs(int(mask.sum()) - 600 * 600) < 0.1 * 600 * 600


def test_a_cutter_s_name_changes_with_the_bundle_s_graphs(red_bundle: Path) -> None:
    bundle = Bundle.load(red_bundle, threads=1)
    first = SalientCutter(bundle).id
    assert first == SalientCutter(Bundle.load(red_bundle, threads=1)).id
    bundle.manifest["files"]["mask.onnx"] = "0" * 64
    assert SalientCutter(bundle).id != first


def changed(picture: NDArray[np.uint8], how: str) -> NDArray[np.uint8]:
    image = Image.fromarray(picture)
    if how == "saved again":
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=60)
        return np.array(Image.open(stream))
    if how == "smaller":
        return np.array(image.resize((image.width // 2, image.height // 2)))
    if how == "brighter":
        return np.minimum(picture.astype(int) + 6, 255).astype(np.uint8)
    return {"turned": np.rot90(picture), "cut in half": picture[: len(picture) // 2]}[how].copy()


@pytest.mark.parametrize(("how", "repeated"), [
    ("saved again", 1), ("smaller", 1), ("brighter", 1), ("turned", 0), ("cut in half", 0)])
def test_views_that_repeat_another_are_dropped_and_counted(tmp_path: Path, how: str, repeated: int) -> None:
    picture = read_image(PHOTOS / "coffee.jpg")
    folder = tmp_path / "rows"
    folder.mkdir()
    Image.fromarray(picture).save(folder / "one.png")
    Image.fromarray(changed(picture, how)).save(folder / "two.png")
    (folder / "entities.jsonl").write_text('{"id": "cup", "name": "cup", "images": ["one.png", "two.png"]}\n')
    counts = build_pack(folder, tmp_path / "p.pxpack", Histogram(), "p", "CC0-1.0")["counts"]
    assert (counts["repeated"], counts["images"]) == (repeated, 2 - repeated)


def test_two_things_of_one_vector_that_look_different_both_stay(tmp_path: Path) -> None:
    """The histogram of a turned picture is the same; only the fingerprint tells."""
    picture = read_image(PHOTOS / "cat.jpg")
    assert np.allclose(Histogram().region(picture, None), Histogram().region(np.rot90(picture).copy(), None))
    assert (fingerprint(picture) ^ fingerprint(np.rot90(picture))).bit_count() > 15


def test_the_same_picture_of_two_entities_stays_with_both(tmp_path: Path) -> None:
    rows: list[object] = [{"id": key, "name": key, "images": ["red.png"]} for key in ("a", "b")]
    folder = a_folder(tmp_path / "rows", rows)
    assert build_pack(folder, tmp_path / "p.pxpack", Histogram(), "p", "CC0")["counts"]["images"] == 2


def test_a_second_build_embeds_only_what_is_new(tmp_path: Path) -> None:
    folder, output = photographs(tmp_path / "rows"), tmp_path / "p.pxpack"
    first, second, third = Counting(), Counting(), Counting()
    whole = built(folder, output, first, work_folder(output))
    assert built(folder, output, second, work_folder(output)) == whole
    assert (first.regions, second.regions, second.texts) == (STEPS, 0, 0)
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(folder / "aloe.png")
    assert built(folder, output, third, work_folder(output)) == built(folder, tmp_path / "q", Counting())
    assert (third.regions, third.texts) == (1, 0)


KILLED = """
    import os, signal, sys
    sys.path.insert(0, {tests!r})
    from pathlib import Path
    from pixsearch.index import build, work
    from test_pack_views import Counting
    work.KEPT_EVERY_S = -1.0
    class Killed(Counting):
        def region(self, rgb, mask):
            if self.regions == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().region(rgb, mask)
    output = Path({output!r})
    build.build_pack(Path({folder!r}), output, Killed(), "p", "CC0-1.0", work=build.work_folder(output))
"""


def test_a_killed_build_goes_on_and_gives_the_bytes_of_one_that_was_not(tmp_path: Path) -> None:
    folder, output = photographs(tmp_path / "rows"), tmp_path / "killed" / "p.pxpack"
    code = textwrap.dedent(KILLED).format(tests=str(Path(__file__).parent), output=str(output), folder=str(folder))
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert not output.exists()
    rest = Counting()
    assert built(folder, output, rest, work_folder(output)) == built(folder, tmp_path / "whole.pxpack", Counting())
    assert rest.regions == STEPS - 3
    verify(output)


@pytest.mark.parametrize("damage", ["a byte", "half", "no database"])
def test_a_damaged_work_folder_is_made_again_not_believed(tmp_path: Path, damage: str) -> None:
    folder, output = photographs(tmp_path / "rows"), tmp_path / "p.pxpack"
    whole = built(folder, output, Counting(), work_folder(output))
    path = work_folder(output) / FILE_NAME
    content = bytearray(path.read_bytes())
    if damage == "a byte":  # inside a stored vector, where SQLite itself sees nothing
        vector = Histogram().region(read_image(folder / "coffee.png"), None).tobytes()
        content[content.index(vector) + 2] ^= 1
    else:
        content = content[: len(content) // 2] if damage == "half" else bytearray(b"words" * 1000)
    path.write_bytes(content)
    again = Counting()
    assert built(folder, output, again, work_folder(output)) == whole
    assert again.regions == (1 if damage == "a byte" else STEPS)


def test_a_work_folder_never_takes_the_place_of_anything_else(tmp_path: Path) -> None:
    folder, output = photographs(tmp_path / "rows"), tmp_path / "p.pxpack"
    work_folder(output).mkdir()
    (work_folder(output) / "thesis.txt").write_text("mine")
    with pytest.raises(Fault, match="work folder"):
        built(folder, output, Counting(), work_folder(output))
    assert os.listdir(work_folder(output)) == ["thesis.txt"] and not output.exists()


def test_an_interrupt_is_one_line_that_says_how_to_go_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pixsearch.index.views.ViewMaker.views", interrupted)
    result = run("pack", "build", photographs(tmp_path / "rows"), "-o", tmp_path / "p.pxpack")
    assert result.exit_code == 1 and "same command goes on" in result.stderr.splitlines()[-1]
    assert not (tmp_path / "p.pxpack").exists()


def test_a_region_s_thumbnail_shows_only_the_thing(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "rows", [{"id": "r", "name": "r", "images": ["disc.png"]}])
    rows, columns = np.ogrid[:80, :80]
    disc = (rows - 40) ** 2 + (columns - 40) ** 2 < 900
    picture = np.dstack([np.full((80, 80, 3), 60, np.uint8), disc * np.uint8(255)])
    Image.fromarray(picture).save(folder / "disc.png")
    output = tmp_path / "p.pxpack"
    build_pack(folder, output, Histogram(), "p", "CC0")
    with Pack.open(output, "histogram-4") as pack:
        hit, = pack.search_vectors(np.ones(64))
        shown = pack.thumbnail(hit)
    assert shown is not None and shown[2, 2].min() > 240 and shown[28, 28].max() < 80


def test_a_pack_of_more_pictures_than_thumbnails_goes_without_the_last_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pixsearch.index.schema.MAX_THUMBNAILS", 2)
    output = tmp_path / "p.pxpack"
    built(photographs(tmp_path / "rows"), output, Histogram())
    verify(output)
    assert len(list((output / "thumbnails").iterdir())) == 2 and info(output)["counts"]["images"] == STEPS
