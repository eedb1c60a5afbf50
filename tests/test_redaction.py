"""What of a frame may leave: faces in it are not to be found again, the rest is as it was."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from pixsearch.apps.defaults import PHOTOS
from pixsearch.contract.images import read_image
from pixsearch.edge.redaction import find_faces, masked_crop, without_faces

FACES = {"astronaut": (100, 224), "photographer": (150, 225), "basketball": (175, 141)}  # a row and column inside


def everything(frame: np.ndarray) -> tuple[slice, slice]:
    return slice(0, frame.shape[0]), slice(0, frame.shape[1])


@pytest.mark.parametrize("name", FACES)
def test_no_face_is_found_where_there_was_one(name: str) -> None:
    frame = read_image(PHOTOS / f"{name}.jpg")
    before = find_faces(frame)
    assert before
    after = without_faces(frame, everything(frame))
    for rows, columns in before:
        face, blurred = frame[rows, columns], after[rows, columns]
        sharpness = [cv2.Laplacian(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var() for one in (face, blurred)]
        assert sharpness[1] < sharpness[0] / 10
    assert not any(overlap(old, new) > 0.3 for old in before for new in find_faces(after))
    changed = (frame != after).any(axis=2).mean()
    assert 0 < changed < 0.2 and frame is not after


def overlap(a: tuple[slice, slice], b: tuple[slice, slice]) -> float:
    sides = [max(0, min(x.stop, y.stop) - max(x.start, y.start)) for x, y in zip(a, b, strict=True)]
    return sides[0] * sides[1] / ((a[0].stop - a[0].start) * (a[1].stop - a[1].start))


def test_a_face_that_the_mask_cuts_through_is_made_unrecognisable_too() -> None:
    frame = read_image(PHOTOS / "astronaut.jpg")
    (rows, columns), *_ = find_faces(frame)
    middle = (columns.start + columns.stop) // 2
    mask = np.zeros(frame.shape[:2], bool)
    mask[rows, :middle] = True
    sent = read_image(masked_crop(frame, mask))
    plain = frame[rows, :middle]
    scale = sent.shape[1] / plain.shape[1]
    half = slice(int(columns.start * scale), sent.shape[1])
    detail = [cv2.Laplacian(cv2.cvtColor(np.ascontiguousarray(one), cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()
              for one in (cv2.resize(plain, sent.shape[1::-1])[:, half], sent[:, half])]
    assert detail[1] < detail[0] / 4


@pytest.mark.parametrize("name", ["coffee", "fruits", "cat"])
def test_pictures_without_faces_stay_as_they_are(name: str) -> None:
    frame = read_image(PHOTOS / f"{name}.jpg")
    assert np.array_equal(without_faces(frame, everything(frame)), frame)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (700, 5), (40, 40)])
def test_any_size_and_place_can_be_cut_out(shape: tuple[int, int]) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (720, 2048, 3), np.uint8)
    for top, left in ((0, 0), (720 - shape[0], 2048 - shape[1])):
        mask = np.zeros(frame.shape[:2], bool)
        mask[top : top + shape[0], left : left + shape[1]] = True
        content = masked_crop(frame, mask)
        picture = Image.open(io.BytesIO(content))
        assert max(picture.size) <= 512 and picture.format == "JPEG" and not picture.getexif()
        assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_a_mask_that_is_empty_or_of_another_frame_is_refused() -> None:
    frame = np.zeros((20, 30, 3), np.uint8)
    for mask in (np.zeros((20, 30), bool), np.ones((30, 20), bool)):
        with pytest.raises(ValueError, match="mask"):
            masked_crop(frame, mask)
