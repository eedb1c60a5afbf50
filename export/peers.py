"""Published networks that ours are timed beside: EfficientNet-Lite0 with its weights, the others with random ones.

All take pixels float32 (1, 3, P, P); `export_peer` writes one as ONNX, for sizes of inputs as its authors use it.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from pixsearch.export.graphs import OPSET, plain_attention
from pixsearch.export.tiny_vit import NECK, TinyVit
from pixsearch.model.vision import efficientnet_lite0


class Classifier(nn.Module):
    """EfficientNet-Lite0 whole: trunk, pooling and classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, rows, biases = efficientnet_lite0()
        self.rows, self.biases = nn.Parameter(rows), nn.Parameter(biases)

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (1, 3, 224, 224) → class logits (1, 1000)."""
        return self.trunk(pixels).head.mean(dim=(2, 3)) @ self.rows.T + self.biases


class NanoSam(nn.Module):
    """An encoder of NanoSAM's shape: ResNet-18, and a neck to what SAM's mask decoder takes."""

    def __init__(self) -> None:
        super().__init__()
        from transformers.models.resnet import ResNetConfig, ResNetModel

        widths = [64, 128, 256, 512]
        self.trunk = ResNetModel(ResNetConfig(hidden_sizes=widths, depths=[2] * 4, layer_type="basic"))
        self.neck = nn.Sequential(nn.Conv2d(widths[-1], NECK, 1), nn.Upsample(scale_factor=2),
                                  nn.Conv2d(NECK, NECK, 3, padding=1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (1, 3, P, P) → features (1, 256, P/16, P/16)."""
        return self.neck(self.trunk(pixels).last_hidden_state)


class MobileSam(nn.Module):
    """MobileSAM: its encoder, and SAM's mask decoder for one point."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        from transformers.models.sam import SamConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig

        vision = SamVisionConfig(image_size=pixels, num_hidden_layers=1)  # of which only sizes are used
        prompts = SamPromptEncoderConfig(image_size=pixels)
        self.encoder, self.sam = TinyVit(), SamModel(SamConfig(vision_config=vision, prompt_encoder_config=prompts))
        del self.sam.vision_encoder
        self.register_buffer("point", torch.full((1, 1, 1, 2), pixels / 2))

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (1, 3, P, P) → mask logits (1, 1, 1, P/4, P/4)."""
        return self.sam(image_embeddings=self.encoder(pixels), input_points=self.point,
                        multimask_output=False).pred_masks


class Hiera(nn.Module):
    """SAM 2's image encoder, Hiera-tiny with its feature pyramid."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        from transformers.models.sam2 import Sam2HieraDetConfig, Sam2VisionConfig, Sam2VisionModel

        sizes = [[pixels // stride] * 2 for stride in (4, 8, 16)]
        backbone = Sam2HieraDetConfig(image_size=[pixels, pixels])
        self.encoder = Sam2VisionModel(Sam2VisionConfig(backbone_config=backbone, backbone_feature_sizes=sizes))

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Pixels (1, 3, P, P) → features (1, 256, P/s, P/s) for s = 4, 8, 16."""
        return tuple(self.encoder(pixels).fpn_hidden_states)


class Clip(nn.Module):
    """CLIP ViT-B/16's image side."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        from transformers.models.clip import CLIPVisionConfig, CLIPVisionModelWithProjection

        config = CLIPVisionConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
                                  num_attention_heads=12, image_size=pixels, patch_size=16, projection_dim=512)
        self.encoder = CLIPVisionModelWithProjection(config)

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (1, 3, P, P) → vector (1, 512)."""
        return self.encoder(pixels).image_embeds


PEERS: dict[str, tuple[Callable[[int], nn.Module], int]] = {  # and pixels a side
    "efficientnet-lite0": (lambda pixels: Classifier(), 224),
    "resnet18": (lambda pixels: NanoSam(), 1024),
    "mobilesam": (MobileSam, 1024),
    "sam2-hiera-tiny": (Hiera, 1024),
    "clip-vit-b16": (Clip, 224),
}


def export_peer(name: str, path: Path, pixels: int | None = None) -> None:
    """Write a row of PEERS as ONNX in float32; `pixels` a side, its own unless given."""
    build, usual = PEERS[name]
    side = pixels or usual
    module = build(side).eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    with (plain_attention(module), torch.inference_mode(), warnings.catch_warnings(),
          TemporaryDirectory(dir=path.parent) as folder):
        warnings.simplefilter("ignore")  # tracing warns of sizes that it takes for constant, which they are here
        torch.onnx.export(module, (torch.zeros(1, 3, side, side),), new := Path(folder) / path.name,
                          input_names=["pixels"], opset_version=OPSET, dynamo=False)
        new.replace(path)
