"""Region vectors: encoder features, pooled over a mask, mapped linearly onto the unit sphere.

The map is linear so that the classifier's rows have an image in the same space: the prototypes of the everyday pack.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pixsearch.model.sizes import Size
from pixsearch.model.vision import Features

CLASSES = 1000  # of ImageNet


class RegionHead(nn.Module):
    """Linear map of features to region space, with the class prototypes that live there."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.project = nn.Linear(size.trunk[3], size.region)
        self.prototypes = nn.Parameter(torch.randn(CLASSES, size.region))
        self.log_scale = nn.Parameter(torch.tensor(3.0))  # sharpness of similarities among prototypes

    def forward(self, pooled: Tensor) -> Tensor:
        """Pooled features (B, c32) → unit vectors (B, region)."""
        return F.normalize(self.project(pooled), dim=-1)

    def pool(self, features: Features, weights: Tensor) -> Tensor:
        """Region vectors (B, region) of crops, pooled with weights (B, 1, h, w) that sum to 1."""
        return self((features.head * weights).sum(dim=(2, 3)))

    def dense(self, features: Features) -> Tensor:
        """Region vectors of every position: (B, region, h, w), unit length along dimension 1."""
        return F.normalize(self.project(features.head.permute(0, 2, 3, 1)), dim=-1).permute(0, 3, 1, 2)

    def class_logits(self, vectors: Tensor) -> Tensor:
        """Similarity to every prototype (…, CLASSES), scaled for a softmax."""
        return self.log_scale.exp() * vectors @ F.normalize(self.prototypes, dim=-1).T
