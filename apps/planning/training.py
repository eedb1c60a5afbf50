"""Memory, sums and GPU hours of training a large model with LoRA: counted from its shape."""

import math
from dataclasses import dataclass

GB = 1e9
BYTES_BF16, BYTES_NF4, BYTES_TRAINED = 2.0, 0.55, 16.0  # trained: weight, gradient and two moments in fp32
LAYER_ACTIVATIONS = 34.0  # bytes a token and unit of width inside one layer (Korthikanti et al., arXiv 2205.05198)
RESERVED_GB = 6.0  # of a GPU: CUDA context, fragmentation, collectives


@dataclass(frozen=True)
class Layers:
    """A stack of transformer layers. `gated` : three matrices in the feed-forward part instead of two."""

    count: int
    width: int
    heads: int
    kv_heads: int
    head_width: int
    feed_forward: int
    gated: bool = True

    @property
    def parameters(self) -> int:
        """Of all layers' matrices."""
        attention = self.width * self.head_width * (2 * self.heads + 2 * self.kv_heads)
        return self.count * (attention + (3 if self.gated else 2) * self.width * self.feed_forward)

    def lora(self, rank: int) -> int:
        """Parameters of adapters on the query and value projections."""
        query, value = self.heads * self.head_width, self.kv_heads * self.head_width
        return self.count * rank * (2 * self.width + query + value)

    def multiply_adds(self, tokens: int) -> float:
        """Of one sequence's forward pass; causal attention is counted in full, as kernels without a mask do it."""
        attention = 2 * self.count * self.heads * self.head_width * tokens**2
        return float(self.parameters * tokens + attention)


@dataclass(frozen=True)
class LargeModel:
    """A vision-language model's shape.

    patches : of one picture, image_tokens : what of them the language model reads; extra : further parameters of the
    vision part (patch embedding, merger); masks : frozen and trained parameters of the segmenter
    """

    name: str
    language: Layers
    vocabulary: int
    tied: bool
    vision: Layers
    patches: int
    image_tokens: int
    extra: int
    masks: tuple[int, int] = (212_000_000, 12_000_000)  # SAM 2.1 hiera-large: encoder, decoder

    @property
    def language_parameters(self) -> int:
        """With embeddings and head."""
        return self.language.parameters + self.language.width * self.vocabulary * (1 if self.tied else 2)

    @property
    def vision_parameters(self) -> int:
        """Of tower and merger."""
        return self.vision.parameters + self.extra


@dataclass(frozen=True)
class Recipe:
    """How it is trained. samples : by stage; text_tokens : of a sample, by stage; batch : samples a GPU at once."""

    samples: tuple[int, int] = (1_500_000, 500_000)
    text_tokens: tuple[int, int] = (160, 360)
    rank: int = 8
    batch: int = 4
    quantized: bool = False
    answer_share: float = 0.5  # of the text tokens, whose logits are computed


@dataclass(frozen=True)
class Gpu:
    """A GPU. rate : dense bf16 operations a second; use : share of it that training reaches; price : of an hour."""

    name: str = "H100 80 GB"
    memory_gb: float = 80.0
    rate: float = 989e12
    use: float = 0.35
    price: tuple[float, float] = (2.0, 4.0)  # US dollars


def memory_gb(model: LargeModel, recipe: Recipe) -> dict[str, float]:
    """Memory of one GPU by part, with every layer recomputed in the backward pass (checkpointing)."""
    frozen = BYTES_NF4 if recipe.quantized else BYTES_BF16
    tokens = recipe.batch * (model.image_tokens + max(recipe.text_tokens))
    width = model.language.width
    trained = model.language.lora(recipe.rank) + model.masks[1]
    answers = recipe.batch * max(recipe.text_tokens) * recipe.answer_share
    return {
        "language weights": model.language_parameters * frozen / GB,
        "vision weights": model.vision_parameters * BYTES_BF16 / GB,
        "segmenter, frozen": model.masks[0] * BYTES_BF16 / GB,
        "trained parts with gradients and moments": trained * BYTES_TRAINED / GB,
        "layer inputs kept": model.language.count * tokens * width * BYTES_BF16 / GB,
        "one layer at work": tokens * width * LAYER_ACTIVATIONS / GB,
        "logits": answers * model.vocabulary * (4 + 4) / GB,
        "reserved": RESERVED_GB,
    }


def operations(model: LargeModel, recipe: Recipe) -> float:
    """Floating-point operations of both stages.

    A frozen weight is used in the forward pass, again when the layer is recomputed, and for the gradient of its input:
    three times two operations. The vision tower is frozen and used once.
    """
    total = 0.0
    for samples, text in zip(recipe.samples, recipe.text_tokens, strict=True):
        read = model.language.multiply_adds(model.image_tokens + text)
        head = model.language.width * model.vocabulary * text * recipe.answer_share
        total += samples * 2 * (3 * read + 2 * head + model.vision.multiply_adds(model.patches))
    return total


@dataclass(frozen=True)
class Plan:
    """What a run takes. `way` : how weights lie on the GPUs."""

    gpus: int
    way: str
    memory_gb: float  # of each GPU
    tokens: float
    gpu_hours: float
    days: float
    price: tuple[float, float]


def plan(model: LargeModel, recipe: Recipe, gpu: Gpu, gpus: int) -> Plan:
    """Copies on every GPU (DDP) where one holds everything, else frozen weights in shards (FSDP)."""
    parts = memory_gb(model, recipe)
    whole = sum(parts.values())
    weights = sum(value for name, value in parts.items() if name.endswith("weights"))
    sharded = whole - weights + weights / gpus + weights / model.language.count * 2  # two layers are gathered at once
    fits = whole <= gpu.memory_gb
    hours = operations(model, recipe) / (gpu.rate * gpu.use) / 3600
    tokens = sum(samples * (model.image_tokens + text)
                 for samples, text in zip(recipe.samples, recipe.text_tokens, strict=True))
    return Plan(gpus, "DDP" if fits else "FSDP", whole if fits else sharded, float(tokens), hours, hours / gpus / 24,
                (hours * gpu.price[0], hours * gpu.price[1]))


def patches_of(height: int, width: int, side: int) -> int:
    """Patches of a picture, side pixels each, the last ones padded."""
    return math.ceil(height / side) * math.ceil(width / side)


# Qwen2.5-VL-3B: a picture of 640 x 480 in patches of 14, four of which make one token
QWEN_3B = LargeModel("3B (Qwen2.5-VL-3B)", Layers(36, 2048, 16, 2, 128, 11008), 151_936, True,
                     Layers(32, 1280, 16, 16, 80, 3420), 4 * patches_of(480, 640, 28), patches_of(480, 640, 28),
                     extra=1280 * 3 * 2 * 14 * 14 + 5120 * 5120 + 5120 * 2048)
# LLaVA-1.5-13B: Vicuna-13B and CLIP ViT-L/14 at 336 pixels
LLAVA_13B = LargeModel("13B (LLaVA-1.5-13B)", Layers(40, 5120, 40, 40, 128, 13824), 32_064, False,
                       Layers(24, 1024, 16, 16, 64, 4096, gated=False), 577, 576,
                       extra=1024 * 3 * 14 * 14 + 577 * 1024 + 1024 * 5120 + 5120 * 5120)
MODELS = (QWEN_3B, LLAVA_13B)
