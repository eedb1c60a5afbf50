"""Following a thing through a video by SAM 2.1's memory of earlier frames (arXiv 2408.00714)."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import Sam2VideoModel
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from pixsearch.contract.preprocess import Pixels
from pixsearch.model.sam import sam_pixels

THING = 1  # the one that is followed


class SamTracker:
    """Follows one thing from the mask of its first frame; each frame is encoded once, and its memory is kept."""

    def __init__(self, folder: Path) -> None:
        """folder : SAM 2.1 as transformers reads it."""
        self._model = Sam2VideoModel.from_pretrained(folder, local_files_only=True).eval()
        self._side: int = self._model.config.prompt_encoder_config.image_size
        self._session: Sam2VideoInferenceSession | None = None

    def begin(self, frame: Pixels, mask: NDArray[np.bool_]) -> None:
        """Remember a thing: frame uint8 (H, W, 3), mask bool (H, W)."""
        height, width = mask.shape
        self._session = Sam2VideoInferenceSession(video_height=height, video_width=width, dtype=torch.float32)
        thing = self._session.obj_id_to_idx(THING)
        given = torch.from_numpy(mask.astype(np.float32))[None, None]
        self._session.add_mask_inputs(thing, 0, torch.nn.functional.interpolate(given, (self._side, self._side)))
        self._session.obj_with_new_inputs = [THING]
        self._look(frame)

    def follow(self, frame: Pixels) -> NDArray[np.bool_]:
        """The thing's mask in the next frame, bool (H, W). Raises ValueError before `begin`."""
        logits = self._look(frame)
        whole = torch.nn.functional.interpolate(logits, frame.shape[:2], mode="bilinear", align_corners=False)
        return whole[0, 0].numpy() > 0

    @torch.inference_mode()
    def _look(self, frame: Pixels) -> torch.Tensor:
        if self._session is None:
            raise ValueError("nothing is followed: call `begin` first")
        scaled = sam_pixels(frame, self._side)
        found: torch.Tensor = self._model(inference_session=self._session, frame=scaled).pred_masks
        return found.reshape(1, 1, *found.shape[-2:])
