"""LLaVA 1.5 (arXiv 2310.03744): CLIP without its last layer, two linear layers, a Llama decoder."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlavaConfig

from pixsearch.contract.grammar import BOS, EOS
from pixsearch.model.families.family import Config, Family, View


class Vision(nn.Module):
    """Pixels (B, 3, S, S) → (B, N, width)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.tower, self.projector = model.model.vision_tower, model.model.multi_modal_projector
        layers, self.drops_first = model.config.vision_feature_layer, model.config.vision_feature_select_strategy
        self.layers = [layers] if isinstance(layers, int) else list(layers)

    def forward(self, pixels: Tensor) -> Tensor:
        states = self.tower(pixels, output_hidden_states=True).hidden_states
        seen = torch.cat([states[layer] for layer in self.layers], dim=-1)
        return self.projector(seen[:, 1:] if self.drops_first == "default" else seen)


def _view(config: Config) -> View:
    vision = config.vision_config
    return View(vision.image_size, vision.image_size // vision.patch_size)


def _small(vocabulary: int) -> Config:
    return LlavaConfig(
        text_config={"model_type": "llama", "vocab_size": vocabulary, "hidden_size": 128, "intermediate_size": 256,
                     "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
                     "max_position_embeddings": 2048, "pad_token_id": 0},
        vision_config={"model_type": "clip_vision_model", "hidden_size": 128, "intermediate_size": 256,
                       "num_hidden_layers": 3, "num_attention_heads": 4, "image_size": 336, "patch_size": 56,
                       "projection_dim": 128},
        image_token_index=vocabulary - 1, tie_word_embeddings=False)


FAMILY = Family("llava", _view, Vision, lambda model: model.model.language_model, _small,
                starts={BOS: "<s>", EOS: "</s>"})
