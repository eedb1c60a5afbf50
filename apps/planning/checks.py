"""What this machine measures, beside what the same formulas predict for it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import hnswlib
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from pixsearch.apps.planning.index import Graph, seconds_a_vector
from pixsearch.apps.planning.training import LLAVA_13B, QWEN_3B, Layers

SMALL = Layers(8, 512, 8, 8, 64, 1408)
VOCABULARY, BATCH, TOKENS, RANK, STEPS = 8_000, 4, 256, 8, 5
GRAPHS = (10_000, 40_000)  # vectors
SPREAD, CENTRES = 0.35, 500  # of made-up vectors that lie in groups, as those of things do


@dataclass(frozen=True)
class Check:
    """One figure in its unit."""

    name: str
    unit: str
    predicted: float
    measured: float

    @property
    def ratio(self) -> float:
        """Measured over predicted."""
        return self.measured / self.predicted


def parameter_checks() -> list[Check]:
    """Counted parameters of the large models against those of transformers' own classes, without any memory."""
    from transformers import LlavaConfig, LlavaForConditionalGeneration, Qwen2_5_VLForConditionalGeneration
    from transformers.models.clip.configuration_clip import CLIPVisionConfig
    from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLConfig

    language = QWEN_3B.language
    qwen = Qwen2_5_VLConfig(
        text_config={"hidden_size": language.width, "num_hidden_layers": language.count,
                     "num_attention_heads": language.heads, "num_key_value_heads": language.kv_heads,
                     "intermediate_size": language.feed_forward, "vocab_size": QWEN_3B.vocabulary,
                     "tie_word_embeddings": True},
        vision_config={"depth": 32, "hidden_size": 1280, "num_heads": 16, "intermediate_size": 3420,
                       "out_hidden_size": language.width}, tie_word_embeddings=True)
    language = LLAVA_13B.language
    llava = LlavaConfig(
        CLIPVisionConfig(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16,
                         image_size=336, patch_size=14),
        LlamaConfig(hidden_size=language.width, num_hidden_layers=language.count, vocab_size=LLAVA_13B.vocabulary,
                    num_attention_heads=language.heads, num_key_value_heads=language.kv_heads,
                    intermediate_size=language.feed_forward, tie_word_embeddings=False))
    with torch.device("meta"):
        models = [(QWEN_3B, Qwen2_5_VLForConditionalGeneration(qwen)),
                  (LLAVA_13B, LlavaForConditionalGeneration(llava))]
    return [Check(f"parameters, {shape.name}", "10⁹", (shape.language_parameters + shape.vision_parameters) / 1e9,
                  sum(parameter.numel() for parameter in model.parameters()) / 1e9) for shape, model in models]


def training_checks(shape: Layers = SMALL, tokens: int = TOKENS, steps: int = STEPS) -> list[Check]:
    """A step of a small random model with frozen weights, adapters and recomputed layers, in fp32 on this CPU."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    config = LlamaConfig(hidden_size=shape.width, num_hidden_layers=shape.count, num_attention_heads=shape.heads,
                         num_key_value_heads=shape.kv_heads, intermediate_size=shape.feed_forward,
                         vocab_size=VOCABULARY, tie_word_embeddings=True)
    bare = LlamaForCausalLM(config)
    bare.gradient_checkpointing_enable({"use_reentrant": False})
    bare.enable_input_require_grads()
    model = get_peft_model(bare, LoraConfig(r=RANK, target_modules=["q_proj", "v_proj"]))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained)
    ids = torch.randint(VOCABULARY, (BATCH, tokens))

    def step() -> None:
        optimiser.zero_grad()
        model(input_ids=ids, labels=ids).loss.backward()
        optimiser.step()

    head = shape.width * VOCABULARY * tokens
    sums = BATCH * (3 * shape.multiply_adds(tokens) + 2 * head)
    return [
        Check("trained parameters of the small model", "10⁶", shape.lora(RANK) / 1e6,
              sum(parameter.numel() for parameter in trained) / 1e6),
        Check("step of the small model", "s", sums / _multiply_adds_a_second(shape, tokens), _best(step, steps)),
    ]


def index_checks(sizes: tuple[int, int] = GRAPHS) -> tuple[list[Check], tuple[float, int]]:
    """Time and size of a larger graph from those of a smaller one; and one core's seconds a vector of the larger."""
    (small, first), (large, second) = ((size, _build(size)) for size in sizes)
    checks = [
        Check(f"graph of {large} vectors, build", "s",
              large * seconds_a_vector(first[0] / small, small, large), second[0]),
        Check(f"graph of {large} vectors, size", "MB", Graph(large).total_bytes / 1e6, second[1] / 1e6),
    ]
    return checks, (second[0] / large, large)


def _build(count: int) -> tuple[float, int]:
    """Seconds to build a graph on one core, and bytes of its file."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(CENTRES, Graph.dimensions))
    vectors = centres[rng.integers(CENTRES, size=count)] + SPREAD * rng.normal(size=(count, Graph.dimensions))
    index = hnswlib.Index("cosine", Graph.dimensions)
    index.init_index(count, ef_construction=200, M=Graph.links)
    started = time.perf_counter()
    index.add_items(vectors.astype(np.float32), num_threads=1)
    seconds = time.perf_counter() - started
    with TemporaryDirectory() as folder:
        path = Path(folder) / "graph"
        index.save_index(str(path))
        return seconds, path.stat().st_size


def _multiply_adds_a_second(shape: Layers, tokens: int) -> float:
    """Of fp32 matrices of a model's shape."""
    left, right = torch.randn(BATCH * tokens, shape.width), torch.randn(shape.width, shape.feed_forward)
    return left.numel() * shape.feed_forward / _best(lambda: left @ right, 20)


def _best(work: Callable[[], object], times: int) -> float:
    work()  # first touch of memory
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)
