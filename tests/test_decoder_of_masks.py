"""The mask decoder learns, and every prompt tells it something."""

import pytest
import torch

from pixsearch.contract.looks import LOOKS
from pixsearch.contract.preprocess import MASK_PIXELS
from pixsearch.model.masks import Drawn, MaskDecoder, Prompts, cells_inside, iou, mask_losses
from pixsearch.model.sizes import SIZES

SIZE = SIZES["tiny"]
CELLS = MASK_PIXELS // 4


def no_prompts(count: int) -> Prompts:
    return Prompts(torch.zeros(count, 3), torch.zeros(count, 5), torch.zeros(count, 1, MASK_PIXELS, MASK_PIXELS),
                   torch.zeros(count, LOOKS, SIZE.region))


def a_scene(count: int) -> tuple[torch.Tensor, ...]:
    """Words, features in which a square stands out, and that square, for each of `count` queries."""
    generator = torch.Generator().manual_seed(1)
    gold = torch.zeros(count, MASK_PIXELS, MASK_PIXELS)
    for row in range(count):
        x, y = 12 * row, 8 + 10 * row
        gold[row, y:y + 32, x:x + 32] = 1.0
    detail = torch.randn(count, SIZE.detail, MASK_PIXELS, MASK_PIXELS, generator=generator) * 0.1
    detail[:, 0] += gold
    context = torch.nn.functional.avg_pool2d(detail, 4).repeat(1, SIZE.context // SIZE.detail, 1, 1)
    dense = torch.nn.functional.normalize(torch.randn(count, SIZE.region, 12, 12, generator=generator), dim=1)
    return torch.randn(count, SIZE.width, generator=generator), detail, context, dense, gold


def test_it_learns_four_scenes_by_heart() -> None:
    torch.manual_seed(0)
    decoder = MaskDecoder(SIZE)
    query, detail, context, dense, gold = a_scene(4)
    optimiser = torch.optim.AdamW(decoder.parameters(), lr=5e-3)
    for _ in range(80):
        drawn = decoder(query, detail, context, dense, no_prompts(4))
        optimiser.zero_grad()
        torch.stack(list(mask_losses(drawn, gold).values())).sum().backward()
        optimiser.step()
    assert iou(drawn.logits[:, 0], gold).min() > 0.8


@pytest.mark.parametrize("prompt", ["point", "box", "previous", "looks"])
def test_a_prompt_changes_the_mask(prompt: str) -> None:
    torch.manual_seed(0)
    decoder = MaskDecoder(SIZE)
    torch.nn.init.normal_(decoder.known.weight, std=0.1)  # it starts from nothing
    query, detail, context, dense, gold = a_scene(1)
    given = {"point": torch.tensor([[0.2, 0.3, 1.0]]), "box": torch.tensor([[0.1, 0.1, 0.4, 0.4, 1.0]]),
             "previous": (gold[:, None] * 2 - 1) * 4, "looks": dense[:, :, :2, :4].flatten(2).transpose(1, 2)}
    with torch.inference_mode():
        without = decoder(query, detail, context, dense, no_prompts(1))
        prompted = decoder(query, detail, context, dense, no_prompts(1)._replace(**{prompt: given[prompt]}))
    assert without.logits.shape == (1, 1, MASK_PIXELS, MASK_PIXELS)
    assert not torch.allclose(without.logits, prompted.logits, atol=1e-3)


@torch.inference_mode()
def test_queries_of_one_scene_share_its_fine_features() -> None:
    torch.manual_seed(0)
    decoder = MaskDecoder(SIZE)
    query, detail, context, dense, _ = a_scene(4)
    rows = torch.tensor([0, 0, 1, 1])
    apart = decoder(query, detail[rows], context[rows], dense[rows], no_prompts(4)).logits
    together = decoder(query, detail[:2], context[rows], dense[rows], no_prompts(4)).logits
    assert torch.allclose(apart, together, atol=1e-4) and not torch.allclose(apart[0], apart[1], atol=1e-2)


@torch.inference_mode()
def test_training_draws_from_the_cells_it_is_given() -> None:
    torch.manual_seed(0)
    decoder = MaskDecoder(SIZE)
    query, detail, context, dense, gold = a_scene(4)
    own = decoder(query, detail, context, dense, no_prompts(4))
    best = torch.nn.functional.one_hot(own.where.argmax(dim=1), CELLS ** 2).bool()
    same = decoder(query, detail, context, dense, no_prompts(4), inside=best)
    assert torch.equal(own.logits, same.logits)
    inside = cells_inside(gold, CELLS)
    covered = torch.nn.functional.adaptive_avg_pool2d(gold, CELLS).flatten(1)
    assert inside.any(dim=1).all() and (covered[inside] > 0).all()
    given = decoder(query, detail, context, dense, no_prompts(4), inside=inside & ~best)
    assert not torch.allclose(own.logits, given.logits, atol=1e-3)
    assert torch.equal(own.quality, given.quality)  # that of the mask which the device would draw


@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 0), (1, 1)])
@torch.inference_mode()
def test_every_second_row_and_column_is_drawn_as_in_the_whole_mask(corner: tuple[int, int]) -> None:
    torch.manual_seed(0)
    decoder = MaskDecoder(SIZE)
    query, detail, context, dense, _ = a_scene(2)
    whole = decoder(query, detail, context, dense, no_prompts(2)).logits
    part = decoder(query, detail, context, dense, no_prompts(2), corner).logits
    assert part.shape[-1] == MASK_PIXELS // 2
    assert torch.allclose(part, whole[..., corner[0]::2, corner[1]::2], atol=1e-4)


def test_coordinates_of_a_prompt_that_is_not_given_mean_nothing() -> None:
    torch.manual_seed(0)
    decoder = MaskDecoder(SIZE)
    query, detail, context, dense, _ = a_scene(1)
    noise = no_prompts(1)._replace(point=torch.tensor([[0.7, 0.2, 0.0]]), box=torch.tensor([[0.1, 0.2, 0.9, 0.9, 0.0]]))
    with torch.inference_mode():
        assert torch.equal(decoder(query, detail, context, dense, no_prompts(1)).logits,
                           decoder(query, detail, context, dense, noise).logits)


def test_a_perfect_mask_costs_nearly_nothing() -> None:
    gold = a_scene(2)[-1]
    where = torch.nn.functional.avg_pool2d(gold[:, None], 4).flatten(1).clamp(min=1e-9).log()
    perfect = Drawn((gold[:, None] * 2 - 1) * 20, torch.full((2, 1), 12.0), where)
    empty = Drawn(torch.full((2, 1, MASK_PIXELS, MASK_PIXELS), -20.0), torch.full((2, 1), 12.0), where)
    good, bad = mask_losses(perfect, gold), mask_losses(empty, gold)
    assert good["tversky"] < 0.01 and good["bce"] < 0.01 and good["iou"] < 0.01
    assert bad["tversky"] > 5 and bad["bce"] > 0.5 and bad["iou"] > 0.9
    astray = perfect._replace(where=-where)  # drawn well in training, but the device would draw it elsewhere
    assert mask_losses(astray, gold)["iou"] > 0.9


def test_iou_table() -> None:
    truth = torch.zeros(3, 4, 4)
    truth[:, :2] = 1.0
    guess = torch.full((3, 4, 4), -1.0)
    guess[0, :2] = 1.0
    guess[1, 1:3] = 1.0
    assert iou(guess, truth).tolist() == pytest.approx([1.0, 1 / 3, 0.0])
