"""Our Gemma decoder is Gemma, with a cache and with image vectors in place of pad ids."""

import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

from pixsearch.model.language import Language
from pixsearch.model.sizes import Size

VOCABULARY, PAD = 50, 0
SIZE = Size("test", layers=tuple(range(6)), width=64, heads=2, head_width=32, feed_forward=128, pretrained=False)


def a_language() -> Language:
    torch.manual_seed(0)
    return Language(SIZE, VOCABULARY, PAD).eval()


def a_prompt(language: Language, length: int = 12) -> torch.Tensor:
    return language.embed(torch.randint(1, VOCABULARY, (2, length)), torch.zeros(2, 1, SIZE.width))


@torch.inference_mode()
def test_it_equals_the_published_implementation() -> None:
    theirs = Gemma3ForCausalLM(Gemma3TextConfig(
        vocab_size=VOCABULARY, hidden_size=64, intermediate_size=128, num_hidden_layers=6, num_attention_heads=2,
        num_key_value_heads=1, head_dim=32, query_pre_attn_scalar=32, sliding_window=512, pad_token_id=PAD)).eval()
    ours = a_language()
    names = {"self_attn.q_proj": "attention.q", "self_attn.k_proj": "attention.k", "self_attn.v_proj": "attention.v",
             "self_attn.o_proj": "attention.o", "mlp.gate_proj": "gate", "mlp.up_proj": "up", "mlp.down_proj": "down"}
    norms = {"input_layernorm": "before_attention", "post_attention_layernorm": "after_attention",
             "pre_feedforward_layernorm": "before_feed", "post_feedforward_layernorm": "after_feed",
             "self_attn.q_norm": "attention.q_norm", "self_attn.k_norm": "attention.k_norm"}
    for their_layer, our_layer in zip(theirs.model.layers, ours.layers, strict=True):
        for their_name, our_name in names.items():
            our_layer.get_submodule(our_name).weight.copy_(their_layer.get_submodule(their_name).weight)
        for their_name, our_name in norms.items():
            gain = their_layer.get_submodule(their_name).weight.normal_(std=0.2)
            our_layer.get_submodule(our_name).weight.copy_(1 + gain)
    ours.norm.weight.copy_(1 + theirs.model.norm.weight)
    ours.embedding.weight.copy_(theirs.model.embed_tokens.weight)
    ids = torch.randint(1, VOCABULARY, (2, 20))
    hidden, _ = ours(ours.embed(ids, torch.zeros(2, 1, 64)))
    assert torch.allclose(ours.logits(hidden), theirs(ids).logits, atol=1e-4)


@torch.inference_mode()
def test_two_chunks_with_a_cache_equal_one_pass() -> None:
    language = a_language()
    prompt = a_prompt(language)
    whole, _ = language(prompt)
    first, cache = language(prompt[:, :7])
    second, cache = language(prompt[:, 7:], cache)
    assert torch.allclose(torch.cat([first, second], dim=1), whole, atol=1e-4)
    assert cache.keys.shape == (6, 2, 1, 12, 32)


@torch.inference_mode()
def test_a_later_token_changes_nothing_before_it() -> None:
    language = a_language()
    prompt = a_prompt(language)
    changed = prompt.clone()
    changed[:, 8] += 1.0
    before, after = language(prompt)[0], language(changed)[0]
    assert torch.allclose(before[:, :8], after[:, :8], atol=1e-6)
    assert not torch.allclose(before[:, 8:], after[:, 8:], atol=1e-3)


@torch.inference_mode()
def test_pad_ids_become_image_vectors_in_their_order() -> None:
    language = a_language()
    images = torch.randn(1, 2, SIZE.width)
    embedded = language.embed(torch.tensor([[3, PAD, 4, PAD, PAD]]), images)
    assert torch.equal(embedded[0, 1], images[0, 0])
    assert torch.equal(embedded[0, 3], images[0, 1])
    assert torch.equal(embedded[0, 2], language.embedding.weight[4] * SIZE.width ** 0.5)


@torch.inference_mode()
def test_rows_of_different_lengths_are_read_as_in_a_padded_batch() -> None:
    language = a_language()
    ids = torch.randint(1, VOCABULARY, (2, 9))
    ids[1, 5:] = PAD
    images = torch.randn(2, 1, SIZE.width)
    padded, _ = language(language.embed(ids, images))
    for read in (language.read_end_to_end, language.read_padded):
        hidden = read(ids, [9, 5], images)
        assert torch.allclose(hidden[0], padded[0], atol=1e-5)
        assert torch.allclose(hidden[1, :5], padded[1, :5], atol=1e-5)
        assert not hidden[1, 5:].any()
