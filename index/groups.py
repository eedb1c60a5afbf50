"""Grouping vectors that are near each other: what `regions.hnsw` finds are groups, each a run of rows."""

import os
import sys
from dataclasses import dataclass

import click
import hnswlib  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from pixsearch.index.graph import SEED, graph_of
from pixsearch.index.rows import Rows, unit_vectors

ROWS_A_GROUP = 16  # on average: a sixteenth of the graph's memory and loading time, for a scan of a few hundred rows
ASSIGNMENT_EF = 48
ROWS_AT_A_TIME = 8192
SHOWN_FROM = 65_536  # rows: fewer take no time to speak of
COUNT_BITS, VIEW_BITS = 24, 8  # of a label; the rest is where the group starts

Vectors = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """Runs of rows by where they start, how many they are, and the code of the view that all of them have."""

    starts: Numbers
    counts: Numbers
    views: Numbers

    @classmethod
    def of_labels(cls, labels: NDArray[np.integer]) -> "Groups":
        """From the labels that a graph gave."""
        numbers = labels.astype(np.int64)
        return cls(numbers >> COUNT_BITS + VIEW_BITS, numbers >> VIEW_BITS & (1 << COUNT_BITS) - 1,
                   numbers & (1 << VIEW_BITS) - 1)

    @property
    def labels(self) -> Numbers:
        """One number a group, to keep in a graph."""
        return self.starts << COUNT_BITS + VIEW_BITS | self.counts << VIEW_BITS | self.views

    def rows(self) -> Numbers:
        """The numbers of all rows in these groups, in their order."""
        ends = self.counts.cumsum()
        return np.arange(ends[-1] if len(ends) else 0) + np.repeat(self.starts - ends + self.counts, self.counts)


def grouped(rows: Rows) -> tuple[Rows, Groups, Vectors]:
    """Rows in the order of their groups, the groups, and the mean direction of each, float32 (G, D).

    Groups grow around rows chosen by chance, and once more around the means of those. Views of two kinds never share
    one, so that a search for one kind reads no other. The same rows give the same groups.
    """
    count = max(1, len(rows) // ROWS_A_GROUP)
    chosen = np.sort(np.random.default_rng(SEED).choice(len(rows), count, replace=False))
    centres = unit_vectors(rows[chosen])
    for label in ("grouping vectors", "… once more"):
        nearest = _nearest(rows, graph_of(centres, np.arange(len(centres))), label)
        # as numbers from 0 without gaps: by kind of view, then by centre
        keys, of = np.unique(rows["view"].astype(np.int64) * len(centres) + nearest, return_inverse=True)
        centres = _means(rows, of, len(keys))
    counts = np.bincount(of, minlength=len(keys))
    order = np.argsort(of, kind="stable")
    groups = Groups(np.cumsum(counts) - counts, counts, rows["view"][order[np.cumsum(counts) - 1]].astype(np.int64))
    return rows[order], groups, centres


def _nearest(rows: Rows, graph: hnswlib.Index, label: str) -> Numbers:
    """The label that is nearest to each row, (N,)."""
    graph.set_ef(ASSIGNMENT_EF)
    found = np.empty(len(rows), np.int64)
    threads = len(os.sched_getaffinity(0))  # the answers do not depend on how many
    with click.progressbar(length=len(rows), label=label, file=sys.stderr,
                           hidden=len(rows) < SHOWN_FROM) as bar:
        for start in range(0, len(rows), ROWS_AT_A_TIME):
            part = rows[start:start + ROWS_AT_A_TIME]
            found[start:start + len(part)] = graph.knn_query(unit_vectors(part), 1, num_threads=threads)[0][:, 0]
            bar.update(len(part))
    return found


def _means(rows: Rows, of: Numbers, count: int) -> Vectors:
    """The mean direction of the rows of each group, unit vectors (count, D)."""
    sums = np.zeros((count, rows["vector"].shape[1]), np.float32)
    order = np.argsort(of, kind="stable")
    for start in range(0, len(rows), ROWS_AT_A_TIME):
        part = order[start:start + ROWS_AT_A_TIME]
        members, firsts = np.unique(of[part], return_index=True)
        sums[members] += np.add.reduceat(unit_vectors(rows[part]), firsts)
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), np.finfo(np.float32).tiny)
