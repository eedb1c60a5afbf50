"""How a run is spread over processes and GPUs: accelerate's DDP or FSDP, or one process as the simplest case.

`accelerate launch` (or torchrun) starts the processes and says how; nothing of it is in a run file.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, DistributedType, InitProcessGroupKwargs
from torch import Tensor, nn

from pixsearch.contract.faults import Fault
from pixsearch.model.config import RunConfig
from pixsearch.model.families.language import FamilyLanguage
from pixsearch.model.network import PixSearch

PATIENCE = timedelta(hours=24)  # of processes that wait for the first one to see the corpus
GRADIENT_LIMIT = 1.0
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Learner(nn.Module):
    """The model as wrappers see it: whatever is worked out with it passes through one forward call."""

    def __init__(self, model: PixSearch) -> None:
        super().__init__()
        self.model = model
        if isinstance(model.language, FamilyLanguage):  # what FSDP shards and gathers as a whole
            self._no_split_modules = [type(model.language.decoder.layers[0]).__name__]

    def forward(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """`work(model, *arguments)`."""
        return work(self.model, *arguments)


class Spread:
    """The processes of a run, this one among them."""

    def __init__(self, config: RunConfig, folder: Path) -> None:
        """Raises Fault where a batch's parts cannot be shared out."""
        self.accelerator = Accelerator(
            cpu=not torch.cuda.is_available(), log_with="tensorboard", project_dir=str(folder),
            kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE),
                             DistributedDataParallelKwargs(find_unused_parameters=True)])
        self.rank, self.count = self.accelerator.process_index, self.accelerator.num_processes
        self.device = self.accelerator.device
        self._name = config.name
        if config.parts % self.count:
            raise Fault(f"run {config.name}", expected=f"parts that {self.count} processes can share",
                        actual=str(config.parts), remedy=f"set `parts` in the run file to a multiple of {self.count}")
        if self.is_sharded and not config.weights:
            raise Fault("FSDP", expected="a size made from a folder of weights", actual=config.size,
                        remedy="start this size with DDP")

    @property
    def is_main(self) -> bool:
        """Whether this process writes what is written once."""
        return bool(self.accelerator.is_main_process)

    @property
    def is_sharded(self) -> bool:
        """Whether each process holds only a part of the weights."""
        return bool(self.accelerator.distributed_type is DistributedType.FSDP)

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """The first process passes before the others, which then find what it has written."""
        with self.accelerator.main_process_first():
            yield

    def prepare(self, model: PixSearch, optimiser: torch.optim.Optimizer) -> tuple[nn.Module, Any]:
        """The learner and the optimiser, wrapped for these processes."""
        prepared: tuple[nn.Module, Any] = self.accelerator.prepare(Learner(model), optimiser)
        return prepared

    def learn(self, learner: nn.Module, total: Tensor, is_last: bool) -> None:
        """Pass a loss back; gradients of all processes are averaged after the last of a step."""
        with nullcontext() if is_last else self.accelerator.no_sync(learner):
            self.accelerator.backward(total)

    def clip(self, parameters: list[Tensor]) -> None:
        """Limit the gradient's length."""
        self.accelerator.clip_grad_norm_(parameters, GRADIENT_LIMIT)

    def mean(self, values: Tensor) -> list[list[float]]:
        """The mean of all processes' values, (N, M)."""
        found: list[list[float]] = self.accelerator.reduce(values, reduction="mean").tolist()
        return found

    def wait(self) -> None:
        """Until all processes are here."""
        self.accelerator.wait_for_everyone()

    def whole_state(self, learner: nn.Module) -> dict[str, Tensor]:
        """The model's tensors by name, whole in the first process."""
        prefix = "model."
        state = self.accelerator.get_state_dict(learner) or {}
        return {name.removeprefix(prefix): tensor for name, tensor in state.items()}

    def begin_tracking(self, config: RunConfig) -> None:
        """Let accelerate's trackers (TensorBoard) follow the run, below its folder."""
        values = {key: value if isinstance(value, int | float | str) else str(value)
                  for key, value in asdict(config).items()}
        self.accelerator.init_trackers("tensorboard", config=values)

    def track(self, values: dict[str, float], step: int) -> None:
        """Hand figures to the trackers."""
        self.accelerator.log(values, step=step)

    def end(self) -> None:
        """Close the trackers."""
        self.accelerator.end_training()
