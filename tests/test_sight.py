"""What the mask side has learned goes from one model into another."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from pixsearch.contract.faults import Fault
from pixsearch.contract.tokenizer import Tokenizer, byte_tokenizer
from pixsearch.model.network import PixSearch
from pixsearch.model.sight import PARTS, SIGHT, load_sight, save_sight
from pixsearch.model.sizes import Size, size_named

TINY = size_named("tiny")
TOKENIZER = Tokenizer(byte_tokenizer())


def a_model(seed: int, size: Size = TINY) -> PixSearch:
    torch.manual_seed(seed)
    return PixSearch(size, TOKENIZER)


def test_the_parts_go_over_and_the_language_stays(tmp_path: Path) -> None:
    path, one, other = tmp_path / "sight.safetensors", a_model(0), a_model(1)
    words = other.language.embedding.weight.clone()
    save_sight(one, path)
    load_sight(other, path)
    assert torch.equal(other.language.embedding.weight, words)
    for name, tensor in other.state_dict().items():
        if name.partition(".")[0] in PARTS:
            assert torch.allclose(tensor, one.state_dict()[name], atol=1e-3, rtol=1e-3), name


def test_parts_of_another_shape_are_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "sight.safetensors"
    save_sight(a_model(0), path)
    wider = Size("wider", layers=(0, 5), width=64, heads=2, head_width=32, feed_forward=128, pretrained=False,
                 trunk=(8, 8, 16, 32), detail=16, context=64, region=16, text=16, lora_rank=4)
    with pytest.raises(Fault, match="differs"):
        load_sight(a_model(0, wider), path)


def test_what_is_kept_are_the_parts_of_a_model() -> None:
    with safe_open(SIGHT, "pt") as kept:
        names = set(kept.keys())
    parts = {name for name in a_model(0).state_dict() if name.partition(".")[0] in PARTS}
    assert names | {"decoder.known.weight"} == parts  # looks came after they were kept
