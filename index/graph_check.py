"""Whether an HNSW file can be searched without leaving its memory: hnswlib believes every number in it."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault

# As hnswlib 0.8 saves it: six sizes, highest level, entry point, links a level, links of level 0, M, factor, ef.
_HEADER = struct.Struct("<6QiI3QdQ")
_NUMBER = np.dtype("<u4")


def check_graph(path: Path, links: int) -> None:
    """Raise Fault unless every link leads to an element that exists on its level.

    links : most links of an element on a level; twice as many on level 0. The header's sizes were compared before.
    """
    content = np.memmap(path, np.uint8, "r")
    if len(content) < _HEADER.size:
        raise _broken(path, "its header is cut off")
    header = _HEADER.unpack(content[:_HEADER.size].tobytes())
    count, element, highest, entry, widths = header[2], header[3], header[6], header[7], header[8:11]
    if widths != (links, 2 * links, links) or entry >= count:
        raise _broken(path, "its header names other links, or no entry point")
    ground = content[_HEADER.size:_HEADER.size + count * element]
    if len(ground) != count * element:
        raise _broken(path, "elements are missing")
    rows = ground.reshape(count, element)[:, :_NUMBER.itemsize * (2 * links + 1)].copy().view(_NUMBER)  # (N, 1 + links)
    upper = _upper_levels(path, content[_HEADER.size + count * element:], count, links)
    levels = np.array([len(lists) for lists in upper], np.int64)
    if levels[entry] != highest or levels.max() != highest:
        raise _broken(path, "its entry point is not on the highest level")
    _check_lists(path, rows, np.zeros(count, np.int64), levels)
    if highest:
        lists = np.concatenate([lists for lists in upper if len(lists)])
        _check_lists(path, lists, np.concatenate([np.arange(1, level + 1) for level in levels if level]), levels)


def _upper_levels(path: Path, content: NDArray[np.uint8], count: int, links: int) -> list[NDArray[np.uint32]]:
    """The lists of every element above level 0, uint32 (levels, 1 + links): how many links, and where they lead."""
    raw, width, at = content.tobytes(), _NUMBER.itemsize * (links + 1), 0
    found = []
    for _ in range(count):
        size = int.from_bytes(raw[at:at + _NUMBER.itemsize], "little")
        at += _NUMBER.itemsize
        if size % width or at + size > len(raw):
            raise _broken(path, "a list of links is cut off")
        found.append(np.frombuffer(raw[at:at + size], _NUMBER).reshape(-1, links + 1))
        at += size
    if at != len(raw):
        raise _broken(path, "something follows it")
    return found


def _check_lists(path: Path, rows: NDArray[np.uint32], on: NDArray[np.int64], levels: NDArray[np.int64]) -> None:
    """rows : uint32 (R, 1 + links), first how many; on : the level of each row, (R,)"""
    counts = rows[:, 0].astype(np.int64)
    if (counts >= rows.shape[1]).any():
        raise _broken(path, "an element has more links than there is room for")
    used = np.arange(1, rows.shape[1]) <= counts[:, None]
    leads_to, from_level = rows[:, 1:][used].astype(np.int64), np.repeat(on, counts)
    if (leads_to >= len(levels)).any() or (levels[leads_to] < from_level).any():
        raise _broken(path, "a link leads to no element of its level")


def _broken(path: Path, actual: str) -> Fault:
    return Fault(f"pack index {path}", expected="an HNSW graph whose links all lead somewhere", actual=actual,
                 remedy="build the pack again")
