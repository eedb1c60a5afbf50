"""The table of families, and the models that a local folder holds."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForImageTextToText

from pixsearch.contract.faults import Fault
from pixsearch.model.families import llava, qwen2_5_vl, qwen3_vl, smolvlm
from pixsearch.model.families.family import Config, Family, View
from pixsearch.model.sam import sam_widths
from pixsearch.model.sizes import Size

FAMILIES = {module.FAMILY.model_type: module.FAMILY for module in (qwen2_5_vl, qwen3_vl, smolvlm, llava)}
CONFIG_FILE, PROCESSOR_FILE = "config.json", "preprocessor_config.json"


@dataclass(frozen=True)
class Source:
    """A folder of one vision-language model, as its publisher lays it out."""

    folder: Path
    family: Family
    config: Config
    view: View

    @classmethod
    def read(cls, folder: Path) -> "Source":
        """Read its configuration; no weights. Raises Fault for a folder that holds no model of a known family."""
        try:
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise Fault(f"folder {folder}", expected=f"a vision-language model with {CONFIG_FILE}",
                        actual=str(error).partition("\n")[0][:120], remedy="give the folder of its files") from error
        if config.model_type not in FAMILIES:
            raise Fault(f"folder {folder}", expected=" or ".join(FAMILIES), actual=f"model_type {config.model_type}",
                        remedy="add the family as docs/families.md says")
        family = FAMILIES[config.model_type]
        return cls(folder, family, config, _with_own_scaling(family.view(config), folder))

    def open(self) -> Any:
        """The model with its weights, frozen: bfloat16 on a GPU's machine, else float32."""
        dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
        model = AutoModelForImageTextToText.from_pretrained(self.folder, local_files_only=True, dtype=dtype)
        return model.requires_grad_(False)


def _with_own_scaling(view: View, folder: Path) -> View:
    """The view with the pixel scaling that the folder's processor names."""
    path = folder / PROCESSOR_FILE
    given = json.loads(path.read_text()) if path.is_file() else {}
    if not {"image_mean", "image_std"} <= set(given):
        return view
    return replace(view, mean=tuple(given["image_mean"]), std=tuple(given["image_std"]))


def size_of(size: Size, weights: Path, sam: Path | None = None, quantized: bool = False) -> Size:
    """A row of the table with what a folder holds. Raises Fault where the row names another model."""
    source = Source.read(weights)
    text = source.config.get_text_config()
    found = replace(
        size, layers=tuple(range(text.num_hidden_layers)), width=text.hidden_size, heads=text.num_attention_heads,
        kv_heads=text.num_key_value_heads, feed_forward=text.intermediate_size,
        head_width=getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads,
        image_grid=source.view.grid, deep=source.view.deep, weights=str(weights), sam=str(sam or ""),
        quantized=quantized, family=source.family.model_type)
    if sam:
        detail, context = sam_widths(sam)
        found = replace(found, detail=detail, context=context)
    shape = ("family", "width", "heads", "kv_heads", "head_width", "feed_forward", "layers")
    if size.layers and (wrong := [name for name in shape if getattr(size, name) != getattr(found, name)]):
        raise Fault(f"folder {weights}", expected=f"{size.name}: {wrong[0]} {getattr(size, wrong[0])}",
                    actual=str(getattr(found, wrong[0])), remedy="choose its own size, or `base`, which takes any")
    return found
