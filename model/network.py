"""The whole model: vision, language, span tagger, mask decoder, region head and text vectors."""

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.nn import functional as F

from pixsearch.contract.tokenizer import Tokenizer
from pixsearch.model.families.language import FamilyLanguage
from pixsearch.model.families.parts import open_parts
from pixsearch.model.families.tower import TokenAdapter, Tower
from pixsearch.model.language import Language
from pixsearch.model.masks import MaskDecoder, Prompts
from pixsearch.model.region import RegionHead
from pixsearch.model.sam import SamDecoder, SamEye, SamPyramid, open_sam
from pixsearch.model.sizes import Size
from pixsearch.model.tagger import SpanTagger, last_span, pool_span
from pixsearch.model.vision import Features, ImageProjector, Pyramid, efficientnet_lite0, random_trunk

ADAPTER = "lora_"  # in the names of what adapters add


class TextEncoder(nn.Module):
    """Static text vectors: the weighted mean of one vector a token (after Model2Vec; see `text_vectors.py`)."""

    def __init__(self, size: Size, vocabulary: int) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary, size.text)

    def forward(self, ids: Tensor) -> Tensor:
        """Ids (B, T) → unit vectors (B, text)."""
        return F.normalize(self.table(ids).sum(dim=1), dim=-1)


class PixSearch(nn.Module):
    """One class for every size; the parts are what the device runs as separate graphs."""

    def __init__(self, size: Size, tokenizer: Tokenizer) -> None:
        """A model of a size: untrained, except for what comes from a folder of weights."""
        super().__init__()
        self.size = size
        vocabulary = tokenizer.size
        self.tower: Tower | None = None
        self.language: Language | FamilyLanguage
        self.projector: ImageProjector | TokenAdapter
        self.trunk = efficientnet_lite0()[0] if size.pretrained else random_trunk(size.trunk)
        self.eye: SamEye | None = None
        self.pyramid: Pyramid | SamPyramid
        self.decoder: MaskDecoder | SamDecoder
        if size.sam:
            self.eye, self.pyramid, self.decoder = open_sam(size)
        else:
            self.pyramid = Pyramid(size)
        if size.weights:
            self.tower, self.language = open_parts(size, tokenizer)
            self.projector = TokenAdapter(size)
        else:
            self.language = Language(size, vocabulary, tokenizer.special.pad)
            self.projector = ImageProjector(size)
        self.tagger = SpanTagger(size)
        if not size.sam:
            self.decoder = MaskDecoder(size)
        self.region = RegionHead(size)
        self.text = TextEncoder(size, vocabulary)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.language.device

    def look(self, pixels: Tensor) -> Features:
        """All that frozen parts see in frames (B, 3, S, S)."""
        features: Features = self.trunk(pixels)
        if self.eye is not None:
            stride4, stride8, stride16 = self.eye(pixels)
            features = features._replace(stride4=stride4, stride8=stride8, stride16=stride16)
        return features if self.tower is None else features._replace(image=self.tower(pixels))

    def see(self, features: Features) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """→ image tokens (B, N, image width), detail, context and dense region vectors: the vision graph's outputs."""
        detail, context = self.pyramid(features)
        return self.projector(features), detail, context, self.region.dense(features)

    def segment(self, hidden: Tensor, valid: Tensor, detail: Tensor, context: Tensor, dense: Tensor,
                prompts: Prompts) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The mask graph: words (N, S, width) → tag logits, span weights, mask logits and predicted IoU."""
        tags = self.tagger(hidden, valid)
        span = last_span(tags, valid)
        drawn = self.decoder(pool_span(hidden, span), detail, context, dense, prompts)
        return tags, span, drawn.logits, drawn.quality.sigmoid()


def add_adapters(model: PixSearch, seed: int, language: bool = True) -> None:
    """Put LoRA on the language part and leave only what is trained requiring gradients.

    Trained: adapters, the rows of the special tokens, and every new part. Frozen: trunk, words, region head (fitted
    before, see `region_fit.py`) and text vectors; without `language` the whole language part.
    """
    torch.manual_seed(seed)
    for part in (model.trunk, model.eye, model.tower, model.region, model.text):
        if part is not None:
            part.requires_grad_(False)
    model.language.requires_grad_(False)
    if not language:
        return
    if not has_adapters(model):  # those of a family's stage 1 go on learning
        put_adapters(model)
    for name, parameter in model.language.named_parameters():
        parameter.requires_grad_(ADAPTER in name)
    model.language.train_special_rows()


def put_adapters(model: PixSearch) -> None:
    """Put untrained LoRA layers on the language part, float32 whatever they adapt."""
    size = model.size
    inject_adapter_in_model(LoraConfig(r=size.lora_rank, lora_alpha=2 * size.lora_rank,
                                       target_modules=list(size.adapted)), model.language)
    for name, parameter in model.language.named_parameters():
        if ADAPTER in name:
            parameter.data = parameter.data.float()


def has_adapters(model: PixSearch) -> bool:
    """Whether there are LoRA layers that are not merged."""
    return any(isinstance(module, LoraLayer) for module in model.language.modules())


def merge_adapters(model: PixSearch) -> None:
    """Fold the adapters into the weights they adapt, for export and as a start of the next training."""
    for name, module in list(model.language.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            parent, _, leaf = name.rpartition(".")
            setattr(model.language.get_submodule(parent), leaf, module.get_base_layer())


def trained_parameters(model: PixSearch) -> dict[str, nn.Parameter]:
    """What the optimiser moves, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
