"""SmolVLM and SmolVLM2 (arXiv 2504.05299): SigLIP, neighbouring cells shuffled into one token, a Llama decoder."""

from typing import Any

from torch import Tensor, nn
from transformers import SmolVLMConfig

from pixsearch.contract.grammar import ANSWER, BOS, EOS, QUESTION
from pixsearch.model.families.family import HALF, Config, Family, View


class Vision(nn.Module):
    """Pixels (B, 3, S, S) → (B, N, width)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.tower, self.connector = model.model.vision_model, model.model.connector

    def forward(self, pixels: Tensor) -> Tensor:
        return self.connector(self.tower(pixel_values=pixels).last_hidden_state)


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
        scale_factor=2, image_token_id=0, pad_token_id=0, tie_word_embeddings=False)


FAMILY = Family("smolvlm", _view, Vision, lambda model: model.model.text_model, _small,
                starts={BOS: "<|im_start|>", QUESTION: "<fake_token_around_image>", ANSWER: "<end_of_utterance>",
                        EOS: "<end_of_utterance>"})
