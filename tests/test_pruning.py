"""A smaller size keeps a bigger one's weights but for the layers that it lacks."""

from dataclasses import replace

import pytest
import torch

from pixsearch.contract.tokenizer import Tokenizer, byte_tokenizer
from pixsearch.model.network import PixSearch
from pixsearch.model.pruning import keep_layers
from pixsearch.model.sizes import SIZES

BIG = replace(SIZES["tiny"], name="big", layers=(0, 2, 5, 7))
TOKENIZER = Tokenizer(byte_tokenizer())


@torch.inference_mode()
def test_the_kept_layers_are_those_of_the_bigger_model() -> None:
    torch.manual_seed(0)
    big = PixSearch(BIG, TOKENIZER)
    small = keep_layers(big, replace(BIG, name="small", layers=(0, 5)), TOKENIZER)
    assert small.size.full_attention == (1,) and len(small.language.layers) == 2
    ids, image = torch.tensor([[5, 9, 12]]), torch.zeros(1, 1, BIG.width)
    big.language.layers = torch.nn.ModuleList([big.language.layers[0], big.language.layers[2]])
    big.language.size = small.size
    expected, _ = big.language(big.language.embed(ids, image))
    found, _ = small.language(small.language.embed(ids, image))
    assert torch.equal(found, expected)
    for name, tensor in small.decoder.state_dict().items():
        assert torch.equal(tensor, big.decoder.state_dict()[name])


def test_a_model_of_that_size_stays_as_it_is_and_layers_cannot_be_made_up() -> None:
    big = PixSearch(BIG, TOKENIZER)
    assert keep_layers(big, BIG, TOKENIZER) is big
    with pytest.raises(ValueError, match=r"big lacks the layers \[3\] of other"):
        keep_layers(big, replace(BIG, name="other", layers=(0, 3)), TOKENIZER)
