"""The graphs of a model bundle: their names, inputs and outputs. Dynamic axes are named T (new tokens) and P (past).

vision    pixels (1,3,384,384)
          → image_tokens (1,N,I), detail (1,C,96,96), context (1,D,24,24), dense (1,R,12,12)
language  ids int64 (1,T), image_tokens (1,N,I), past_keys and past_values (L,K,P,H)
          → logits (1,V) of the last position, hidden (1,T,W), keys and values (L,K,P+T,H)
mask      hidden (1,S,W), hidden_mask (1,S), detail, context, dense, point (1,3), box (1,5), previous (1,1,96,96),
          looks (1,K,R)
          → tags (1,S,3), span (1,S), mask (1,1,96,96), iou (1,1)
region    pixels (1,3,224,224), weights (1,1,7,7) → vector (1,R)
text      ids int64 (1,T) → vector (1,X)

All float32 unless said. N is 36 and I is W, unless the manifest says otherwise. `hidden` of the mask graph holds the
language model's last hidden states of the words since the last special token, left-aligned and padded to S;
`hidden_mask` is 1 for words, 0 for padding. `point` is x, y in 0..1 of the letterboxed square and a flag, `box` x0,
y0, x1, y1 and a flag; flag 0 means not given. `previous` holds an earlier mask's logits, all zero when there is none;
`looks` unit vectors of things that an index holds under the words' name (`looks.py`), all zero when none is known.
`mask` holds logits, `iou` the predicted IoU of that mask. Vectors are unit length.

A bundle may hold graphs once more in the form that CPUs run fastest (`fast_file`): vision and region with the same
inputs and outputs, and language with a cache that grows where it lies:

language  ids int64 (1,T), image_tokens (1,N,I), last and total int32 (1) with P+T-1 and P+T, and for each layer
          past_keys.0, past_values.0 … (1,K,M,H), of which the first P are written
          → logits (1,V), hidden (1,T,W), keys.0, values.0 … (1,K,M,H), the same memory, P+T written
"""

BUNDLE_FORMAT = 1
VISION, LANGUAGE, MASK, REGION, TEXT = "vision", "language", "mask", "region", "text"
GRAPHS = (VISION, LANGUAGE, MASK, REGION, TEXT)
SIGNATURES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # inputs and outputs of each graph, by name
    VISION: (("pixels",), ("image_tokens", "detail", "context", "dense")),
    LANGUAGE: (("ids", "image_tokens", "past_keys", "past_values"), ("logits", "hidden", "keys", "values")),
    MASK: (("hidden", "hidden_mask", "detail", "context", "dense", "point", "box", "previous", "looks"),
           ("tags", "span", "mask", "iou")),
    REGION: (("pixels", "weights"), ("vector",)),
    TEXT: (("ids",), ("vector",)),
}
OPTIONAL_INPUTS = {MASK: frozenset({"looks"})}  # graphs from before there were looks go without
ONNX_TARGET, TENSORRT_TARGET = "onnx", "tensorrt"  # whose kernels a bundle's graphs are written for
TARGETS = (ONNX_TARGET, TENSORRT_TARGET)
TOKENIZER_FILE = "tokenizer.json"
CACHE_PARTS = ("keys", "values")
SPAN_TOKENS = 32  # S: how many words of a segment the tagger sees, the last ones
TAG_OUTSIDE, TAG_BEGIN, TAG_INSIDE = 0, 1, 2


def graph_file(name: str) -> str:
    """File name of a graph in a bundle."""
    return f"{name}.onnx"


def fast_file(name: str) -> str:
    """File name of its form for CPUs, which not every bundle has."""
    return f"{name}.fast.onnx"
