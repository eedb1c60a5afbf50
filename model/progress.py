"""The progress of a run that may be cut: trained tensors and the optimiser's moments, a shard a process.

Each process writes what it holds: its part of every sharded tensor, or its share of those that all of them have. Any
number of processes reads the shards again. safetensors only; a folder counts when it has its name.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

from pixsearch.contract.faults import Fault

NAME, PARTIAL = "progress-", ".partial"
MOMENTS = ("exp_avg", "exp_avg_sq")


def latest(folder: Path) -> Path | None:
    """The progress of a run's folder that is whole, None where it has not begun."""
    found = [path for path in folder.glob(f"{NAME}*") if path.suffix != PARTIAL]
    return max(found, key=lambda path: int(path.name.removeprefix(NAME)), default=None)


def save_progress(folder: Path, model: nn.Module, optimiser: torch.optim.Optimizer, step: int, rank: int = 0,
                  processes: int = 1, wait: Callable[[], None] = lambda: None) -> None:
    """Write the progress of a step to a run's folder, whole or not at all, and remove the one before.

    Every process calls it; `wait` returns when all of them have.
    """
    target = folder / f"{NAME}{step}"
    partial = target.with_suffix(PARTIAL)
    if rank == 0:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
    wait()
    tensors: dict[str, Tensor] = {}
    offsets: dict[str, int] = {}
    for number, (name, tensor) in enumerate(_kept(model, optimiser)):
        if isinstance(tensor, DTensor):
            _, offset = compute_local_shape_and_global_offset(tensor.shape, tensor.device_mesh, tensor.placements)
            tensors[name], offsets[name] = tensor.to_local().detach().contiguous(), offset[0] if offset else 0
        elif number % processes == rank:
            tensors[name], offsets[name] = tensor.detach().contiguous(), 0
    save_file({name: tensor.cpu() for name, tensor in tensors.items()},
              partial / f"shard-{rank}-of-{processes}.safetensors",
              {"step": str(step), "offsets": json.dumps(offsets)})
    wait()
    if rank == 0:
        partial.replace(target)
        for path in folder.glob(f"{NAME}*"):
            if path != target:
                shutil.rmtree(path)
    wait()


def load_progress(folder: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    """Restore what `save_progress` wrote; returns the step. Raises Fault for the progress of another kind of model."""
    tensors, step = _read(folder)
    for name, parameter in _trained(model, optimiser):
        kept = tensors.get(f"weight/{name}")
        if kept is None or kept.shape != parameter.shape:
            raise Fault(f"progress {folder}", expected=f"{name} {tuple(parameter.shape)}",
                        actual="another model's tensors",
                        remedy=f"remove {folder.parent} to train again from the start")
    for name, parameter in _trained(model, optimiser):
        with torch.no_grad():
            parameter.copy_(_like(tensors[f"weight/{name}"], parameter))
        if f"step/{name}" in tensors:  # what no step has moved yet has no moments
            optimiser.state[parameter] = {"step": tensors[f"step/{name}"].to(parameter.device)} | {
                moment: _like(tensors[f"{moment}/{name}"], parameter) for moment in MOMENTS}
    return step


def _trained(model: nn.Module, optimiser: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            yield names[id(parameter)], parameter


def _kept(model: nn.Module, optimiser: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in _trained(model, optimiser):
        yield f"weight/{name}", parameter
        for key, value in optimiser.state.get(parameter, {}).items():
            yield f"{key}/{name}", value


def _like(whole: Tensor, parameter: Tensor) -> Tensor:
    """A whole tensor as a parameter is laid out."""
    if isinstance(parameter, DTensor):
        return distribute_tensor(whole.to(parameter.device), parameter.device_mesh, parameter.placements)
    return whole.to(parameter.device)


def _read(folder: Path) -> tuple[dict[str, Tensor], int]:
    """All tensors, put together from their shards along the first dimension, and the step."""
    parts: dict[str, list[tuple[int, Tensor]]] = {}
    paths = sorted(folder.glob("shard-*.safetensors"))
    if not paths or len(paths) != int(paths[0].stem.rpartition("-")[2]):
        raise Fault(f"progress {folder}", expected="all its shards", actual=f"{len(paths)} of them",
                    remedy=f"remove {folder.parent} to train again from the start")
    for path in paths:
        with safe_open(path, "pt") as shard:
            about = shard.metadata()
            offsets = json.loads(about["offsets"])
            for name in shard.keys():  # noqa: SIM118 - not a mapping
                parts.setdefault(name, []).append((offsets[name], shard.get_tensor(name)))
    tensors = {name: found[0][1] if len(found) == 1 else torch.cat(
        [tensor for _, tensor in sorted(found, key=lambda one: one[0])]) for name, found in parts.items()}
    return tensors, int(about["step"])
