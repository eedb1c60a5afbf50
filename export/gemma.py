"""Gemma-3-270M by transformers, as people run it without this project: what our decoding is timed beside."""

import time
from collections.abc import Callable
from typing import Any

import torch

PROMPT_TOKENS = 200  # about what a question and its evidence take here
TRIAL_STEPS = 3
SHAPE: dict[str, Any] = {  # the published configuration of google/gemma-3-270m
    "vocab_size": 262_144, "hidden_size": 640, "intermediate_size": 2048, "num_hidden_layers": 18,
    "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256, "sliding_window": 512,
    "max_position_embeddings": 32_768, "query_pre_attn_scalar": 256,
}


class GemmaDecoding:
    """Decoding token by token after a prompt, in the kind of number that this machine is faster with.

    Weights are random, which changes no time. dtype : what was taken, "float32" or "bfloat16"
    """

    def __init__(self, shape: dict[str, Any] | None = None, threads: int = 1) -> None:
        """shape : of the configuration, SHAPE unless given; threads : of every operator in this process."""
        from transformers.models.gemma3 import Gemma3ForCausalLM, Gemma3TextConfig

        torch.set_num_threads(threads)
        config = Gemma3TextConfig(**(shape or SHAPE))
        torch.manual_seed(0)
        self._model = Gemma3ForCausalLM(config).eval()
        self._cache: Any = None
        self._last = torch.zeros(1, 1, dtype=torch.int64)
        kinds = {kind: self._trial(kind) for kind in (torch.float32, torch.bfloat16)}
        fastest = min(kinds, key=lambda kind: kinds[kind])
        self.dtype = str(fastest).removeprefix("torch.")
        self._begin(fastest)

    def step(self) -> int:
        """One token more; returns its id."""
        with torch.inference_mode():
            outputs = self._model(input_ids=self._last, past_key_values=self._cache, use_cache=True)
        self._last = outputs.logits[:, -1:].argmax(dim=-1)
        return int(self._last)

    def _begin(self, kind: torch.dtype) -> None:
        self._model.to(kind)
        prompt = torch.arange(PROMPT_TOKENS)[None] % self._model.config.vocab_size
        with torch.inference_mode():
            outputs = self._model(input_ids=prompt, use_cache=True, logits_to_keep=1)
        self._cache, self._last = outputs.past_key_values, outputs.logits[:, -1:].argmax(dim=-1)

    def _trial(self, kind: torch.dtype) -> float:
        self._begin(kind)
        return min(_seconds(self.step) for _ in range(TRIAL_STEPS))


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
