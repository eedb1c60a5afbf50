"""SAM 2.1 (arXiv 2408.00714) as mask features and mask decoder, from a folder that transformers reads.

The image encoder is frozen and sees the 384-pixel square that every graph takes, so that its maps have the sides that
the mask graph expects and are computed once a frame. Prompt encoder and mask decoder learn; a span's words are one more
prompt token.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import Sam2Config, Sam2Model

from pixsearch.contract.faults import Fault
from pixsearch.contract.preprocess import FRAME_PIXELS, PIXEL_MEAN, PIXEL_SCALE, Pixels
from pixsearch.model.layout import LAYOUT_CHANNELS
from pixsearch.model.masks import Drawn, Prompts, every_second, likeness
from pixsearch.model.sizes import Size
from pixsearch.model.vision import Features

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
STRIDES = (4, 8, 16)
NOT_A_POINT = -1  # SAM's label
SURE = 1e-4  # keeps the logit of a predicted IoU finite


def sam_config(folder: Path) -> Sam2Config:
    """The folder's configuration for the square that our graphs take. Raises Fault where there is none."""
    try:
        config = Sam2Config.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise Fault(f"folder {folder}", expected="SAM 2.1 as transformers reads it",
                    actual=str(error).partition("\n")[0][:120], remedy="give the folder of its files") from error
    sides = [FRAME_PIXELS // stride for stride in STRIDES]
    config.vision_config.backbone_feature_sizes = [[side, side] for side in sides]
    config.vision_config.backbone_config.image_size = [FRAME_PIXELS, FRAME_PIXELS]
    config.prompt_encoder_config.image_size = FRAME_PIXELS
    config.mask_decoder_config.dynamic_multimask_via_stability = False  # the same in training and afterwards
    return config


def sam_pixels(frame: Pixels, side: int) -> Tensor:
    """A frame, uint8 (H, W, 3), as SAM's publishers scale it: float32 (3, side, side), stretched to the square."""
    pixels = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255.0
    pixels = F.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
    return (pixels[0] - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def sam_widths(folder: Path) -> tuple[int, int]:
    """Channels of detail and context, as the mask graph names them."""
    width = sam_config(folder).mask_decoder_config.hidden_size
    return width // 8 + width // 16, width


class SamEye(nn.Module):
    """SAM's image encoder with the convolutions that bring its fine maps to the decoder. Frozen."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: Sam2Model) -> None:
        super().__init__()
        self.encoder, self.no_memory = model.vision_encoder, model.no_memory_embedding
        self.fine = nn.ModuleList([model.mask_decoder.conv_s0, model.mask_decoder.conv_s1])
        for name, values in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pixels (B, 3, S, S) in about -1..1 → maps at strides 4, 8 and 16: (B, W/8, …), (B, W/4, …), (B, W, …)."""
        scaled = (pixels * PIXEL_SCALE + PIXEL_MEAN - self.mean) / self.std
        stride4, stride8, stride16 = self.encoder(scaled).fpn_hidden_states[:3]
        return self.fine[0](stride4), self.fine[1](stride8), stride16 + self.no_memory.reshape(1, -1, 1, 1)


class SamPyramid(nn.Module):
    """SAM's maps as the mask graph takes them: the two fine ones folded into one."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.layout = nn.Conv2d(size.context, LAYOUT_CHANNELS, 1)  # read by training alone

    def forward(self, features: Features) -> tuple[Tensor, Tensor]:
        """→ detail (B, W/8 + W/16, S/4, S/4) and context (B, W, S/16, S/16)."""
        return torch.cat([features.stride4, F.pixel_shuffle(features.stride8, 2)], dim=1), features.stride16


class SamDecoder(nn.Module):
    """SAM's prompt encoder and mask decoder behind the interface of `MaskDecoder`: words are a prompt token."""

    place: Tensor

    def __init__(self, size: Size, model: Sam2Model) -> None:
        super().__init__()
        self.prompts, self.masks = model.prompt_encoder, model.mask_decoder
        del self.masks.conv_s0, self.masks.conv_s1  # the eye has them
        inner = size.context
        self.fine = inner // 8
        self.query = nn.Sequential(nn.LayerNorm(size.width), nn.Linear(size.width, inner), nn.GELU(),
                                   nn.Linear(inner, inner))
        self.appearance = nn.Sequential(nn.LayerNorm(size.width), nn.Linear(size.width, size.region))
        self.known = nn.Conv2d(2, inner, 3, padding=1, bias=False)  # likeness to what words expect, and to looks
        nn.init.zeros_(self.known.weight)
        with torch.no_grad():
            self.register_buffer("place", model.get_image_wide_positional_embeddings(), persistent=False)

    def expected_look(self, query: Tensor) -> Tensor:
        """The span's idea of how the thing looks: (N, width) → unit vectors in region space (N, region)."""
        return F.normalize(self.appearance(query), dim=-1)

    def forward(self, query: Tensor, detail: Tensor, context: Tensor, dense: Tensor, prompts: Prompts,
                corner: tuple[int, int] | None = None, inside: Tensor | None = None) -> Drawn:
        """See `MaskDecoder.forward`; a mask is drawn whole, so that `inside` changes nothing."""
        count, side = len(query), context.shape[-1]
        detail = detail.repeat_interleave(count // len(detail), dim=0) if count else detail[:0]
        alike = [likeness(looks, dense, side) for looks in (self.expected_look(query)[:, None], prompts.looks)]
        masks, iou, *_ = self.masks(
            image_embeddings=context, image_positional_embeddings=self.place.expand(count, -1, -1, -1),
            sparse_prompt_embeddings=torch.cat([self.query(query)[:, None, None], self._shown(prompts)], dim=2),
            dense_prompt_embeddings=self._earlier(prompts.previous) + self.known(torch.cat(alike, dim=1)),
            multimask_output=False,
            high_resolution_features=[detail[:, :self.fine], F.pixel_unshuffle(detail[:, self.fine:], 2)])
        logits = masks[:, 0]  # (N, 1, M, M)
        where = F.avg_pool2d(logits, logits.shape[-1] // side).flatten(1)
        quality = torch.logit(iou[:, 0].clamp(SURE, 1 - SURE))
        return Drawn(logits if corner is None else every_second(logits, corner), quality, where)

    def _shown(self, prompts: Prompts) -> Tensor:
        """Point and both corners of the box as SAM embeds them, (N, 1, 3, W)."""
        points = torch.cat([prompts.point[:, None, :2], prompts.box[:, :4].reshape(-1, 2, 2)], dim=1) * FRAME_PIXELS
        given = torch.stack([prompts.point[:, 2], prompts.box[:, 4], prompts.box[:, 4]], dim=1) > 0.5
        kinds = torch.arange(1, 4, device=points.device).expand(len(points), -1)
        labels = torch.where(given, kinds, torch.full_like(kinds, NOT_A_POINT))
        tokens: Tensor = self.prompts._embed_points(points[:, None] - 0.5, labels[:, None], pad=False)
        return tokens

    def _earlier(self, previous: Tensor) -> Tensor:
        """An earlier mask as SAM embeds it, or its sign that there is none: (N, W, m, m)."""
        given = (previous.abs().amax(dim=(1, 2, 3), keepdim=True) > 0).float()
        nothing = self.prompts.no_mask_embed.weight.reshape(1, -1, 1, 1)
        embedded: Tensor = self.prompts.mask_embed(previous)
        return given * embedded + (1.0 - given) * nothing


def open_sam(size: Size) -> tuple[SamEye, SamPyramid, SamDecoder]:
    """The parts of the folder `size.sam`."""
    folder = Path(size.sam)
    loaded: Any = Sam2Model.from_pretrained(folder, config=sam_config(folder), local_files_only=True)
    eye = SamEye(loaded.eval()).requires_grad_(False)
    return eye, SamPyramid(size), SamDecoder(size, loaded)
