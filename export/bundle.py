"""A model bundle from a trained model: graphs, tokenizer, and the manifest written last."""

import hashlib
import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import onnx
import torch

from pixsearch.contract import graphs, preprocess
from pixsearch.contract.faults import Fault
from pixsearch.contract.files import atomic_directory, write_manifest
from pixsearch.contract.images import Pixels
from pixsearch.export.fast import add_fast
from pixsearch.export.graphs import model_graphs
from pixsearch.export.recipes import RECIPES, Notes
from pixsearch.model.checkpoint import Checkpoint
from pixsearch.model.network import PixSearch
from pixsearch.model.sizes import Size

LICENCES = {
    "vision": "EfficientNet-Lite0 weights, Apache-2.0",
    "language": "Gemma 3 270M, Gemma Terms of Use (https://ai.google.dev/gemma/terms); modified: cut and trained here",
    "text": "distilled from all-MiniLM-L6-v2, Apache-2.0",
}
# what an answer is judged by until the validation split has been measured (`calibrate.py`)
START_CALIBRATION: dict[str, Any] = {
    "weights": {"score": 0.0, "margin": 0.0, "logprob": 0.0, "iou": 0.0}, "bias": 0.0, "threshold": 0.0,
    "sure": 0.75, "likely": 0.55}


def embedder_id(model: PixSearch) -> str:
    """A name that changes whenever region or text vectors do; quantization keeps it."""
    digest = hashlib.sha256()
    for part in (model.region, model.text):
        for _, tensor in sorted(part.state_dict().items()):
            digest.update(tensor.detach().to(torch.float32).contiguous().numpy().tobytes())
    return f"{model.size.name}-{digest.hexdigest()[:12]}"


def export_bundle(checkpoint: Checkpoint, folder: Path, precision: str = "fp32",
                  calibration: dict[str, Any] | None = None, target: str = graphs.ONNX_TARGET,
                  frames: Sequence[Pixels] = ()) -> dict[str, Any]:
    """Write a bundle folder, whole or not at all; returns its manifest.

    precision, target : a row of `recipes.RECIPES`; Raises Fault for another pair
    calibration : as `edge/calibration.py` reads it; START_CALIBRATION when left out
    frames : uint8 RGB (H, W, 3), that ranges of static int8 are taken from
    """
    recipe = RECIPES.get((target, precision))
    if recipe is None:
        known = ", ".join(f"{name} for {of}" for of, name in RECIPES)
        raise Fault("precision", expected=f"one of {known}", actual=f"{precision} for {target}",
                    remedy="choose another precision or target")
    model = checkpoint.model.eval()
    for talkative in ("torch.onnx", "onnxscript", "onnx_ir"):  # the quantizer has the root logger tell everything
        logging.getLogger(talkative).setLevel(logging.ERROR)
    notes: dict[str, Notes] = {}
    with atomic_directory(folder) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of classes that it deprecates itself
        with click.progressbar(list(model_graphs(model)), label=f"export {folder.name}", file=sys.stderr,
                               item_show_func=lambda graph: graph.name if graph else "") as bar:
            for graph in bar:
                path = temporary / graphs.graph_file(graph.name)
                graph.export(path)
                notes[graph.name] = recipe(graph.name, path, frames)
        if (target, precision) == (graphs.ONNX_TARGET, "int8"):
            add_fast(temporary, model.size, checkpoint.tokenizer.context, frames)
        checkpoint.backend.save(str(temporary / graphs.TOKENIZER_FILE))
        manifest = _manifest(checkpoint, folder.name, precision, temporary, calibration)
        manifest |= {"target": target, "quantization": {name: note for name, note in notes.items() if note}}
        return write_manifest(temporary, manifest)


def _manifest(checkpoint: Checkpoint, name: str, precision: str, folder: Path, calibration: dict[str, Any] | None
              ) -> dict[str, Any]:
    size = checkpoint.model.size
    return {
        "format_version": graphs.BUNDLE_FORMAT, "kind": "bundle", "name": name, "size": size.name,
        "precision": precision, "embedder": embedder_id(checkpoint.model),
        "dimensions": {"width": size.width, "region": size.region, "text": size.text, "layers": len(size.layers),
                       "kv_heads": size.kv_heads, "head_width": size.head_width,
                       "vocabulary": checkpoint.tokenizer.size, "detail": size.detail, "context": size.context},
        "preprocessing": preprocess.CONSTANTS,
        "graphs": {graph: _signature(folder / graphs.graph_file(graph)) for graph in graphs.GRAPHS},
        "calibration": calibration or START_CALIBRATION,
        "licences": _licences(size),
        "training": checkpoint.description,
    }


def _licences(size: Size) -> dict[str, str]:
    if not size.pretrained:
        return {"all": "Apache-2.0"}
    return LICENCES | ({"language": f"{Path(size.weights).name}, under its own licence"} if size.weights else {})


def _signature(path: Path) -> dict[str, dict[str, list[int | str]]]:
    graph = onnx.load(path, load_external_data=False).graph

    def shapes(values: Any) -> dict[str, list[int | str]]:
        return {value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
                for value in values}

    return {"inputs": shapes(graph.input), "outputs": shapes(graph.output)}
