"""Model folders: weights, tokenizer and a description. safetensors only, nothing that can run code."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer as RustTokenizer
from torch import Tensor

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import atomic_directory
from pixsearch.contract.graphs import TOKENIZER_FILE
from pixsearch.contract.tokenizer import Tokenizer
from pixsearch.model.network import PixSearch
from pixsearch.model.sizes import size_named

BASE = "base"  # the stage of a model that nothing has been trained of yet
WEIGHTS_FILE, DESCRIPTION_FILE = "weights.safetensors", "description.json"


@dataclass
class Checkpoint:
    """A model with its tokenizer and what is known of it."""

    model: PixSearch
    backend: RustTokenizer
    description: dict[str, Any]

    @property
    def tokenizer(self) -> Tokenizer:
        return Tokenizer(self.backend)


def save_model(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a model folder, whole or not at all. Weights are float32."""
    with atomic_directory(folder) as temporary:
        state = {name: tensor.detach().to("cpu", torch.float32).contiguous()
                 for name, tensor in checkpoint.model.state_dict().items()}
        save_file(state, temporary / WEIGHTS_FILE)
        checkpoint.backend.save(str(temporary / TOKENIZER_FILE))
        (temporary / DESCRIPTION_FILE).write_text(json.dumps(
            {**checkpoint.description, "size": checkpoint.model.size.name}, indent=1))


def load_model(folder: Path) -> Checkpoint:
    """Read a model folder. Raises Fault when it is not one."""
    if not (folder / DESCRIPTION_FILE).is_file():
        raise Fault(f"model {folder}", expected=f"a folder with {DESCRIPTION_FILE}", actual="none there",
                    remedy="train one with `pixsearch train stage1`")
    try:
        description = json.loads((folder / DESCRIPTION_FILE).read_text())
        size = size_named(description["size"])
        backend = RustTokenizer.from_file(str(folder / TOKENIZER_FILE))
        tokenizer = Tokenizer(backend)
        model = PixSearch(size, tokenizer.size, tokenizer.special.pad)
        model.load_state_dict(load_file(folder / WEIGHTS_FILE))
    except Fault:
        raise
    except Exception as error:  # tokenizers raises bare Exception; torch and safetensors their own
        raise Fault(f"model {folder}", expected="whole files of one model", actual=str(error)[:120],
                    remedy="train it again, or copy the folder again") from error
    return Checkpoint(model, backend, description)


def save_progress(path: Path, model: PixSearch, optimiser: torch.optim.Optimizer, step: int) -> None:
    """Everything that a resumed run needs: trained tensors, the optimiser's moments and the step; atomic."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    tensors: dict[str, Tensor] = {"step": torch.tensor(step)}
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            tensors[f"weight/{name}"] = parameter.detach()
            for key, value in optimiser.state[parameter].items():
                tensors[f"{key}/{name}"] = value
    temporary = path.with_suffix(".partial")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary)
    temporary.replace(path)


def load_progress(path: Path, model: PixSearch, optimiser: torch.optim.Optimizer) -> int:
    """Restore what `save_progress` wrote; returns the step. Raises Fault for the progress of another kind of model."""
    tensors = load_file(path)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for parameter in (parameter for group in optimiser.param_groups for parameter in group["params"]):
        kept = tensors.get(f"weight/{names[id(parameter)]}")
        if kept is None or kept.shape != parameter.shape:
            raise Fault(f"progress {path}", expected=f"{names[id(parameter)]} {tuple(parameter.shape)}",
                        actual="another model's tensors",
                        remedy=f"remove {path.parent} to train again from the start")
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            with torch.no_grad():
                parameter.copy_(tensors[f"weight/{name}"])
            if f"step/{name}" in tensors:  # what no step has moved yet has no moments
                optimiser.state[parameter] = {
                    key: tensors[f"{key}/{name}"].to(parameter.device) for key in ("step", "exp_avg", "exp_avg_sq")}
    return int(tensors["step"])
