"""SmolVLM and SmolVLM2 (arXiv 2504.05299): SigLIP, neighbouring cells shuffled into one token, a Llama decoder."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import SmolVLMConfig

from pixsearch.contract.grammar import ANSWER, BOS, EOS, QUESTION
from pixsearch.model.families.family import HALF, Config, Family, View


class Vision(nn.Module):
    """Pixels (B, 3, S, S) → (B, N, width)."""

    positions: Tensor

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.tower, self.connector = model.model.vision_model, model.model.connector
        parts, side = self.tower.embeddings, self.tower.config.image_size
        blank = torch.zeros(1, 3, side, side, dtype=parts.position_embedding.weight.dtype)
        with torch.no_grad():  # which position a cell has depends on masks in the tower's own code; here it is fixed
            whole = torch.ones(1, side // parts.patch_size, side // parts.patch_size, dtype=torch.bool)
            cells = parts.patch_embedding(blank).flatten(2).transpose(1, 2)
            self.register_buffer("positions", parts(blank, whole) - cells, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        cells = self.tower.embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2) + self.positions
        seen = self.tower.encoder(inputs_embeds=cells, attention_mask=None).last_hidden_state
        return self.connector(self.tower.post_layernorm(seen))


def _view(config: Config) -> View:
    vision = config.vision_config
    return View(vision.image_size, vision.image_size // vision.patch_size // config.scale_factor, 0, HALF, HALF)


def _small(vocabulary: int) -> Config:
    return SmolVLMConfig(
        text_config={"model_type": "llama", "vocab_size": vocabulary, "hidden_size": 128, "intermediate_size": 256,
                     "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
                     "max_position_embeddings": 2048, "pad_token_id": 0},
        vision_config={"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
                       "image_size": 384, "patch_size": 32},
        scale_factor=2, image_token_id=vocabulary - 1, pad_token_id=0, tie_word_embeddings=False)


FAMILY = Family("smolvlm", _view, Vision, lambda model: model.model.text_model, _small,
                starts={BOS: "<|im_start|>", QUESTION: "<fake_token_around_image>", ANSWER: "<end_of_utterance>",
                        EOS: "<end_of_utterance>"})
