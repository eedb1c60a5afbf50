"""Region vectors: linear before they are normalised, and classes are found at their prototypes."""

import pytest
import torch

from pixsearch.model import region_fit
from pixsearch.model.region import CLASSES, RegionHead
from pixsearch.model.region_fit import Views, fit_region_head, start_from_classifier, view_recall
from pixsearch.model.sizes import SIZES
from pixsearch.model.vision import Features

SIZE = SIZES["tiny"]


def a_classifier() -> torch.Tensor:
    return torch.randn(CLASSES, SIZE.trunk[3], generator=torch.Generator().manual_seed(0))


def some_views(things: int = 40, views: int = 5) -> Views:
    generator = torch.Generator().manual_seed(1)
    own = torch.randn(things, SIZE.trunk[3], generator=generator).abs()
    noise = torch.randn(things, views, SIZE.trunk[3], generator=generator)
    return Views(own[:, None].expand(-1, region_fit.REFERENCES, -1), (own[:, None] + 0.9 * noise).clamp(min=0))


def test_pooling_two_cells_lies_between_them() -> None:
    head = RegionHead(SIZE)
    level = torch.randn(1, SIZE.trunk[3], 1, 2)
    features = Features(level, level, level, level)

    def pooled(*weights: float) -> torch.Tensor:
        return head.pool(features, torch.tensor(weights).reshape(1, 1, 1, 2))

    mixed = head.project((level[..., 0] + level[..., 1])[..., 0] / 2)
    assert torch.allclose(pooled(0.5, 0.5), torch.nn.functional.normalize(mixed, dim=-1), atol=1e-5)
    assert torch.allclose(pooled(1.0, 0.0)[0], head.dense(features)[0, :, 0, 0], atol=1e-5)


def test_a_class_is_nearest_to_its_own_prototype() -> None:
    head = RegionHead(SIZE)
    start_from_classifier(head, a_classifier())
    assert torch.allclose(head.prototypes.norm(dim=-1), torch.ones(CLASSES), atol=1e-5)
    assert head.class_logits(head.prototypes).argmax(dim=-1).tolist() == list(range(CLASSES))


def test_fitting_brings_views_of_a_thing_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(region_fit, "STEPS", 200)
    torch.manual_seed(0)
    head, views = RegionHead(SIZE), some_views()
    start_from_classifier(head, a_classifier())
    before = view_recall(head, views)
    fit_region_head(head, views, a_classifier(), torch.zeros(CLASSES), seed=0)
    assert view_recall(head, views) > before + 0.03
