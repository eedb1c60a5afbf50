"""Fitting the region head: views of one thing fall together, and real classes stay where the classifier sees them.

The head is linear on frozen features, so it is fitted on cached pooled features in about a minute and frozen before
the language part trains.

Three losses: a contrastive one between a thing's reference views and its views in scenes (InfoNCE, arXiv 1807.03748);
the divergence between the similarities to the prototypes and the classifier's own opinion; and the distance from the
classifier's principal directions, where the head starts: cut-outs are few and say little of real photographs.
Features pushed along the rows of the classifier stand in for photographs of the classes that our pictures do not show.
"""

import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from pixsearch.contract.files import atomic_directory
from pixsearch.contract.preprocess import BACKGROUND_WEIGHT, CROP_MARGIN, region_batch
from pixsearch.model.corpus import WORLD_SEED, Materials
from pixsearch.model.data.views import augmented_view, reference_views
from pixsearch.model.processes import on_all_cores
from pixsearch.model.region import RegionHead
from pixsearch.model.vision import Trunk

REFERENCES, VIEWS = 4, 10  # pictures of the index, and augmented views, a thing
TEMPERATURE = 0.07
CLASS_TEMPERATURE = 1.0
CONTRAST_WEIGHT, CLASS_WEIGHT, STAY_WEIGHT = 1.0, 1.0, 4.0
BATCH, STEPS, RATE = 384, 1500, 2e-3
PUSH = (0.0, 20.0)  # how far along a classifier row, in tenths of a mean feature


@dataclass(frozen=True)
class Views:
    """Pooled features of things; one with fewer pictures for the index has them repeated."""

    references: Tensor  # (things, REFERENCES, c32)
    augmented: Tensor  # (things, VIEWS, c32)


def views_of(runs: Path, materials: Materials, trunk: Trunk) -> Views:
    """`pooled_views` of a split, kept where every training finds them: views of other crops are other views."""
    weights = zlib.crc32(b"".join(tensor.numpy().tobytes() for tensor in trunk.state_dict().values()))
    crops = f"margin{CROP_MARGIN:g}-background{BACKGROUND_WEIGHT:g}-trunk{weights:08x}"
    return pooled_views(runs / "views" / f"{materials.split}-{crops}", materials, trunk)


def pooled_views(folder: Path, materials: Materials, trunk: Trunk) -> Views:
    """Pooled trunk features of a split's things, computed once and kept under `folder`."""
    if not folder.exists():
        with atomic_directory(folder) as temporary:
            np.save(temporary / "pooled.npy", _all_seen(materials, trunk.eval()))
    pooled = torch.from_numpy(np.load(folder / "pooled.npy"))  # (things, REFERENCES + VIEWS, c32)
    return Views(pooled[:, :REFERENCES], pooled[:, REFERENCES:])


def _all_seen(materials: Materials, trunk: Trunk) -> NDArray[np.float32]:
    """Pooled features of all things' views, (things, REFERENCES + VIEWS, c32)."""
    with click.progressbar(on_all_cores(_see, (materials, trunk), range(len(materials.things))), file=sys.stderr,
                           length=len(materials.things), label=f"{materials.split} views", show_pos=True) as bar:
        return np.stack(list(bar))


def _see(of: tuple[Materials, Trunk], number: int) -> NDArray[np.float32]:
    """Pooled features of one thing's views, (REFERENCES + VIEWS, c32)."""
    materials, trunk = of
    rng = np.random.default_rng([WORLD_SEED, number])
    thing = materials.things[number]
    references = reference_views(thing, WORLD_SEED)
    views = [references[number % len(references)] for number in range(REFERENCES)]
    views += [augmented_view(thing, materials.places[rng.integers(len(materials.places))], rng)
              for _ in range(VIEWS)]
    crops = [region_batch(view, mask if mask.any() else None) for view, mask in views]
    pixels = torch.from_numpy(np.concatenate([pixels for pixels, _ in crops]))
    weights = torch.from_numpy(np.concatenate([weights for _, weights in crops]))
    with torch.inference_mode():
        return (trunk(pixels).head * weights).sum(dim=(2, 3)).numpy()


def start_from_classifier(head: RegionHead, rows: Tensor) -> None:
    """Begin with the classifier's principal directions, in which its rows are the prototypes."""
    centred = rows - rows.mean(dim=0)
    directions = torch.linalg.svd(centred, full_matrices=False).Vh[:head.project.out_features]
    with torch.no_grad():
        head.project.weight.copy_(directions)
        head.project.bias.zero_()
        head.prototypes.copy_(F.normalize(centred @ directions.T, dim=-1))


def fit_region_head(head: RegionHead, views: Views, rows: Tensor, biases: Tensor, seed: int) -> dict[str, float]:
    """Train the head in place; returns the last losses. `rows`, `biases`: the classifier's (1000, c32), (1000,)."""
    start_from_classifier(head, rows)
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    spread = views.augmented.flatten(0, 1)
    start = head.project.weight.detach().clone()
    unit = rows / rows.norm(dim=1).mean() * spread.norm(dim=1).mean() / 10
    things, count = views.augmented.shape[:2]
    losses: dict[str, Tensor] = {}
    with click.progressbar(range(STEPS), label="region head", file=sys.stderr) as bar:
        for _ in bar:
            chosen = torch.randperm(things, generator=generator)[:BATCH]
            view = torch.randint(count, (len(chosen),), generator=generator)
            seen = views.augmented[chosen, view]
            side = torch.randint(REFERENCES, (len(chosen),), generator=generator)
            losses["contrast"] = _contrast(head(views.references[chosen, side]), head(seen))
            classes = torch.randint(len(rows), (len(chosen),), generator=generator)
            push = torch.empty(len(chosen), 1).uniform_(*PUSH, generator=generator)
            pushed = (seen + push * unit[classes]).clamp(min=0.0, max=6.0)  # the trunk ends in a ReLU6
            features = torch.cat([seen, pushed])
            losses["class"] = F.kl_div(
                head.class_logits(head(features)).log_softmax(dim=-1),
                ((features @ rows.T + biases) / CLASS_TEMPERATURE).softmax(dim=-1), reduction="batchmean")
            losses["stay"] = (head.project.weight - start).square().sum() / start.square().sum()
            loss = (CONTRAST_WEIGHT * losses["contrast"] + CLASS_WEIGHT * losses["class"]
                    + STAY_WEIGHT * losses["stay"])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    with torch.no_grad():
        head.prototypes.copy_(F.normalize(head.prototypes, dim=-1))
    return {name: value.item() for name, value in losses.items()}


def _contrast(references: Tensor, seen: Tensor) -> Tensor:
    scores = references @ seen.T / TEMPERATURE
    gold = torch.arange(len(scores))
    return (F.cross_entropy(scores, gold) + F.cross_entropy(scores.T, gold)) / 2


def view_recall(head: RegionHead, views: Views) -> float:
    """Share of augmented views whose nearest reference is their own thing's."""
    with torch.inference_mode():
        scores = head(views.augmented) @ head(views.references).flatten(0, 1).T  # (things, VIEWS, things * REFERENCES)
        found = scores.argmax(dim=-1) // REFERENCES
        return float((found == torch.arange(len(found))[:, None]).float().mean())
