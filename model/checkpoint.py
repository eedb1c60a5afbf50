"""Model folders: weights, tokenizer and a description. safetensors only, nothing that can run code."""

import json
from collections.abc import Mapping
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
from pixsearch.model.families.table import size_of
from pixsearch.model.network import ADAPTER, PixSearch, merge_adapters, put_adapters
from pixsearch.model.sizes import Size, size_named

BASE = "base"  # the stage of a model that nothing has been trained of yet
WEIGHTS_FILE, DESCRIPTION_FILE = "weights.safetensors", "description.json"
PUBLISHED = ("tower.", "eye.", "language.decoder.", "language.head")  # parts that a family's folder holds


@dataclass
class Checkpoint:
    """A model with its tokenizer and what is known of it."""

    model: PixSearch
    backend: RustTokenizer
    description: dict[str, Any]

    @property
    def tokenizer(self) -> Tokenizer:
        return Tokenizer(self.backend, self.model.size.image_tokens)


def save_model(folder: Path, checkpoint: Checkpoint, state: Mapping[str, Tensor] | None = None) -> None:
    """Write a model folder, whole or not at all. Weights are float32; those of a family's folder are not repeated.

    state : the model's tensors, where they are spread over processes
    """
    with atomic_directory(folder) as temporary:
        kept = {name: tensor.detach().to("cpu", torch.float32).contiguous()
                for name, tensor in (state or checkpoint.model.state_dict()).items()
                if is_own(checkpoint.model.size, name)}
        save_file(kept, temporary / WEIGHTS_FILE)
        checkpoint.backend.save(str(temporary / TOKENIZER_FILE))
        (temporary / DESCRIPTION_FILE).write_text(json.dumps(
            {**checkpoint.description, **description_of(checkpoint.model.size)}, indent=1))


def is_own(size: Size, name: str) -> bool:
    """Whether a tensor belongs to a model folder: all but what is read from a family's folder of weights."""
    published = name.startswith(PUBLISHED) and ADAPTER not in name
    return not (size.weights and published)


def description_of(size: Size) -> dict[str, Any]:
    """What a size is made from, for `described_size`."""
    if not size.weights:
        return {"size": size.name}
    return {"size": size.name, "weights": size.weights, "sam": size.sam, "quantized": size.quantized}


def described_size(description: dict[str, Any]) -> Size:
    """The size that a model folder or a run file names. Raises Fault for one that needs a folder of weights."""
    size = size_named(description["size"])
    if description.get("weights"):
        return size_of(size, Path(description["weights"]), Path(description["sam"]) if description["sam"] else None,
                       bool(description["quantized"]))
    if not size.layers or size.family:
        raise Fault(f"size {size.name}", expected="a folder of weights", actual="none given",
                    remedy="name it with --weights or as `weights` in the run file")
    return size


def load_model(folder: Path, quantized: bool | None = None) -> Checkpoint:
    """Read a model folder. Raises Fault when it is not one.

    quantized : whether a family's linear layers are kept in 4 bits; as they were trained unless given
    """
    if not (folder / DESCRIPTION_FILE).is_file():
        raise Fault(f"model {folder}", expected=f"a folder with {DESCRIPTION_FILE}", actual="none there",
                    remedy="train one with `pixsearch train stage1`")
    try:
        description = json.loads((folder / DESCRIPTION_FILE).read_text())
        size = described_size(description | ({} if quantized is None else {"quantized": quantized}))
        backend = RustTokenizer.from_file(str(folder / TOKENIZER_FILE))
        model = PixSearch(size, Tokenizer(backend, size.image_tokens))
        _fill(model, load_file(folder / WEIGHTS_FILE))
    except Fault:
        raise
    except Exception as error:  # tokenizers raises bare Exception; torch and safetensors their own
        raise Fault(f"model {folder}", expected="whole files of one model", actual=str(error)[:120],
                    remedy="train it again, or copy the folder again") from error
    return Checkpoint(model, backend, description)


def load_merged(folder: Path) -> Checkpoint:
    """Read a model folder for use without training: in full precision, adapters folded into what they adapt."""
    checkpoint = load_model(folder, quantized=False)
    merge_adapters(checkpoint.model)
    checkpoint.model.float()
    return checkpoint


def _fill(model: PixSearch, tensors: dict[str, Tensor]) -> None:
    if any(ADAPTER in name for name in tensors):
        put_adapters(model)
    lacking = model.load_state_dict(tensors, strict=not model.size.weights)
    if missing := [name for name in lacking.missing_keys if is_own(model.size, name)] + lacking.unexpected_keys:
        raise ValueError(f"{missing[0]} is not in both")
