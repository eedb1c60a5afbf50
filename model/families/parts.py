"""A folder's model as parts of ours: the tower that sees for the language part, the decoder, and the tokenizer."""

from pathlib import Path

import torch
from tokenizers import AddedToken
from tokenizers import Tokenizer as RustTokenizer
from torch import nn

from pixsearch.contract.faults import Fault
from pixsearch.contract.grammar import SPECIAL_TOKENS
from pixsearch.contract.graphs import TOKENIZER_FILE
from pixsearch.contract.tokenizer import Tokenizer
from pixsearch.model.families.language import FamilyLanguage
from pixsearch.model.families.table import Source
from pixsearch.model.families.tower import Tower
from pixsearch.model.sizes import Size

NARROWEST = 128  # inputs of a linear layer that 4-bit blocks can hold


def family_tokenizer(folder: Path) -> RustTokenizer:
    """The folder's tokenizer with our special tokens. Raises Fault where there is none."""
    path = folder / TOKENIZER_FILE
    try:
        backend = RustTokenizer.from_file(str(path))
    except Exception as error:  # the tokenizers library raises bare Exception
        raise Fault(f"tokenizer {path}", expected="a tokenizer of the tokenizers library", actual=str(error)[:120],
                    remedy="save the model's fast tokenizer there") from error
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
    backend.no_padding()
    backend.no_truncation()
    return backend


def open_parts(size: Size, tokenizer: Tokenizer) -> tuple[Tower, FamilyLanguage]:
    """Read the weights of `size.weights`; what is frozen stays as it was published, in 4 bits where asked for."""
    source = Source.read(Path(size.weights))
    model, family = source.open(), source.family
    own = [tokenizer.id_of(family.starts.get(token, "")) for token in SPECIAL_TOKENS]
    rows = model.lm_head.weight.shape[0]
    starts = [-1 if id is None or id >= rows else id for id in own]
    language = FamilyLanguage(size, family, model, tokenizer.size, tokenizer.special, starts)
    if size.quantized:
        quantize(language)
    return Tower(family.vision(model), source.view, family.counts_patches), language


def quantize(language: FamilyLanguage) -> None:
    """Replace the decoder's linear layers by 4-bit ones (nf4 with scales quantized again, as QLoRA has them)."""
    from bitsandbytes.nn.modules import Linear4bit, Params4bit

    compute = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for name, module in list(language.decoder.named_modules()):
        if not isinstance(module, nn.Linear):
            continue
        if module.in_features < NARROWEST:
            raise Fault(f"layer {name}", expected=f"at least {NARROWEST} wide", actual=f"{tuple(module.weight.shape)}",
                        remedy="leave `quantized` out of the run file")
        small = Linear4bit(module.in_features, module.out_features, module.bias is not None, compute_dtype=compute,
                           quant_type="nf4")
        small.weight = Params4bit(module.weight.data, requires_grad=False, quant_type="nf4")
        if module.bias is not None:
            small.bias = nn.Parameter(module.bias.data, requires_grad=False)
        parent, _, leaf = name.rpartition(".")
        setattr(language.decoder.get_submodule(parent), leaf, small.to(device))
