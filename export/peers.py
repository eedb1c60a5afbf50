"""Published networks that ours are timed beside."""

from pathlib import Path

import torch
from torch import Tensor, nn

from pixsearch.contract.files import atomic_directory
from pixsearch.export.graphs import OPSET
from pixsearch.model.vision import efficientnet_lite0

PEER_PIXELS = 224


class Classifier(nn.Module):
    """EfficientNet-Lite0 whole: trunk, pooling and classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, rows, biases = efficientnet_lite0()
        self.rows, self.biases = nn.Parameter(rows), nn.Parameter(biases)

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (1, 3, 224, 224) → class logits (1, 1000)."""
        return self.trunk(pixels).head.mean(dim=(2, 3)) @ self.rows.T + self.biases


def export_efficientnet(path: Path) -> None:
    """Write EfficientNet-Lite0 in float32 at 224 pixels as ONNX, the unit that stages are compared with."""
    with atomic_directory(path.parent) as folder:
        program = torch.onnx.export(
            Classifier().eval(), (torch.zeros(1, 3, PEER_PIXELS, PEER_PIXELS),), input_names=["pixels"],
            output_names=["logits"], opset_version=OPSET, dynamo=True, external_data=False, verbose=False)
        assert program is not None
        program.save(str(folder / path.name))
