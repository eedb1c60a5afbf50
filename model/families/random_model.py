"""Small random models of each family: every path of a big run, without its weights."""

import json
from pathlib import Path

import torch
from tokenizers import AddedToken, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as RustTokenizer
from transformers import AutoModelForImageTextToText, Sam2VideoConfig, Sam2VideoModel

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import atomic_directory
from pixsearch.contract.graphs import TOKENIZER_FILE
from pixsearch.model.families.table import FAMILIES, PROCESSOR_FILE

SENTENCES = ("The cup is on the left.", "Who makes the mug on the right?", "This is an Egyptian cat, a kind of cat.",
             "Norvik makes it, and it was first sold in 1987.", "I don't know what the thing in the middle is.")
PIECES = 400  # of the tokenizer, 256 bytes among them


def small_tokenizer(specials: list[str]) -> RustTokenizer:
    """A byte-level BPE as published models have it, of a few sentences."""
    backend = RustTokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.train_from_iterator(SENTENCES, trainers.BpeTrainer(
        vocab_size=PIECES, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in specials])
    return backend


def write_random_sam(folder: Path, seed: int = 0) -> None:
    """Write a small random SAM 2.1 with its memory, in the layout of the published ones. Whole or not at all."""
    width = 128  # twice what a memory has, so that pointers to things are split as in published ones
    config = Sam2VideoConfig(
        vision_config={"backbone_config": {"model_type": "sam2_hiera_det_model", "hidden_size": 32,
                                           "embed_dim_per_stage": [32, 64, 96, 128], "blocks_per_stage": [1, 1, 2, 1],
                                           "num_attention_heads_per_stage": [1, 1, 2, 2],
                                           "global_attention_blocks": [3], "image_size": [256, 256]},
                       "backbone_channel_list": [128, 96, 64, 32], "fpn_hidden_size": width,
                       "backbone_feature_sizes": [[64, 64], [32, 32], [16, 16]]},
        prompt_encoder_config={"hidden_size": width, "image_size": 256},
        mask_decoder_config={"hidden_size": width, "iou_head_hidden_dim": width, "mlp_dim": 128,
                             "num_attention_heads": 4},
        image_size=256, memory_attention_hidden_size=width, memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=128, memory_attention_rope_feat_sizes=[16, 16],
        memory_encoder_hidden_size=width, memory_encoder_output_channels=64, mask_downsampler_embed_dim=width,
        memory_fuser_embed_dim=width, memory_fuser_intermediate_dim=128, memory_fuser_num_layers=1)
    torch.manual_seed(seed)
    with atomic_directory(folder) as temporary:
        Sam2VideoModel(config).save_pretrained(temporary)


def write_random_model(model_type: str, folder: Path, seed: int = 0) -> None:
    """Write a folder as a publisher would: configuration, weights, tokenizer, scaling of pixels. Whole or not at all.

    Raises Fault for an unknown family.
    """
    if model_type not in FAMILIES:
        raise Fault("family", expected=" or ".join(FAMILIES), actual=repr(model_type), remedy="choose one of them")
    family = FAMILIES[model_type]
    backend = small_tokenizer(sorted(set(family.starts.values())))
    config = family.small(backend.get_vocab_size() + 16)  # published tables have rows to spare
    torch.manual_seed(seed)
    view = family.view(config)
    with atomic_directory(folder) as temporary:
        AutoModelForImageTextToText.from_config(config).save_pretrained(temporary)
        backend.save(str(temporary / TOKENIZER_FILE))
        (temporary / PROCESSOR_FILE).write_text(json.dumps({"image_mean": view.mean, "image_std": view.std}))
