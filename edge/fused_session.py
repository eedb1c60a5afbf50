"""The fused language graph behind the signature of the plain one: its cache grows where it lies, and is not copied.

Keys and values that a run returns are values like any other: what they hold never changes. A run that goes on from the
newest of them writes behind it; one that goes on from an older one, whose place is taken, has a cache of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from pixsearch.contract import graphs
from pixsearch.edge.sessions import Array, OnnxSession, Shape

KEYS, VALUES = graphs.CACHE_PARTS
DEVICE = "cpu"


class FusedSession(OnnxSession):
    """See `Session`; inputs and outputs are those of the plain graph."""

    def __init__(self, path: Path, backend: ort.InferenceSession) -> None:
        super().__init__(path, backend)
        layers = sum(name.startswith(f"past_{KEYS}.") for name in self.inputs)
        heads, self._room, width = (int(side) for side in self.inputs[f"past_{KEYS}.0"][1:])
        self._cache_shape = (layers, heads, self._room, width)
        self._widths = {name: int(self.outputs[name][-1]) for name in ("logits", "hidden")}
        grown: Shape = (layers, heads, "P + T", width)
        self.inputs = {name: self.inputs[name] for name in ("ids", "image_tokens")} | {
            f"past_{part}": (layers, heads, "P", width) for part in graphs.CACHE_PARTS}
        self.outputs = {name: self.outputs[name] for name in self._widths} | dict.fromkeys(graphs.CACHE_PARTS, grown)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """See `Session.run`."""
        return {name: value.numpy() for name, value in self.run_values(feeds).items()}

    def run_values(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """See `Session.run_values`. Raises ValueError for more tokens than the cache has room for."""
        ids = np.ascontiguousarray(_on_host(feeds["ids"]), np.int64)
        image_tokens = np.ascontiguousarray(_on_host(feeds["image_tokens"]), np.float32)
        cache, past = self._cache(feeds[f"past_{KEYS}"], feeds[f"past_{VALUES}"])
        total = past + ids.shape[1]
        if total > self._room:
            raise ValueError(f"{self.path}: room for {self._room} tokens, given {total}")
        made: dict[str, Array] = {"logits": np.empty((1, self._widths["logits"]), np.float32),
                                  "hidden": np.empty((1, ids.shape[1], self._widths["hidden"]), np.float32)}
        read: dict[str, Array] = {"ids": ids, "image_tokens": image_tokens,
                                  "last": np.array([total - 1], np.int32), "total": np.array([total], np.int32)}
        for bind, arrays in ((cache.binding.bind_input, read), (cache.binding.bind_output, made)):
            for name, array in arrays.items():
                bind(name, DEVICE, 0, array.dtype.type, array.shape, array.ctypes.data)
        cache.written = total  # whatever becomes of this run, older values must not grow here
        with self._interruptible() as options:
            self._backend.run_with_iobinding(cache.binding, options)
        return {name: HostArray(array) for name, array in made.items()} | {
            part: Past(cache, part, total) for part in graphs.CACHE_PARTS}

    def value(self, array: Array) -> "HostArray":
        """See `Session.value`."""
        return HostArray(array)

    def _cache(self, keys: Any, values: Any) -> tuple["Cache", int]:
        """A cache that begins with these, and how many tokens they are: their own where they are its newest."""
        if isinstance(keys, Past) and isinstance(values, Past) and keys.is_newest_beside(values):
            return keys.cache, keys.length
        cache = Cache(self._backend.io_binding(), self._cache_shape)
        cache.written = cache.put(_on_host(keys), _on_host(values))
        return cache, cache.written


@dataclass(frozen=True)
class HostArray:
    """A `Value` in the host's memory."""

    array: Array

    def numpy(self) -> Array:
        """See `Value.numpy`; not a copy."""
        return self.array


class Cache:
    """Room for the keys and values (L, K, M, H) of one sequence, bound to the graph's inputs and outputs."""

    def __init__(self, binding: ort.IOBinding, shape: tuple[int, ...]) -> None:
        self.binding, self.written = binding, 0
        self.parts: dict[str, NDArray[np.float32]] = {part: np.empty(shape, np.float32) for part in graphs.CACHE_PARTS}
        for part, array in self.parts.items():
            for number, layer in enumerate(array[:, None]):
                binding.bind_input(f"past_{part}.{number}", DEVICE, 0, np.float32, layer.shape, layer.ctypes.data)
                binding.bind_output(f"{part}.{number}", DEVICE, 0, np.float32, layer.shape, layer.ctypes.data)

    def put(self, keys: Array, values: Array) -> int:
        """Write both (L, K, P, H) at the beginning; returns P."""
        count = keys.shape[2]
        for part, given in zip(graphs.CACHE_PARTS, (keys, values), strict=True):
            self.parts[part][:, :, :count] = given
        return count


@dataclass(frozen=True)
class Past:
    """A `Value`: the first tokens of a cache's keys or values."""

    cache: Cache
    part: str
    length: int

    def numpy(self) -> NDArray[np.float32]:
        """Shape (L, K, length, H); not a copy, for nothing is written there again."""
        return self.cache.parts[self.part][:, :, :self.length]

    def is_newest_beside(self, values: "Past") -> bool:
        """Whether keys (these) and values are of one cache, which holds nothing behind them."""
        return (self.part, values.part) == graphs.CACHE_PARTS and self.cache is values.cache and (
            self.length == values.length == self.cache.written)


def _on_host(value: Any) -> Array:
    return np.asarray(value if isinstance(value, np.ndarray) else value.numpy())
