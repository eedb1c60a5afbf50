"""Qwen3-VL: as Qwen2.5-VL, and what the tower's earlier layers see is added to the first layers of the decoder."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import Qwen3VLConfig

from pixsearch.model.families.family import HALF, Config, Family, View, square
from pixsearch.model.families.qwen2_5_vl import FAMILY as QWEN2_5_VL
from pixsearch.model.families.qwen_patches import patches, side_for


class Vision(nn.Module):
    """Pixels (B, 3, S, S) → (B, N, width * (1 + deep)): the token, then what each deeper look adds."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.visual = model.model.visual

    def forward(self, pixels: Tensor) -> Tensor:
        config = self.visual.config
        cut, grid = patches(pixels, config.patch_size, config.spatial_merge_size, config.temporal_patch_size)
        tokens, deeper = self.visual(cut, grid)
        return square(torch.cat([tokens, *deeper], dim=-1), len(pixels))


def _view(config: Config) -> View:
    vision = config.vision_config
    side = side_for(vision.patch_size, vision.spatial_merge_size)
    return View(side, side // (vision.patch_size * vision.spatial_merge_size),
                len(vision.deepstack_visual_indexes), HALF, HALF)


def _small(vocabulary: int) -> Config:
    return Qwen3VLConfig(
        text_config={"vocab_size": vocabulary, "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 3,
                     "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32,
                     "max_position_embeddings": 2048,
                     "rope_scaling": {"rope_type": "default", "mrope_section": [6, 5, 5], "mrope_interleaved": True}},
        vision_config={"depth": 3, "hidden_size": 128, "intermediate_size": 256, "num_heads": 4, "patch_size": 32,
                       "out_hidden_size": 128, "num_position_embeddings": 144, "deepstack_visual_indexes": [0, 1]},
        image_token_id=vocabulary - 1, vision_start_token_id=vocabulary - 2,
        video_token_id=vocabulary - 3, vision_end_token_id=vocabulary - 4, tie_word_embeddings=True)


FAMILY = Family("qwen3_vl", _view, Vision, lambda model: model.model.language_model, _small, two_dimensional=True,
                counts_patches=True, starts=QWEN2_5_VL.starts)
