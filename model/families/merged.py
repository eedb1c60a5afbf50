"""A trained family's model as a folder of its publisher's form, for servers such as vLLM."""

import shutil
from pathlib import Path

import torch

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import atomic_directory
from pixsearch.contract.graphs import TOKENIZER_FILE
from pixsearch.model.checkpoint import load_merged
from pixsearch.model.families.language import FamilyLanguage
from pixsearch.model.families.table import CONFIG_FILE, Source


def write_merged(model: Path, output: Path) -> None:
    """Write the folder that a model was made from, with its adapters and special tokens folded in; whole or not at all.

    What training changed in image tokens (`TokenAdapter`) has no place in that form and is left out.
    Raises Fault for a model that was made from no folder.
    """
    checkpoint = load_merged(model)
    language = checkpoint.model.language
    if not isinstance(language, FamilyLanguage):
        raise Fault(f"model {model}", expected="one made from a folder of weights", actual=checkpoint.model.size.name,
                    remedy="export this size with `pixsearch model export`")
    source = Source.read(Path(checkpoint.model.size.weights))
    theirs = source.open()
    theirs.resize_token_embeddings(language.vocabulary, mean_resizing=False)
    source.family.decoder(theirs).load_state_dict(language.decoder.state_dict())
    with torch.no_grad():
        table = theirs.get_input_embeddings().weight
        table[language.special_ids] = language.special_rows.to(table.dtype)
        if language.head is not None and language.special_head is not None:
            theirs.lm_head.weight.copy_(language.head)
            theirs.lm_head.weight[language.special_ids] = language.special_head.to(table.dtype)
    with atomic_directory(output) as temporary:
        for path in source.folder.glob("*.json"):
            if path.name not in (CONFIG_FILE, TOKENIZER_FILE) and "index" not in path.name:
                shutil.copy(path, temporary)
        theirs.save_pretrained(temporary)
        checkpoint.backend.save(str(temporary / TOKENIZER_FILE))
