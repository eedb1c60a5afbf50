"""A smaller model from a bigger one: it keeps some of the language part's layers and learns to do without the rest."""

from pixsearch.contract.tokenizer import Tokenizer
from pixsearch.model.network import PixSearch
from pixsearch.model.sizes import Size

LAYERS = "language.layers."


def keep_layers(model: PixSearch, size: Size, tokenizer: Tokenizer) -> PixSearch:
    """The model with the layers of a size that has fewer, or the model itself where it is of that size.

    Raises ValueError for a size that has layers which the model lacks.
    """
    if model.size == size:
        return model
    if missing := set(size.layers) - set(model.size.layers):
        raise ValueError(f"{model.size.name} lacks the layers {sorted(missing)} of {size.name}")
    places = {model.size.layers.index(layer): place for place, layer in enumerate(size.layers)}
    kept = {}
    for name, tensor in model.state_dict().items():
        if name.startswith(LAYERS):
            place, _, rest = name.removeprefix(LAYERS).partition(".")
            if int(place) not in places:
                continue
            name = f"{LAYERS}{places[int(place)]}.{rest}"
        kept[name] = tensor
    smaller = PixSearch(size, tokenizer)
    smaller.load_state_dict(kept)
    return smaller
