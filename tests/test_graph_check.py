"""An HNSW file whose hash is right may still be hostile: no link may lead hnswlib out of its memory."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pixsearch.contract.faults import Fault
from pixsearch.index.graph import NEIGHBOURS, graph_of, load_graph, save_graph
from pixsearch.index.graph_check import check_graph

D, COUNT = 8, 400
HEADER_BYTES = 96
ELEMENT_BYTES = 4 * (2 * NEIGHBOURS + 1) + 4 * D + 8


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    vectors = np.random.default_rng(0).normal(size=(COUNT, D)).astype(np.float32)
    save_graph(graph_of(vectors, np.arange(COUNT)), tmp_path / "g.hnsw")
    return tmp_path / "g.hnsw"


@pytest.mark.parametrize("count", [1, 2, 17, COUNT])
def test_what_hnswlib_saved_is_sound(tmp_path: Path, count: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(count, D)).astype(np.float32)
    save_graph(graph_of(vectors, np.arange(count)), tmp_path / "g.hnsw")
    check_graph(tmp_path / "g.hnsw", NEIGHBOURS)


def number(content: bytearray, at: int, value: int) -> None:
    content[at:at + 4] = value.to_bytes(4, "little")


@pytest.mark.parametrize(("change", "says"), [
    (lambda c: number(c, HEADER_BYTES, 33), "more links"),
    (lambda c: number(c, HEADER_BYTES + 4, COUNT), "no element of its level"),
    (lambda c: number(c, HEADER_BYTES, 1 << 16), "more links"),  # marks an element as deleted
    (lambda c: number(c, 48, 9), "highest level"),
    (lambda c: number(c, 52, COUNT), "no entry point"),
    (lambda c: number(c, 56, 99), "other links"),
    (lambda c: number(c, HEADER_BYTES + COUNT * ELEMENT_BYTES, 7), "cut off"),
    (lambda c: c.extend(b"more"), "something follows"),
    (lambda c: c.__delitem__(slice(-9, None)), "cut off"),
])
def test_a_file_that_lies_is_refused(graph: Path, change: Callable[[bytearray], object], says: str) -> None:
    content = bytearray(graph.read_bytes())
    change(content)
    graph.write_bytes(content)
    with pytest.raises(Fault, match=says):
        load_graph(graph, D, COUNT)


HOSTILE = """
import sys
from pathlib import Path
import numpy as np
from pixsearch.contract.faults import Fault
from pixsearch.index.graph import load_graph
path = Path(sys.argv[1])
sound, refused = path.read_bytes(), 0
for number in range(300):
    random = np.random.default_rng(number)
    content = bytearray(sound)
    for at in random.integers(0, len(sound), 3):
        content[at] = int(random.integers(256))
    path.write_bytes(content)
    try:
        graph = load_graph(path, 8, 400)
    except Fault:
        refused += 1
        continue
    for query in random.normal(size=(5, 8)).astype(np.float32):
        try:
            graph.knn_query(query, k=10)
        except RuntimeError:
            pass
print(refused)
"""


def test_no_bytes_make_a_search_crash(graph: Path) -> None:
    done = subprocess.run([sys.executable, "-c", HOSTILE, graph], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
