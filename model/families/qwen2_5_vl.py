"""Qwen2.5-VL (arXiv 2502.13923): windowed tower, patches merged two by two, positions in two dimensions."""

from typing import Any

from torch import Tensor, nn
from transformers import Qwen2_5_VLConfig

from pixsearch.contract.grammar import ANSWER, BOS, EOS, QUESTION
from pixsearch.model.families.family import Config, Family, View, square
from pixsearch.model.families.qwen_patches import patches, side_for


class Vision(nn.Module):
    """Pixels (B, 3, S, S) → (B, N, width)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.visual = model.model.visual

    def forward(self, pixels: Tensor) -> Tensor:
        config = self.visual.config
        cut, grid = patches(pixels, config.patch_size, config.spatial_merge_size, config.temporal_patch_size)
        return square(self.visual(cut, grid), len(pixels))


def _view(config: Config) -> View:
    vision = config.vision_config
    side = side_for(vision.patch_size, vision.spatial_merge_size)
    return View(side, side // (vision.patch_size * vision.spatial_merge_size))


def _small(vocabulary: int) -> Config:
    return Qwen2_5_VLConfig(
        text_config={"vocab_size": vocabulary, "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2,
                     "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2048,
                     "rope_scaling": {"type": "mrope", "mrope_section": [4, 6, 6]}},
        vision_config={"depth": 2, "hidden_size": 128, "intermediate_size": 256, "num_heads": 4, "patch_size": 32,
                       "window_size": 128, "out_hidden_size": 128, "fullatt_block_indexes": [1]},
        image_token_id=vocabulary - 1, vision_start_token_id=vocabulary - 2,
        video_token_id=vocabulary - 3, vision_end_token_id=vocabulary - 4, tie_word_embeddings=True)


FAMILY = Family("qwen2_5_vl", _view, Vision, lambda model: model.model.language_model, _small, two_dimensional=True,
                counts_patches=True,
                starts={BOS: "<|im_start|>", QUESTION: "<|vision_end|>", ANSWER: "<|im_start|>", EOS: "<|im_end|>"})
