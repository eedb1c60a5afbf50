"""Clips for the trials: a photograph that stands still, or that a camera moves over."""

from pathlib import Path

import cv2
import numpy as np

from pixsearch.apps.defaults import PHOTOS
from pixsearch.contract.images import Pixels, read_image

SIZE = (640, 480)  # width and height of every trial's frames
FPS = 30.0
ROUND_S = 6.0  # of the camera's way over the picture, which ends where it began


def view_of(photo: Pixels, second: float, moving: bool) -> Pixels:
    """What a camera sees of a photograph, uint8 RGB (H, W, 3): a part of it that wanders when the camera moves."""
    height, width = photo.shape[:2]
    share = min(width / SIZE[0], height / SIZE[1]) * 0.8
    turn = 2 * np.pi * second / ROUND_S if moving else 0.0
    room = np.array([width - share * SIZE[0], height - share * SIZE[1]]) / 2
    centre = np.array([width, height]) / 2 + 0.8 * room * [np.sin(turn), np.sin(2 * turn)]
    corner = centre - share * np.array(SIZE) / 2
    way = np.array([[1 / share, 0, -corner[0] / share], [0, 1 / share, -corner[1] / share]])
    return np.asarray(cv2.warpAffine(photo, way, SIZE, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT), np.uint8)


def write_clip(path: Path, moving: bool, seconds: float = ROUND_S, photo: str = "desk.jpg", fps: float = FPS) -> Path:
    """Write a clip of `SIZE`; `path` ends in .avi or .mp4."""
    picture = read_image(PHOTOS / photo)
    code = cv2.VideoWriter.fourcc(*("MJPG" if path.suffix == ".avi" else "mp4v"))
    writer = cv2.VideoWriter(str(path), code, fps, SIZE)
    for number in range(round(seconds * fps)):
        writer.write(cv2.cvtColor(view_of(picture, number / fps, moving), cv2.COLOR_RGB2BGR))
    writer.release()
    return path
