"""One process of a run that torchrun spreads: `one_of_several.py FOLDER CONFIG [STEP]`, rank 1 dies in STEP."""

import json
import os
import sys
from pathlib import Path

import pytest
import torch
from base_lab import patched

from pixsearch.model import training
from pixsearch.model.config import RunConfig


def main(folder: Path, config: RunConfig, dies_in: int | None) -> None:
    torch.set_num_threads(1)
    learn = training.Run._losses

    def fall(run: training.Run, step: object) -> dict[str, torch.Tensor]:
        if run.step == dies_in and run.spread.rank == 1:
            os._exit(9)  # between forward passes of one step: the other process waits for its gradients
        return learn(run, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.Run, "_losses", fall)
        training.train(config, *patched(folder, patch))


if __name__ == "__main__":
    given = json.loads(sys.argv[2])
    main(Path(sys.argv[1]), RunConfig(**given | {"betas": tuple(given["betas"])}),
         int(sys.argv[3]) if len(sys.argv) > 3 else None)
