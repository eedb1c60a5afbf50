"""One function over many items on all cores, in order: for work that uses one core by itself."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

import cv2
import torch

Item = TypeVar("Item")
Shared = TypeVar("Shared")
Result = TypeVar("Result")


def on_all_cores(function: Callable[[Shared, Item], Result], shared: Shared,
                                       items: Iterable[Item]) -> Iterator[Result]:
    """`function(shared, item)` of every item, in their order, the same as one process would give.

    function : of a module, so that another process finds it; each process uses one thread
    shared : sent to each process once
    """
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"), initializer=_begin,
                             initargs=(function, shared)) as pool:
        yield from pool.map(_call, items)


_of_process: tuple[Callable[[Any, Any], Any], Any]


def _begin(function: Callable[[Any, Any], Any], shared: Any) -> None:
    global _of_process
    _of_process = function, shared
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _call(item: Any) -> Any:
    function, shared = _of_process
    return function(shared, item)
