"""How far a bundle's graphs are from torch in float32: `python -m pixsearch.export.parity MODEL BUNDLE`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixsearch.contract import graphs
from pixsearch.contract.images import read_image
from pixsearch.contract.preprocess import frame_batch, region_batch
from pixsearch.export.graphs import Graph, example_inputs, model_graphs
from pixsearch.model.checkpoint import load_model
from pixsearch.model.network import PixSearch

LENGTHS = ((1, 9), (12, 0), (7, 5))  # new tokens and past ones


def graph_error(graph: Graph, path: Path, inputs: Mapping[str, Tensor]) -> float:
    """Largest absolute difference over all outputs of a graph, divided by the output's largest value above 1."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options)
    names = graphs.SIGNATURES[graph.name][0]
    with torch.inference_mode():
        expected = graph.module(*(inputs[name] for name in names))
    found: Sequence[NDArray[np.float32]] = session.run(None, {name: inputs[name].numpy() for name in names})
    return max(float(np.abs(ours - theirs.numpy()).max()) / max(1.0, float(theirs.abs().max()))
               for ours, theirs in zip(found, expected if isinstance(expected, tuple) else (expected,), strict=True))


def real_inputs(name: str, photograph: Path) -> dict[str, Tensor] | None:
    """A photograph as a graph of pixels takes it; None for graphs that take none."""
    frame = read_image(photograph)
    if name == graphs.VISION:
        return {"pixels": torch.from_numpy(frame_batch(frame)[0])}
    if name == graphs.REGION:
        pixels, weights = region_batch(frame, None)
        return {"pixels": torch.from_numpy(pixels), "weights": torch.from_numpy(weights)}
    return None


def parity(model: PixSearch, bundle: Path, photographs: Sequence[Path]) -> dict[str, float]:
    """Largest relative error of each graph of a bundle over random inputs and real photographs."""
    errors: dict[str, float] = {}
    for graph in model_graphs(model.eval()):
        path = bundle / graphs.graph_file(graph.name)
        inputs = [example_inputs(model, graph.name, torch.Generator().manual_seed(seed), *lengths)
                  for seed, lengths in enumerate(LENGTHS)]
        inputs += [real for photograph in photographs if (real := real_inputs(graph.name, photograph))]
        errors[graph.name] = max(graph_error(graph, path, one) for one in inputs)
    return errors


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("photographs", type=click.Path(path_type=Path), nargs=-1)
def main(model: Path, bundle: Path, photographs: tuple[Path, ...]) -> None:
    """Compare every graph of BUNDLE with MODEL in torch, on random inputs and on PHOTOGRAPHS."""
    for name, error in parity(load_model(model).model, bundle, photographs).items():
        click.echo(f"{name:<10}{error:.2e}")


if __name__ == "__main__":
    main()
