"""What a wearable camera does to a frame: low light, colour cast, motion blur, sensor noise, JPEG."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Range = tuple[float, float]


@dataclass(frozen=True)
class Camera:
    """Ranges that each frame's degradations are drawn from."""

    exposure: Range  # factor on linear light in ordinary scenes
    dark_chance: float
    dark_exposure: Range  # the factor in dark scenes, whose noise grows with the darkness
    cast: float  # largest relative deviation of a channel's gain
    blur_chance: float
    blur_pixels: Range  # length of the smear at 640 pixels of width
    noise: Range  # standard deviation in grey levels of 0..255
    jpeg: tuple[int, int]  # quality


NOISE_OF_DARKNESS = 9.0  # grey levels more at an exposure of zero
GAMMA = 2.2
_FIELD_SIDE, _FIELD_MEAN, _FIELD_SIGMA = 1024, 128, 32  # of the noise field: pixels, grey levels


@dataclass(frozen=True)
class Conditions:
    """What a frame was degraded by, as far as people would name it."""

    exposure: float  # factor on linear light; 1 is well exposed
    blur: float  # length of the smear in pixels of a frame 640 wide


def degrade(
    frame: NDArray[np.uint8], camera: Camera, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], Conditions]:
    """A degraded copy of a frame; geometry is kept, so masks stay true. frame : RGB, shape (H, W, 3)."""
    dark = rng.random() < camera.dark_chance
    exposure = rng.uniform(*(camera.dark_exposure if dark else camera.exposure))
    seen = _expose(frame, exposure * rng.uniform(1 - camera.cast, 1 + camera.cast, 3))
    blur = rng.uniform(*camera.blur_pixels) if rng.random() < camera.blur_chance else 0.0
    if blur:
        seen = _smear(seen, blur * frame.shape[1] / 640, rng.uniform(0, 180))
    sigma = rng.uniform(*camera.noise) + NOISE_OF_DARKNESS * max(0.0, 1 - exposure) * rng.random()
    seen = _compress(_add_noise(seen, sigma, rng), int(rng.integers(camera.jpeg[0], camera.jpeg[1] + 1)))
    return seen, Conditions(exposure, blur)


def _expose(frame: NDArray[np.uint8], gains: NDArray[np.float64]) -> NDArray[np.uint8]:
    levels = np.arange(256)[:, None] / 255.0
    table = np.clip((levels**GAMMA * gains) ** (1 / GAMMA) * 255 + 0.5, 0, 255).astype(np.uint8)  # (256, 3)
    return np.asarray(cv2.LUT(frame, table[None]), dtype=np.uint8)


def _smear(frame: NDArray[np.uint8], length: float, degrees: float) -> NDArray[np.uint8]:
    """Blur along a straight line of `length` pixels."""
    side = 2 * int(np.ceil(length / 2)) + 1
    if side < 3:
        return frame
    kernel = np.zeros((side, side), np.float32)
    half = np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))]) * (length / 2)
    shift = 16  # fixed-point sub-pixel ends
    ends = np.round((side // 2 + np.stack([-half, half])) * shift).astype(int)
    cv2.line(kernel, tuple(ends[0].tolist()), tuple(ends[1].tolist()), 1.0, 1, cv2.LINE_AA, 4)
    return np.asarray(
        cv2.filter2D(frame, -1, kernel / max(float(kernel.sum()), 1e-6), borderType=cv2.BORDER_REFLECT),
        dtype=np.uint8,
    )


@cache
def _noise_field() -> NDArray[np.uint8]:
    """Normal noise around a middle grey. Frames take windows of it, as drawing it anew is slow."""
    noise = np.random.default_rng(0).standard_normal((_FIELD_SIDE, _FIELD_SIDE, 3), np.float32)
    return np.clip(np.round(_FIELD_MEAN + _FIELD_SIGMA * noise), 0, 255).astype(np.uint8)


def _add_noise(frame: NDArray[np.uint8], sigma: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = frame.shape[:2]
    y, x = int(rng.integers(0, _FIELD_SIDE - height)), int(rng.integers(0, _FIELD_SIDE - width))
    noise, weight = _noise_field()[y : y + height, x : x + width], sigma / _FIELD_SIGMA
    return np.asarray(cv2.addWeighted(frame, 1.0, noise, weight, -_FIELD_MEAN * weight), dtype=np.uint8)


def _compress(frame: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Through JPEG and back; the codec wants BGR."""
    _, encoded = cv2.imencode(".jpg", frame[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])
