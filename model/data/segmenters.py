"""Masks from boxes, for traces whose annotator can only say where a thing is."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pixsearch.model.data.corpora.example import Mask

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels, right and bottom exclusive
Segmenter = Callable[[NDArray[np.uint8], Box], Mask]  # frame (H, W, 3) and box → mask (H, W) with a pixel set
ROUNDS, LEAST_SHARE = 4, 0.05  # of GrabCut; of the box that a mask must cover to be believed


def grab_cut(frame: NDArray[np.uint8], box: Box) -> Mask:
    """What in a box differs in colour from what is around it (Rother et al. 2004); the whole box where nothing does."""
    inside = np.zeros(frame.shape[:2], np.bool_)
    inside[box[1]:box[3], box[0]:box[2]] = True
    if inside.all() or min(box[2] - box[0], box[3] - box[1]) < 4:
        return inside
    labels = np.where(inside, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    try:
        cv2.grabCut(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), labels, (0, 0, 1, 1), *models, ROUNDS,
                    cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # a picture of one colour
        return inside
    mask = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return mask if mask.sum() >= LEAST_SHARE * inside.sum() else inside


def sam2(folder: Path) -> Segmenter:
    """SAM 2.1 from a local folder in transformers' form."""
    import torch
    from transformers import Sam2Model

    from pixsearch.model.sam import sam_pixels

    model = Sam2Model.from_pretrained(folder, local_files_only=True).eval()
    side: int = model.config.prompt_encoder_config.image_size

    @torch.inference_mode()
    def segment(frame: NDArray[np.uint8], box: Box) -> Mask:
        height, width = frame.shape[:2]
        corners = torch.tensor(box, dtype=torch.float32) * side / torch.tensor([width, height] * 2)
        drawn = model(pixel_values=sam_pixels(frame, side)[None], input_boxes=corners[None, None],
                      multimask_output=False).pred_masks  # (1, 1, 1, m, m), logits
        whole = torch.nn.functional.interpolate(drawn[:, 0], (height, width), mode="bilinear", align_corners=False)
        mask = whole[0, 0].numpy() > 0
        return mask if mask.any() else grab_cut(frame, box)

    return segment
