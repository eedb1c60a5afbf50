"""A drawn hand that reaches into the frame: what most often hides things from glasses."""

import cv2
import numpy as np
from numpy.typing import NDArray

# Skin under neutral light, from light to dark.
_SKINS = ((236, 200, 176), (222, 178, 148), (198, 150, 118), (160, 112, 82), (116, 78, 56), (78, 52, 40))
_SLEEVES = ((40, 60, 110), (30, 30, 34), (140, 40, 44), (120, 124, 130), (56, 92, 62), (206, 200, 188))


def draw_hand(length: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A hand with a sleeve, fingers up: premultiplied RGBA, shape (H, W, 4); `length` in pixels, sleeve included."""
    height, width = round(length), round(0.62 * length)
    skin = np.array(_SKINS[int(rng.integers(len(_SKINS)))]) * rng.uniform(0.85, 1.1)
    patch = np.zeros((height, width, 4), np.uint8)
    palm = (round(0.5 * width), round(0.55 * height))
    colour = (*np.clip(skin, 0, 255).tolist(), 255)
    shade = (*np.clip(skin * 0.82, 0, 255).tolist(), 255)
    wrist = round(0.3 * width)
    cv2.line(patch, palm, (palm[0], height), colour, wrist, cv2.LINE_AA)
    for number, (lean, reach) in enumerate(((-0.3, 0.4), (-0.12, 0.5), (0.05, 0.53), (0.22, 0.46))):
        bend = rng.uniform(0.6, 1.0)
        root = (round(palm[0] + lean * 0.55 * width), round(palm[1] - 0.08 * height))
        tip = (round(palm[0] + lean * 1.3 * width), round(palm[1] - reach * bend * height + 0.04 * height))
        cv2.line(patch, root, tip, colour if number % 2 else shade, max(3, round(0.13 * width)), cv2.LINE_AA)
    cv2.ellipse(patch, palm, (round(0.26 * width), round(0.16 * height)), 0, 0, 360, colour, cv2.FILLED, cv2.LINE_AA)
    thumb = (round(palm[0] + 0.42 * width), round(palm[1] - rng.uniform(0.02, 0.12) * height))
    cv2.line(patch, (palm[0], palm[1] + round(0.06 * height)), thumb, colour, max(3, round(0.14 * width)), cv2.LINE_AA)
    sleeve = _SLEEVES[int(rng.integers(len(_SLEEVES)))]
    cv2.rectangle(patch, (palm[0] - round(0.24 * width), round(0.8 * height)),
                  (palm[0] + round(0.24 * width), height), (*sleeve, 255), cv2.FILLED)
    if rng.random() < 0.5:
        patch = patch[:, ::-1].copy()
    soft = cv2.GaussianBlur(patch, (0, 0), max(0.8, 0.006 * length))  # close to the lens, so a little out of focus
    soft[..., :3] = np.minimum(soft[..., :3], soft[..., 3:])
    return np.asarray(soft, dtype=np.uint8)
